# SPDX-License-Identifier: Apache-2.0
"""A bundle runs where nothing of ours but mmq_bridge, and no SciPy, can be imported."""

import subprocess
import sys

from mmq_tf import pretrained

CODE = """
import importlib.abc, json, sys
from pathlib import Path

FORBIDDEN = {"scipy", "mmq_tf", "mmq_export", "tensorflow", "keras", "mne", "sklearn", "rich"}


class Forbid(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is forbidden here")


sys.meta_path.insert(0, Forbid())
import mmq_bridge

assert not {"numpy", "pydantic", "click"} & set(sys.modules), "the package alone imports nothing"
import numpy as np

bundle = Path(sys.argv[1])
device = mmq_bridge.Device.from_bundle(bundle)
index = json.loads((bundle / "golden" / "golden.json").read_text())["signals"]
signals = {name: np.load(bundle / "golden" / f"{name}_samples.npy") for name in index}
decisions = []
for second in range(115):
    for name, said in index.items():
        rate = int(said["sampling_rate_hz"])
        chunk = signals[name][:, second * rate : (second + 1) * rate]
        if chunk.size:
            decisions += device.push(name, chunk, said["start_s"] + second)
assert len(decisions) >= 20, decisions
assert all(one.reason.startswith(("enrolling", "filling")) for one in decisions[:10])

try:
    mmq_bridge.FrontEnd.wearable({"ppg": 64}).with_filters()
except mmq_bridge.BridgeError as error:
    assert "export the bundle again, or pip install scipy" in str(error)
else:
    raise AssertionError("designed without SciPy")
print(mmq_bridge.__version__, len(decisions))
"""


def test_the_shipped_bundle_decides():
    command = [sys.executable, "-c", CODE, str(pretrained.path("wrist-stress"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0]
