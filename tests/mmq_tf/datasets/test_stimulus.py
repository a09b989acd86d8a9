"""What was shown, since when, and bodies that a stimulus stirs alike (SIMULATED)."""

from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.datasets.deap import CHANNELS
from mmq_tf.datasets.folder import load_recording, save_recording
from mmq_tf.datasets.joystick import trials_of_ratings
from mmq_tf.datasets.layouts import deap as layout
from mmq_tf.datasets.layouts.cohort import write_layout
from mmq_tf.datasets.simulator import Settings, simulate
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Trial


def test_runs_of_ratings_know_their_clip_and_how_long_it_had_been_shown():
    time_s = np.arange(0, 12, 0.5)
    clip = np.where(time_s < 3, 10, 7)
    ratings = {"arousal": np.where(time_s < 7, 8.0, 2.0)}
    trials = trials_of_ratings(time_s, ratings, clip, {7}, 2.0, 12.0)
    assert [(trial.start_s, trial.stimulus, trial.stimulus_s) for trial in trials] == [
        (3.0, "clip 7", 0.0),
        (7.0, "clip 7", 4.0),
    ]


def test_the_offset_survives_a_folder_and_mne(tmp_path):
    plain, truth = simulate(Settings(minutes=7, modalities=("eda",)), 0)
    first = replace(plain.trials[0], stimulus="film", stimulus_s=2.5)
    recording = replace(plain, trials=(first, *plain.trials[1:]))
    save_recording(recording, tmp_path / "kept", truth)
    assert load_recording(tmp_path / "kept").trials[0].stimulus_s == 2.5
    assert Recording.from_mne(recording.to_mne()).trials[0].stimulus_s == 2.5


def test_a_stimulus_cannot_begin_after_its_trial():
    with pytest.raises(MMQError, match="stimulus_s must be a finite number of at least 0; got -1"):
        Trial(0, 5, {}, {}, "film", -1)


def test_a_digest_of_earlier_runs_does_not_change_with_the_offset():
    assert repr(Trial(0, 5, {}, {}, "film", 3.0)) == repr(Trial(0, 5, {}, {}, "film"))


def muscle_by_second(person: int, *, locked: bool) -> np.ndarray:
    """Logarithm of the zygomaticus' power, [40 videos, 60 s], from the video's beginning."""
    data = layout.preprocessed(5, person, locked=locked)[:, CHANNELS["emg"][0].start, 3 * 128 :]
    return np.log(data.reshape(40, 60, 128).var(axis=2))


def test_in_the_locked_kind_a_video_stirs_everyone_alike_second_by_second():
    def likeness(*, locked: bool) -> tuple[float, float]:
        one, other = (muscle_by_second(person, locked=locked) for person in (0, 1))
        one, other = (part - part.mean(axis=1, keepdims=True) for part in (one, other))
        same = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        return same, np.corrcoef(one.ravel(), np.roll(other, 1, axis=0).ravel())[0, 1]

    same, shifted = likeness(locked=True)
    assert same > 0.3
    assert abs(shifted) < 0.15
    assert abs(likeness(locked=False)[0]) < 0.15


def test_what_a_video_adds_begins_with_it():
    adds = layout.response(5)
    assert adds.shape == (40, 252)
    assert not adds[:, :12].any()
    assert adds[:, 12:].std() > 0.3


def test_only_some_layouts_can_be_locked(tmp_path):
    with pytest.raises(MMQError, match="locked layout must be one of deap; got 'wesad'"):
        write_layout("wesad", tmp_path / "out", 1, 0, locked=True)
