# SPDX-License-Identifier: Apache-2.0
"""`Device.decide`: whole arrays in, the decisions of the stream out, or one sentence why not."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.decision.decisions import Decisions
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import steps
from mmq_bridge.decision.whole_recordings import whole_signals
from mmq_bridge.errors import BridgeError, BridgeWarning

SECONDS = 150.0


@pytest.fixture(scope="module")
def device(tiny_bundle):
    return Device.from_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def worn(tiny):
    return tiny.signals(SECONDS)


def plain(signals):
    return {name: (signal.samples, signal.sampling_rate_hz) for name, signal in signals.items()}


def streamed(device, signals):
    """What `mmq-tf stream` does."""
    fresh = Device(device.front_end, device.model, device.decision)
    said = []
    for now_s, chunks in steps(signals, 1.0):
        for chunk in chunks:
            said += fresh.push(*chunk)
        said += fresh.advance(now_s - device.front_end.grace_s)
    return said


def test_a_recording_is_decided_as_it_would_be_streamed(device, worn):
    said = device.decide(SimpleNamespace(signals=worn))
    assert isinstance(said, Decisions)
    assert said == streamed(device, worn)
    assert said == device.decide(worn)
    assert sum(bool(decision.probabilities) for decision in said) == 15


def test_plain_arrays_of_every_number_type_and_shape(device, worn):
    arrays = plain(worn)
    wanted = device.decide(arrays)
    one_row = {n: (s[0] if len(s) == 1 else s.astype(np.float64), r) for n, (s, r) in arrays.items()}
    assert device.decide(one_row) == wanted
    whole = {**arrays, "ppg": (np.rint(arrays["ppg"][0] * 10).astype(np.int16), 64)}
    assert device.decide(whole)[-1].probabilities


def test_each_call_begins_anew_and_leaves_what_was_pushed(device, worn):
    first = device.decide(worn)
    assert device.decide(worn) == first
    assert device.advance(5.0) == Device(device.front_end, device.model, device.decision).advance(5.0)


def test_a_missing_sensor_is_silent_not_invented(device, worn):
    arrays = plain(worn)
    del arrays["eda"]
    said = device.decide(arrays)
    assert {decision.sensors["eda"] for decision in said} == {0.0}
    assert said[-1].probabilities


def test_another_rate_is_resampled_with_a_warning_and_never_taken_for_the_models(device, worn):
    t = np.arange(round(256 * SECONDS)) / 256
    pulse = 50 * np.sin(2 * np.pi * 1.2 * t) + 20 * np.sin(2 * np.pi * 2.4 * t)
    arrays = plain(worn) | {"ppg": (pulse, 256)}
    with pytest.warns(UserWarning, match="ppg: resampled from 256 Hz to the model's 64 Hz"):
        fast = device.decide(arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = device.decide(plain(worn) | {"ppg": (pulse[::4], 64)})
    for one, other in zip(fast[15:], same[15:], strict=True):
        assert one.probabilities["stress"]["stress"] == pytest.approx(
            other.probabilities["stress"]["stress"], abs=0.1
        )


def test_lost_samples_stay_lost_through_resampling(device):
    samples = np.sin(np.arange(150 * 8) / 9.0)
    samples[400:480] = np.nan
    samples[700] = np.inf
    with pytest.warns(UserWarning, match="eda: resampled from 8 Hz"):
        signal = whole_signals(device.front_end, {"eda": (samples, 8)})["eda"]
    lost = np.isnan(signal.samples[0])
    assert lost[201:239].all()
    assert lost[350]
    assert lost.sum() < 45


def test_a_modality_the_model_does_not_know_is_named_and_ignored(device, worn):
    arrays = plain(worn) | {"eeg": (np.zeros((19, 150 * 128)), 128)}
    with pytest.warns(UserWarning, match="ignored eeg: the model knows ppg, eda, temp, acc"):
        assert device.decide(arrays) == device.decide(plain(worn))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ppg": np.zeros(9600)}, r"ppg: expected \(samples, rate_hz\), got ndarray; the rate cannot be"),
        ({"ppg": (np.zeros(9600), None)}, "ppg: expected its sampling rate in Hz, above 0, got None"),
        ({"ppg": (np.zeros(9600), 0)}, "ppg: expected its sampling rate"),
        ({"ppg": (np.zeros(9600), -64.0)}, "ppg: expected its sampling rate"),
        ({"ppg": (np.zeros(9600), float("nan"))}, "ppg: expected its sampling rate"),
        ({"ppg": (np.zeros(9600), "64 Hz")}, "ppg: rate_hz: expected a number"),
        ({"ppg": (np.zeros((2, 9600)), 64)}, r"ppg: expected samples \[1, n\], got shape \[2, 9600\]"),
        ({"acc": (np.zeros((4800, 3)), 32)}, r"acc: expected samples \[3, n\], .*; transpose them"),
        ({"ppg": ([[1.0, 2.0], [3.0]], 64)}, "ppg: expected numbers .* uneven"),
        ({"ppg": (["a", "b"], 64)}, "ppg: expected numbers"),
        ({"ppg": (np.ones(9600, bool), 64)}, "ppg: expected numbers .* bool"),
        ({"ppg": (np.zeros(9600, complex), 64)}, "ppg: expected numbers"),
        ({"ppg": (np.zeros(0), 64)}, r"ppg: expected samples \[1, n\]"),
        (
            {"ppg": (np.zeros(9600), 4)},
            "eda lasts 150 s at 4 Hz, but ppg lasts 2400 s at 4 Hz; correct",
        ),
        ({"eda": (np.zeros(9600), 4)}, "but eda lasts 2400 s at 4 Hz"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_sentence(device, worn, change, words):
    with pytest.raises(BridgeError, match=words):
        device.decide(plain(worn) | change)


@pytest.mark.parametrize("recording", [None, 3, "P001", np.zeros(100), [1, 2], {}, {"eeg": (np.zeros(9), 9)}])
def test_what_is_no_recording_is_refused(device, recording):
    with pytest.raises(BridgeError, match="recording: expected"):
        device.decide(recording)


def test_a_rate_so_low_that_memory_would_run_out_is_refused(device):
    with pytest.raises(BridgeError, match="ppg: .* check the rate"):
        device.decide({"ppg": (np.zeros(9600), 1e-6)})


@pytest.mark.parametrize("seconds", [1, 59, 79])
def test_too_short_says_how_long_it_must_be(device, tiny, seconds):
    words = rf"{seconds} s are too short .* enrolment takes 60 s, the first window 20 s, so .* 80 s"
    with pytest.raises(BridgeError, match=words):
        device.decide(plain(tiny.signals(float(seconds))))


@pytest.mark.parametrize("seconds", [82, 900, 3600])
def test_any_length_that_is_enough(device, tiny, seconds):
    said = device.decide(tiny.signals(float(seconds)))
    assert said[-1].time_s >= 80.0
    assert said[-1].time_s > seconds - 10
    assert said[-1].probabilities


def test_what_convert_knows_becomes_a_recording(tiny_bundle, worn):
    device = Device.from_bundle(tiny_bundle, convert=lambda given: worn if given == "mine" else given)
    assert device.decide("mine") == device.decide(worn)


def test_the_table_has_a_column_per_task_class_and_modality(device, worn):
    frame = device.decide(worn).to_frame()
    assert list(frame["time_s"]) == [5.0 * k for k in range(1, 31)]
    assert set(frame["stress"].dropna()) <= {"rest", "stress"}
    assert frame["p_stress_rest"].isna().sum() == 15
    assert {"used_ppg", "used_eda", "used_temp", "used_acc", "abstained", "reason"} <= set(frame.columns)


def test_without_scipy_equal_rates_are_decided_and_others_refused():
    code = """
