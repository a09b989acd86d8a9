# SPDX-License-Identifier: Apache-2.0
"""Filter coefficients that travel with a front end: the same bits, the same digest, no others accepted."""

import json

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end import filter_design
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modalities import WAVE_MODALITIES
from scipy import signal

RATES_HZ = {
    "eeg": 250, "ecg": 250, "ppg": 64, "eda": 4, "temp": 4, "acc": 32, "eog": 256, "emg": 1000, "resp": 32,
}  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2])
def plain(request):
    """A front end with every modality, notches where it may have them."""
    if request.param == 1:
        known = {name: RATES_HZ[name] for name in ("eeg", "ecg", "ppg", "eda", "temp", "acc")}
        return FrontEnd.wearable(known, frontend_version=1)
    bare = FrontEnd.wearable(RATES_HZ)
    parts = {name: dict(modality) for name, modality in bare.modalities.items()}
    for name in ("eeg", "emg"):
        parts[name]["notch_hz"] = 50
    return FrontEnd.model_validate({**dict(bare), "modalities": parts})


def content_of(front_end):
    return json.loads(front_end.to_json())


def read(content):
    return FrontEnd.from_json(json.dumps(content), "frontend.json")


def test_json_keeps_every_bit_and_the_digest(plain):
    carrying = plain.with_filters()
    waves = {name for name in plain.modality_names if name in WAVE_MODALITIES}
    assert {name for name, m in carrying.modalities.items() if m.filters} == waves
    assert carrying.digest() == plain.digest()
    again = FrontEnd.from_json(carrying.to_json())
    assert again == carrying
    for name in waves:
        stored = filter_design.filter_tables(name, again.modalities[name])
        designed = filter_design.filter_tables(name, plain.modalities[name])
        for here, there in zip(stored, designed, strict=True):
            assert here.dtype == there.dtype == np.float32
            assert here.shape == there.shape
            assert here.tobytes() == there.tobytes()


def test_without_coefficients_the_file_is_as_before(plain):
    assert '"filters"' not in plain.to_json()
    assert plain.with_filters().without_filters() == plain


def test_the_core_is_told_the_same(plain):
    assert spec_header(plain.with_filters()) == spec_header(plain)


def test_the_core_computes_the_same(tiny):
    end, worn = tiny.front_end(), tiny.signals(60.0)
    plain, carrying = (extract_tokens(one, worn) for one in (end, end.with_filters()))
    for name, values in vars(plain).items():
        assert values.tobytes() == getattr(carrying, name).tobytes()


def test_stored_coefficients_need_no_design(plain, monkeypatch):
    def unavailable():
        raise AssertionError("SciPy was asked")

    carrying = plain.with_filters()
    monkeypatch.setattr(filter_design, "_scipy_signal", unavailable)
    assert spec_header(carrying)
    with pytest.raises(AssertionError, match="SciPy was asked"):
        spec_header(plain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f["bank"][0].__setitem__(0, float("nan")), r"eeg\.filters\.bank\.0.*finite"),
        (lambda f: f["bank"].pop(), r"eeg\.filters\.bank needs 5 rows, got 4"),
        (
            lambda f: f["prefilter"].append([1.0, 0.0, 0.0, 0.0, 0.0]),
            "prefilter needs \\d rows",
        ),
        (lambda f: f["bank"][0].pop(), r"eeg\.filters\.bank\.0"),
        (lambda f: f["bank"][0].__setitem__(2, 1.5), r"bank row 0 is no stable filter"),
        (lambda f: f["bank"][1].__setitem__(4, -1.0), r"bank row 1 is no stable filter"),
        (lambda f: f["prefilter"][0].__setitem__(3, 4.0), r"prefilter row 0 is no stable filter"),
        (lambda f: f["bank"][0].__setitem__(0, 0.1), r"bank row 0 must be float32 numbers"),
        (lambda f: f["bank"][0].__setitem__(0, 1e300), r"bank row 0 must be float32 numbers"),
        (lambda f: f.__setitem__("designed_for", "0" * 64), r"eeg\.filters were designed for other settings"),
        (lambda f: f.__setitem__("more", 1), r"eeg\.filters\.more"),
    ],
)
def test_impossible_coefficients_are_refused_by_name(plain, change, said):
    content = content_of(plain.with_filters())
    change(content["modalities"]["eeg"]["filters"])
    with pytest.raises(BridgeError, match=said):
        read(content)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m["bands"][0].__setitem__("low_hz", 2.0),
        lambda m: m.__setitem__("sampling_rate_hz", 251.0),
    ],
)
def test_settings_edited_afterwards_are_noticed(plain, edit):
    content = content_of(plain.with_filters())
    edit(content["modalities"]["eeg"])
    with pytest.raises(BridgeError, match="eeg.filters were designed for other settings: leave filters out"):
        read(content)
    del content["modalities"]["eeg"]["filters"]
    assert read(content).modalities["eeg"].filters is None


def test_a_modality_without_filters_takes_none(plain):
    content = content_of(plain.with_filters())
    content["modalities"]["eda"]["filters"] = content["modalities"]["ecg"]["filters"]
    with pytest.raises(BridgeError, match="filters is only for eeg"):
        read(content)


def test_a_filter_that_float32_makes_unstable_is_named():
    bands = ({"name": "narrow", "low_hz": 1.0, "high_hz": 1.000001},)
    parts = {"eeg": {"sampling_rate_hz": 4000, "decimate": 1, "bands": bands}}
    end = FrontEnd.model_validate({"modalities": parts})
    with pytest.raises(BridgeError, match="front end: eeg: bank row 0 is no stable filter"):
        end.with_filters()


@pytest.mark.parametrize("size", [8, 15, 64, 100, 256, 479, 1024])
def test_the_window_is_that_of_scipy(size):
    wanted = np.asarray(signal.get_window("hann", size), np.float32)
    assert filter_design.hann(size).tobytes() == wanted.tobytes()
