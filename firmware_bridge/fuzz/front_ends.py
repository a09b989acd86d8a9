# SPDX-License-Identifier: Apache-2.0
"""The good front ends the fuzz targets start from: all nine kinds, several channels, rules on and off."""

from __future__ import annotations

from typing import Any

from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation

TOKEN_S = 2.0
LOOK_BACK_S = 10.0
CONTEXT_S = 6.0  # short, so that a few pushes fill it


def front_ends() -> dict[str, FrontEnd]:
    """Return front ends by name, with normalisation and quantisation, tokens of 1 or 2 s."""
    return {
        name: _complete(FrontEnd._build(data, name), LOOK_BACK_S if name == "remembering" else 0.0)
        for name, data in _settings().items()
    }


def _settings() -> dict[str, dict[str, Any]]:
    shared: dict[str, Any] = {"frontend_version": 2, "token_s": TOKEN_S, "tokens": 4, "grace_s": 1.0}
    head = {
        "sampling_rate_hz": 256,
        "channels": ("Fp1", "Fp2", "Cz", "Oz"),
        "notch_hz": 50,
        "max_bad_share": 0.5,
        "spatial": {
            "method": "average",
            "outputs": ("Fp1", "Fp2", "Cz"),
            "matrix": ((0.75, -0.25, -0.25, -0.25), (-0.25, 0.75, -0.25, -0.25), (-0.25, -0.25, 0.75, -0.25)),
        },
    }
    return {
        "wrist": _parts(shared, ppg=64, eda=4, temp=4, acc=32),
        "chest": _parts(shared, ecg=130, resp=25, emg={"sampling_rate_hz": 500, "channels": ("L", "R")}),
        "head": _parts(shared, eeg=head, eog={"sampling_rate_hz": 128, "channels": ("H", "V")}),
        "several": _parts(
            {**shared, "frontend_version": 3},
            ppg={"sampling_rate_hz": 50, "channels": ("green", "red")},
            ecg={"sampling_rate_hz": 100, "channels": ("I", "II")},
            resp={"sampling_rate_hz": 16, "channels": ("chest", "belly"), "context_s": 12.0},
            eda={"sampling_rate_hz": 16, "decimate": 4, "channels": ("left", "right")},
            acc={"sampling_rate_hz": 20, "channels": ("w_x", "w_y", "w_z", "c_x", "c_y", "c_z")},
        ),
        "many": _parts(
            shared,
            eeg={"sampling_rate_hz": 160, "channels": tuple(f"C{i}" for i in range(17)), "notch_hz": 60},
        ),
        "paced": _parts({**shared, "frontend_version": 3}, ppg=64, eda=4, acc=32, eeg=130),
        "remembering": _parts(
            {**shared, "frontend_version": 3, "token_s": 1.0},
            eda={"sampling_rate_hz": 4, "channels": ("left", "right")},
            temp=4,
            acc=20,
        ),
        "old": _parts({**shared, "frontend_version": 1}, eeg=128, ecg=130, ppg=64, eda=4, temp=4, acc=32),
    }


def _parts(shared: dict[str, Any], **rates: Any) -> dict[str, Any]:
    """Make the settings of a front end from rates, or from settings by modality."""
    given = {
        name: value if isinstance(value, dict) else {"sampling_rate_hz": value}
        for name, value in rates.items()
    }
    return {
        **shared,
        "modalities": {name: {"context_s": CONTEXT_S, **value} for name, value in given.items()},
    }


def _complete(front_end: FrontEnd, look_back_s: float) -> FrontEnd:
    count = front_end.n_features
    normalisation = Normalisation(
        mode="enrolment" if look_back_s else "running",
        mean=(0.5,) * count,
        std=(2.0,) * count,
        enrolment_s=4 * TOKEN_S,
        prior_tokens=5.0,
        look_back_s=look_back_s,
    )
    with_statistics = front_end.with_normalisation(normalisation)
    return with_statistics.with_quantisation(Quantisation(scale=0.04, zero_point=3))