import sys
sys.modules["scipy"] = None
import numpy as np
from mmq_bridge.decision.whole_recordings import whole_signals
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.front_end.front_end import FrontEnd
from types import SimpleNamespace
eda = SimpleNamespace(channels=("eda",), sampling_rate_hz=4.0)
front_end = SimpleNamespace(modality_names=("eda",), modalities={"eda": eda})
assert whole_signals(front_end, {"eda": (np.zeros(40), 4)})["eda"].samples.shape == (1, 40)
try:
    whole_signals(front_end, {"eda": (np.zeros(40), 8)})
except BridgeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert "resampling needs SciPy: run `pip install scipy`" in done.stdout, done.stderr


def test_a_shorter_enrolment_is_warned_of_and_decides_earlier(tiny_bundle, worn):
    with pytest.warns(BridgeWarning, match=r"^enrolment: 20 s, but the model was trained with 60 s: "):
        device = Device.from_bundle(tiny_bundle, enrolment_s=20)
    said = device.decide(worn)
    assert [decision.reason for decision in said[2:5]] == [
        "enrolling (3 of 4 tokens measured)",
        "filling the first window (20 s left)",
        "filling the first window (15 s left)",
    ]
    assert said[7].probabilities


def test_the_models_own_enrolment_is_no_shorter_one(tiny_bundle, device, worn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = Device.from_bundle(tiny_bundle, enrolment_s=60)
    assert same.front_end == device.front_end


@pytest.mark.parametrize("enrolment_s", [-1, 0, 14.9, 60.1, 600, float("nan"), float("inf")])
def test_an_enrolment_that_is_too_short_or_longer_than_the_models_is_refused(tiny_bundle, enrolment_s):
    with pytest.raises(BridgeError, match=r"^enrolment: expected 15 to 60 s, .* trained with 60 s, got "):
        Device.from_bundle(tiny_bundle, enrolment_s=enrolment_s)


def test_the_shortest_enrolment_is_what_the_population_counts_or_a_quarter(tiny):
    assert tiny.front_end(enrolment_s=60.0).least_enrolment_s == 15
    assert tiny.front_end(enrolment_s=540.0).least_enrolment_s == 60
    assert tiny.front_end(enrolment_s=5.0).least_enrolment_s == 5
    assert tiny.front_end("running").least_enrolment_s == 0
    with pytest.raises(BridgeError, match="this model has none"):
        tiny.front_end("running").with_shorter_enrolment(10)
