# SPDX-License-Identifier: Apache-2.0
"""Windows as MNE epochs: the samples at the windows' places, with label, subject and presence."""

import builtins
from dataclasses import replace

import mne
import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.windows import Stream, build_windows
from mmq_tf.recording import Recording, Signal, Trial

FRONT_END = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=4)
CLASSES = ("rest", "stress")


def person(subject, start_s=0.0):
    """EDA that counts its own samples in nS, and temperature, lost from 30 to 50 s; 100 s long."""
    eda = np.arange(1.0, 401, dtype=np.float32)[None] / 1000 + 1
    temp = (30 + 0.1 * np.sin(np.arange(400))).astype(np.float32)[None]
    temp[:, 120:200] = np.nan
    signals = {
        "eda": Signal("eda", eda, 4.0, "uS", ("eda",), start_s),
        "temp": Signal("temp", temp, 4.0, "degC", ("skin",)),
    }
    trials = (Trial(0, 50, {"stress": "rest"}), Trial(50, 100, {"stress": "stress"}))
    return Recording(subject, "1", signals, trials, "made up", digest=subject)


def windows_of(*people):
    streams = []
    for one in people:
        tokens = extract_tokens(FRONT_END, one.signals)
        streams.append(Stream(one.subject, "1", tokens.features, tokens.presence, one.trials, FRONT_END))
    norm = fit_normalisation(streams, NormalisationConfig(), FRONT_END.token_s)
    fitted = FRONT_END.with_normalisation(norm)
    return build_windows(streams, fitted, "stress", CLASSES, 10.0)


@pytest.fixture(scope="module")
def people():
    return person("a"), person("b")


@pytest.fixture(scope="module")
def windows(people):
    return windows_of(*people)


def test_an_epoch_holds_the_samples_of_its_window(people, windows):
    epochs = windows.to_epochs(people, FRONT_END, "eda", CLASSES)
    assert len(epochs) == len(windows) == 16
    assert epochs.get_data().shape == (16, 1, 80)
    assert epochs.times[0] == 0
    assert epochs.times[-1] == 20 - 1 / 4
    assert epochs.get_channel_types() == ["gsr"]
    for row, start in enumerate(windows.start_s):
        wanted = people[0].signals["eda"].samples[0, int(4 * start) : int(4 * start) + 80]
        np.testing.assert_allclose(epochs.get_data()[row, 0], wanted.astype(float) * 1e-6, rtol=1e-12)


def test_labels_are_event_ids_and_the_metadata_say_whose_it_is(people, windows):
    epochs = windows.to_epochs(iter(people), FRONT_END, "temp", CLASSES)
    assert epochs.event_id == {"rest": 1, "stress": 2}
    assert len(epochs["stress"]) == 8
    assert set(epochs["subject == 'b' and trial == 1"].metadata["label"]) == {"stress"}
    assert epochs.metadata["start_s"].tolist() == windows.start_s.tolist()
    lost = np.isnan(epochs.get_data()[:, 0])
    at_20 = int(np.flatnonzero(windows.start_s == 20)[0])
    assert lost[at_20].tolist() == [False] * 40 + [True] * 40
    assert epochs.metadata["present_temp"][at_20] == 0.5
    assert epochs.metadata["present_eda"].tolist() == [1.0] * 16


def test_what_lies_outside_a_signal_is_lost():
    late = person("a", start_s=3.0)
    windows = windows_of(late)
    first = windows.to_epochs([late], FRONT_END, "eda", CLASSES).get_data()[0, 0]
    assert np.isnan(first[:12]).all()
    np.testing.assert_allclose(first[12:], (np.arange(1, 69) / 1000 + 1) * 1e-6, rtol=1e-6)


def test_one_class_alone_is_no_error(people, windows):
    epochs = windows.take(np.flatnonzero(windows.label == 1)).to_epochs(people, FRONT_END, "eda", CLASSES)
    assert epochs.event_id == {"stress": 2}


def test_mne_can_work_with_them(people, windows):
    epochs = windows.to_epochs(people, FRONT_END, "eda", CLASSES)
    assert isinstance(epochs["rest"].average(picks="all"), mne.Evoked)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, b: [a], "missing b"),
        (lambda a, b: [a, replace(b, signals={"temp": b.signals["temp"]})], "recording of b has no eda"),
        (
            lambda a, b: [a, replace(b, signals={"eda": replace(b.signals["eda"], unit="nS")})],
            "the same unit; b has 'nS', the first one 'uS'",
        ),
    ],
)
def test_recordings_that_do_not_fit_are_refused(people, windows, change, words):
    with pytest.raises(MMQError, match=words):
        windows.to_epochs(change(*people), FRONT_END, "eda", CLASSES)


def test_labels_without_a_class_are_refused(people, windows):
    with pytest.raises(MMQError, match=r"labels 0 to 0 for the classes rest; got 16 windows with \[0, 1\]"):
        windows.to_epochs(people, FRONT_END, "eda", CLASSES[:1])


def test_epochs_beyond_all_memory_are_refused(people, windows):
    long = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=60.0, tokens=512)
    fast = tuple(
        replace(one, signals={"eda": replace(one.signals["eda"], sampling_rate_hz=1e4)}, trials=())
        for one in people
    )
    with pytest.raises(MMQError, match="need more than 8 GiB; take fewer windows"):
        windows.to_epochs(fast, long, "eda", CLASSES)


def test_without_pandas_it_says_so(people, windows, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MMQError, match="need pandas: install it"):
        windows.to_epochs(people, FRONT_END, "eda", CLASSES)
