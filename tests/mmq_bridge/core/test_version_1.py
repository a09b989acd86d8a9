# SPDX-License-Identifier: Apache-2.0
"""Front ends of version 1 keep their digest, their rules and their features."""

import ctypes
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.core_binding.spec_struct import SpecTables, modality_values
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.settings import NEW_IN_VERSION_2

KEPT = json.loads((Path(__file__).parent / "version_1.json").read_text("utf-8"))
RATES = {"eeg": 250.0, "ecg": 250.0, "ppg": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
WRIST = {"ppg": 64, "eda": 4, "temp": 4, "acc": 32}
BAD_SPEC, NEWER_SPEC = 2, 11


def formula(name: str, rate_hz: float) -> np.ndarray:
    """A minute of one modality without random numbers, the same in every NumPy."""
    t = np.arange(int(60 * rate_hz)) / rate_hz
    beats = 0.4 + 0.8 * np.arange(80) + 0.04 * np.sin(1.7 * np.arange(80))
    ripple = np.sin(2 * np.pi * 0.31 * rate_hz * t) + np.sin(2 * np.pi * 0.173 * rate_hz * t + 1.0)
    if name == "eeg":
        low = [20 * np.sin(2 * np.pi * f * t + f) for f in (2.3, 6.1, 10.2, 21.7, 38.3)]
        return np.array([sum(low) + 3 * ripple, sum(low[::2]) + 5 * ripple])
    if name == "ecg":
        return np.exp(-0.5 * ((t[:, None] - beats) / 0.012) ** 2).sum(axis=1)[None] + 0.01 * ripple
    if name == "ppg":
        return 50 * np.exp(-0.5 * ((t[:, None] - beats) / 0.1) ** 2).sum(axis=1)[None] + 0.3 * ripple
    if name == "eda":
        return 2 + 0.3 * np.exp(-0.5 * ((t[:, None] - np.arange(7, 60, 11.0)) / 2) ** 2).sum(axis=1)[None]
    if name == "temp":
        return (33 + 0.001 * t + 0.01 * ripple)[None]
    axes = [np.sin(0.5 * t), np.cos(0.3 * t), 2 + np.sin(2 * np.pi * 1.1 * t)]
    return 0.3 * np.array(axes) + 0.02 * ripple


@pytest.mark.parametrize("name", KEPT["digests"])
def test_digests_stay_what_they_were(name: str) -> None:
    case = KEPT["digests"][name]
    front_end = FrontEnd.model_validate(case["settings"] | {"frontend_version": 1})
    assert front_end.digest() == case["digest"]
    assert FrontEnd.from_json(front_end.to_json()).digest() == case["digest"]


def test_a_version_1_file_is_written_as_version_1() -> None:
    front_end = FrontEnd.wearable(RATES, frontend_version=1)
    assert not [key for key in NEW_IN_VERSION_2 if f'"{key}"' in front_end.to_json()]
    assert FrontEnd.from_json(front_end.to_json()) == front_end
    assert front_end.digest() != FrontEnd.wearable(RATES).digest()


def test_a_version_1_file_gets_no_new_rule() -> None:
    for name, modality in FrontEnd.wearable(RATES, frontend_version=1).modalities.items():
        values = modality_values(name, modality, 5.0)
        for key in ("max_step", "max_bad_share", "min_deviation", "max_deviation", "min_kurtosis"):
            assert values[key] == 0, (name, key)
        assert values["min_band_share"] == values["min_regularity"] == 0
        assert modality.max_flat_s == {"eeg": 2, "ecg": 2, "ppg": 1}.get(name, 0)


@pytest.mark.parametrize("name", RATES)
def test_features_stay_what_they_were(made: SimpleNamespace, name: str) -> None:
    """The whole minute's last three tokens, as the core of version 1 computed them."""
    front_end = FrontEnd.wearable(
        {name: RATES[name]}, {"eeg": ("Fz", "Cz")} if name == "eeg" else None, frontend_version=1
    )
    signal = made.Plain(formula(name, RATES[name]).astype(np.float32), RATES[name])
    stream = extract_tokens(front_end, {name: signal})
    kept = KEPT["features"][name]
    assert stream.presence.all()
    assert list(front_end.feature_names) == kept["names"]
    got = stream.features[-3:].astype(np.float64)
    np.testing.assert_allclose(got, np.array(kept["values"], np.float64), rtol=1e-5, atol=2e-4)


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        ({"eog": {"sampling_rate_hz": 128}}, "eog"),
        ({"resp": {"sampling_rate_hz": 32}}, "resp"),
        ({"eeg": {"sampling_rate_hz": 250, "notch_hz": 50}}, "eeg has notch_hz"),
        ({"ppg": {"sampling_rate_hz": 64, "channels": ["a", "b"]}}, "1 channel"),
        ({"acc": {"sampling_rate_hz": 32, "channels": list("abcdef")}}, "3 channel"),
        ({"eda": {"sampling_rate_hz": 64, "decimate": 16}}, "decimate"),
    ],
)
def test_version_1_cannot_have_what_it_never_had(modalities: dict, message: str) -> None:
    text = json.dumps({"frontend_version": 1, "modalities": modalities})
    with pytest.raises(BridgeError, match=message):
        FrontEnd.from_json(text)


@pytest.mark.parametrize("version", [4, 5, 100])
def test_a_newer_file_is_refused_by_name(version: int) -> None:
    text = json.dumps({"frontend_version": version, "modalities": {"sweat": {"new": 1}}, "novel": True})
    with pytest.raises(BridgeError, match=f"written by a newer mmq-tf.*{version}.*update mmq-tf"):
        FrontEnd.from_json(text, "frontend.json")


def test_the_core_refuses_a_newer_spec_by_name() -> None:
    core, tables = library(), SpecTables(FrontEnd.wearable(WRIST))
    memory = (ctypes.c_uint64 * (core.mmq_bridge_size(ctypes.byref(tables.spec)) // 8 + 1))()
    bridge = ctypes.c_void_p()
    arguments = (memory, ctypes.sizeof(memory), ctypes.byref(tables.spec), ctypes.byref(bridge))
    for version, status in ((1, 0), (2, 0), (3, 0), (4, NEWER_SPEC), (2**32 - 1, NEWER_SPEC), (0, BAD_SPEC)):
        tables.spec.version = version
        assert core.mmq_bridge_init(*arguments) == status
        assert (bridge.value is None) == (status != 0)
    assert b"newer" in core.mmq_status_sentence(NEWER_SPEC)
