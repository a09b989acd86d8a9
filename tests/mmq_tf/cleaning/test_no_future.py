# SPDX-License-Identifier: Apache-2.0
"""Filtering that needs the future exists in `mmq_tf.cleaning` alone and cannot enter a front end."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from scipy.signal import butter, sosfiltfilt

from mmq_tf.cleaning import fit_spatial_filter
from mmq_tf.recording import Signal

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {
    "mmq_tf": "mmq_tf",
    "mmq_export": "export/mmq_export",
    "mmq_bridge": "firmware_bridge/mmq_bridge",
}
"""Where each package lies."""
NEEDS_THE_FUTURE = {
    "filtfilt",
    "sosfiltfilt",
    "hilbert",
    "savgol_filter",
    "resample",
    "resample_poly",
    "decimate",
    "filter_data",
    "find_eog_events",
    "high_passed_for_fitting",
}
"""Calls that look at samples to come: two-pass and linear-phase filters, and FFTs over a whole recording."""


def sources(*packages):
    for package in packages:
        yield from sorted((ROOT / PACKAGES[package]).rglob("*.py"))


def future_calls(text):
    """Names of what is called, or imported, of `NEEDS_THE_FUTURE`; `phase="zero"`; MNE's own filters."""
    beside_mne = any(name.split(".")[0] == "mne" for name in imported(text))
    forbidden = NEEDS_THE_FUTURE | ({"filter", "notch_filter"} if beside_mne else set())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in forbidden:
                yield name
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg == "phase" and isinstance(value, ast.Constant) and "zero" in str(value.value):
                    yield f"phase={value.value}"
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in NEEDS_THE_FUTURE)


def imported(text):
    """Modules a source imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_files(name):
    package, *parts = name.split(".")
    base = ROOT / str(PACKAGES.get(package, package)) / Path(*parts)
    return [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]


def reachable(starts):
    """Modules of this project that some sources import, directly or through others."""
    seen, queue = set(), [(path.read_text("utf-8")) for path in starts]
    while queue:
        for name in imported(queue.pop()):
            if name.split(".")[0] in PACKAGES and name not in seen:
                seen.add(name)
                queue += [path.read_text("utf-8") for path in module_files(name)]
    return seen


@pytest.mark.slow
def test_only_cleaning_calls_what_needs_the_future():
    found = {path: list(future_calls(path.read_text("utf-8"))) for path in sources(*PACKAGES)}
    guilty = {path.relative_to(ROOT).as_posix() for path, calls in found.items() if calls}
    assert "mmq_tf/cleaning/zero_phase.py" in guilty
    elsewhere = {path for path in guilty if not path.startswith("mmq_tf/cleaning/")}
    assert elsewhere == {
        "firmware_bridge/mmq_bridge/front_end/resampling.py"
    }  # whole recordings: MNE, pretraining, Device.decide


def test_the_scan_finds_what_it_looks_for():
    text = "from scipy.signal import sosfiltfilt\ns.filtfilt(1)\nraw.filter(1, 2, phase='zero')\n"
    assert sorted(future_calls(text)) == ["filtfilt", "phase=zero", "sosfiltfilt"]
    assert list(future_calls("import mne\nraw.filter(1, 2)")) == ["filter"]
    assert list(future_calls("lfilter(b, a, x)")) == []


@pytest.mark.slow
def test_what_is_exported_cannot_reach_cleaning():
    assert "mmq_tf.cleaning" in reachable([ROOT / "mmq_tf" / "cli" / "clean.py"])
    found = reachable(sources("mmq_bridge", "mmq_export"))
    assert "mmq_bridge.core_binding.native" in found
    assert not [name for name in found if name.startswith("mmq_tf.cleaning")]


@pytest.mark.parametrize("setting", ["phase", "zero_phase", "filtfilt", "high_pass_hz", "taps", "method"])
def test_a_front_end_has_no_setting_for_it(setting):
    with pytest.raises(BridgeError, match="[Ee]xtra"):
        FrontEnd._build({"modalities": {"eeg": {"sampling_rate_hz": 128, setting: 1}}}, "front end")


RATES = {
    "eeg": 256,
    "eog": 128,
    "emg": 512,
    "ecg": 256,
    "ppg": 64,
    "eda": 8,
    "resp": 32,
    "temp": 4,
    "acc": 32,
}
TOKEN_S, SECONDS = 2.0, 24.0


@pytest.fixture(scope="module")
def front_end(cap):
    """Every modality, with notch, decimation and a fitted matrix."""
    matrix = fit_spatial_filter(cap.raw(), method="regression").filter
    eeg = {"channels": [*"abcdefghijklmnopq"], "spatial": matrix.model_dump(), "notch_hz": 50}
    parts = {name: {"sampling_rate_hz": rate} for name, rate in RATES.items()}
    parts["eeg"] |= eeg
    return FrontEnd._build({"modalities": parts, "token_s": TOKEN_S, "tokens": 4}, "front end")


def noise(front_end, rng):
    """SIMULATED: random samples around the middle of each modality's range, some of them lost."""
    signals = {}
    for name, modality in front_end.modalities.items():
        shape = (len(modality.channels), int(SECONDS * modality.sampling_rate_hz))
        middle = {"eda": 5.0, "temp": 33.0}.get(name, 0.0)
        samples = middle + rng.normal(size=shape).cumsum(axis=1) * 0.01 + rng.normal(size=shape)
        samples[:, rng.random(shape[1]) < 0.002] = np.nan
        signals[name] = Signal(
            name, samples.astype(np.float32), modality.sampling_rate_hz, modality.unit, modality.channels
        )
    return signals


def joined(first, second, at_s):
    """Samples of `first` up to a time, then those of `second`."""
    result = {}
    for name, signal in first.items():
        at = int(round(at_s * signal.sampling_rate_hz))
        samples = np.concatenate([signal.samples[:, :at], second[name].samples[:, at:]], axis=1)
        result[name] = Signal(name, samples, signal.sampling_rate_hz, signal.unit, signal.channels)
    return result


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), at=st.integers(1, 11))
def test_what_comes_later_changes_no_bit_of_what_was(front_end, seed, at):
    rng = np.random.default_rng(seed)
    past, future = noise(front_end, rng), noise(front_end, rng)
    one = extract_tokens(front_end, past)
    other = extract_tokens(front_end, joined(past, future, at * TOKEN_S))
    assert one.features[:at].tobytes() == other.features[:at].tobytes()
    assert one.presence[:at].tobytes() == other.presence[:at].tobytes()
    assert one.presence[:at].any()
    assert one.features[at:].tobytes() != other.features[at:].tobytes()


def test_a_zero_phase_filter_would_be_noticed(front_end):
    """The same comparison with such a filter before the bridge: the past changes."""
    rng = np.random.default_rng(0)
    past, future = noise(front_end, rng), noise(front_end, rng)
    sections = butter(2, 0.2, output="sos")

    def filtered(signals):
        signal = signals["acc"]
        samples = np.nan_to_num(signal.samples).astype(np.float64)
        smooth = sosfiltfilt(sections, samples, axis=1).astype(np.float32)
        return {"acc": Signal("acc", smooth, signal.sampling_rate_hz, signal.unit, signal.channels)}

    one = extract_tokens(front_end, filtered(past))
    other = extract_tokens(front_end, filtered(joined(past, future, 5 * TOKEN_S)))
    assert one.features[:5].tobytes() != other.features[:5].tobytes()
