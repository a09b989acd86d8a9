# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.modalities import MODALITIES
from mmq_bridge.recordings.recording import Recording, Signal, Trial


def signal(modality="ppg", n=640, rate=64.0, **settings):
    samples = np.zeros((1, n), np.float32)
    return Signal(
        modality,
        **{"samples": samples, "sampling_rate_hz": rate, "unit": "a.u.", "channels": ("x",)} | settings,
    )


def recording(**settings):
    return Recording(**{"subject": "S1", "session": "1", "signals": {"ppg": signal()}} | settings)


def test_a_signal_knows_its_times():
    made = signal(start_s=2.0)
    assert made.duration_s == 10.0
    assert made.stop_s == 12.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"modality": "gsr"}, "modality must be one of"),
        ({"samples": np.zeros((1, 4))}, "float64"),
        ({"samples": np.zeros(4, np.float32)}, r"got float32 \[4\]"),
        ({"samples": np.zeros((1, 0), np.float32)}, "at least one channel and one sample"),
        ({"samples": [[0.0]]}, "got list"),
        ({"samples": np.array([[0, np.inf]], np.float32)}, "infinity at sample 1"),
        ({"sampling_rate_hz": 0}, "got 0"),
        ({"sampling_rate_hz": -4.0}, "got -4.0"),
        ({"sampling_rate_hz": float("nan")}, "got nan"),
        ({"sampling_rate_hz": 1e9}, "at most"),
        ({"sampling_rate_hz": "64"}, "got '64'"),
        ({"start_s": float("nan")}, "start_s must be a finite number"),
        ({"unit": ""}, "unit"),
        ({"channels": ("a", "b")}, "1 different channel names"),
        ({"channels": ("a", "a"), "samples": np.zeros((2, 4), np.float32)}, "2 different channel names"),
    ],
)
def test_a_signal_refuses(settings, words):
    with pytest.raises(BridgeError, match=words):
        signal(**settings)


@pytest.mark.parametrize(
    ("start", "stop"), [(2.0, 2.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)]
)
def test_a_trial_needs_time(start, stop):
    with pytest.raises(BridgeError, match="start_s < stop_s"):
        Trial(start, stop, {"stress": "rest"})


@pytest.mark.parametrize("labels", [{"stress": 0}, {"": "rest"}, {"stress": ""}])
def test_a_trial_needs_class_names(labels):
    with pytest.raises(BridgeError, match="labels must map"):
        Trial(0.0, 1.0, labels)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subject": " "}, "subject must be"),
        ({"session": ""}, "session must be"),
        ({"signals": {}}, "at least one signal"),
        ({"signals": {"eda": signal()}}, "must be a Signal of that modality"),
        ({"signals": {"ppg": signal(start_s=-1.0)}}, "must not start before"),
        ({"trials": (Trial(5.0, 10.1, {}),)}, "inside the recording, 0 to 10 s; got 5 to 10.1"),
        ({"trials": (Trial(-1.0, 5.0, {}),)}, "inside the recording"),
        ({"trials": (Trial(0.0, 5.0, {}), Trial(4.0, 6.0, {}))}, "trial 1 starts at 4 s, before 5 s"),
        ({"signals": {"ppg": signal(rate=1e-6)}}, "at most 14 days"),
    ],
)
def test_a_recording_refuses(settings, words):
    with pytest.raises(BridgeError, match=words):
        recording(**settings)


def test_a_recording_orders_its_signals_and_ends_with_the_last():
    made = recording(signals={"acc": signal("acc", start_s=1.0), "eeg": signal("eeg"), "eda": signal("eda")})
    assert made.modalities == ("eeg", "eda", "acc")
    assert made.modalities == tuple(name for name in MODALITIES if name in made.signals)
    assert made.duration_s == 11.0
    assert recording(trials=(Trial(0.0, 10.0, {"a": "b"}),)).trials[0].labels == {"a": "b"}


def test_a_recording_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording().subject = "S2"  # type: ignore[misc]
