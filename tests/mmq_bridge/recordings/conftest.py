# SPDX-License-Identifier: Apache-2.0
"""Recordings as any program could write them: an E4 export and a recording folder; SIMULATED."""

import json

import numpy as np
import pytest

SECONDS = 20
E4 = {"BVP.csv": (64, "1.5"), "EDA.csv": (4, "0.5"), "TEMP.csv": (4, "33.1"), "ACC.csv": (32, "64,0,-32")}
DESCRIPTION = {
    "format": "mmq-recording",
    "format_version": 1,
    "simulated": True,
    "subject": "P1",
    "session": "2",
    "source": "simulated",
    "signals": {
        name: {"sampling_rate_hz": rate, "unit": unit, "channels": channels, "samples": rate * SECONDS}
        for name, rate, unit, channels in (
            ("temp", 4, "degC", ["skin"]),
            ("ppg", 64, "a.u.", ["bvp"]),
            ("eda", 4, "uS", ["eda"]),
            ("acc", 32, "g", ["x", "y", "z"]),
        )
    },
    "trials": [{"start_s": 0.0, "stop_s": 20.0, "labels": {"stress": "rest"}}],
}


@pytest.fixture
def e4(tmp_path):
    folder = tmp_path / "S02"
    folder.mkdir()
    for name, (rate, row) in E4.items():
        head = [", ".join([value] * (row.count(",") + 1)) for value in ("1000.0", f"{rate}.0")]
        (folder / name).write_text("\n".join(head + [row] * (rate * SECONDS)) + "\n")
    return folder


@pytest.fixture
def described(tmp_path):
    folder = tmp_path / "P1"
    folder.mkdir()
    (folder / "recording.json").write_text(json.dumps(DESCRIPTION))
    for name, said in DESCRIPTION["signals"].items():
        shape = (len(said["channels"]), said["samples"])
        np.save(folder / f"{name}.npy", np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    return folder
