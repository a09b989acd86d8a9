# SPDX-License-Identifier: Apache-2.0
"""What cannot be is refused before anything heavy is imported: in a fraction of a second."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HEAVY = (
    "tensorflow",
    "keras",
    "mne",
    "sklearn",
    "matplotlib",
    "pandas",
    "scipy.signal",
    "scipy.stats",
    "jax",
)
NESTED = "[" * 5000
BAD = [
    ["train", "simulated", "--set", "windows.stride_s=1e-9"],
    ["train", "simulated", "--set", "seed=99999999999999999999999999"],
    ["train", "simulated", "--set", f"windows.stride_s={NESTED}"],
    ["train", "nested.toml"],
    ["train", "absent.toml"],
    ["train", "stress-predict"],
    ["train", "simulated", "--data", "absent"],
    ["train", "simulated", "--data", "nested"],
    ["train", "cogwear", "--data", "nested"],
    ["train", "simulated", "--set", "front_end.modalities.ppg.sampling_rate_hz=nan"],
    ["train", "simulated", "--set", "windows.stride_s=1e300"],
    ["train", "simulated", "--seed", "-1"],
    ["train", "simulated", "--cluster", "nowhere"],
    ["pretrain", "simulated", "--gpus-per-job", "0.25"],
    ["prepare", "stress-predict", "--data", "absent"],
    ["pretrain", "absent.toml"],
    ["evaluate", "absent"],
    ["evaluate", "absent", "--on", "cogwear", "--data", "absent"],
    ["export", "absent"],
    ["export", "absent", "--max-drop", "nan"],
    ["export", "absent", "--prune", "1e300"],
    ["verify", "absent"],
    ["pack", "absent", "--for", "cmake", "--out", "x"],
    ["companion", "absent"],
    ["simulate", "--out", "cohort", "--seed", "99999999999999999999999999"],
    ["simulate", "--out", "cohort", "--minutes", "1e300"],
    ["simulate", "--out", "cohort", "--minutes", "nan"],
    ["simulate", "--out", "cohort", "--subjects", "-1"],
    ["simulate", "--out", "cohort", "--modalities", "ppg,soul"],
    ["stream", "--pretrained", "wrist-stress", "--replay", "absent"],
    ["stream", "--pretrained", "wrist-stress", "--replay", "fifo"],
    ["stream", "--pretrained", "wrist-stress", "--replay", "absent", "--speed", "inf"],
    ["stream", "--pretrained", "wrist-stress", "--replay", "absent", "--enrolment", "nan"],
    ["play", "absent", "--lsl"],
    ["play", "absent", "--lsl", "--speed", "nan"],
    ["personalise", "--pretrained", "wrist-stress", "--recording", "absent", "--advise"],
    ["datasets", "show", "absent"],
    ["datasets", "show", "fifo"],
    ["datasets", "show", "absent", "--from", "1e300"],
    ["datasets", "show", "cogwear:P11/pre"],
    ["datasets", "check", "manifest", "nested"],
    ["datasets", "check", "cogwear", "absent"],
    ["datasets", "config", "nested", "--out", "x.toml"],
    ["datasets", "new", "absent"],
    ["trian"],
]
PROGRAM = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from mmq_tf.cli import main
heavy, said = json.loads(sys.argv[1]), []
for arguments in json.loads(sys.argv[2]):
    sys.argv[1:] = arguments
    error = io.StringIO()
    with redirect_stderr(error), redirect_stdout(io.StringIO()):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    said.append([code, error.getvalue(), [name for name in heavy if name in sys.modules]])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """Exit code, what was said, and which heavy modules were there, after each bad command in one process."""
    home = tmp_path_factory.mktemp("light")
    (home / "nested.toml").write_text(f"name = {NESTED}")
    (home / "nested").mkdir()
    (home / "nested" / "mmq-tf.toml").write_text(f"title = {NESTED}")
    os.mkfifo(home / "fifo")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(HEAVY), json.dumps(BAD)],
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert not (home / "cohort").exists()
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("number", range(len(BAD)), ids=[" ".join(one)[:60] for one in BAD])
def test_a_refusal_is_one_sentence_without_heavy_imports(refused, number):
    code, error, heavy = refused[number]
    assert (code, "Traceback" in error, heavy) == (2, False, []), (code, error, heavy)
    assert error.strip().splitlines()[-1].startswith(("mmq-tf: ", "Error: "))
