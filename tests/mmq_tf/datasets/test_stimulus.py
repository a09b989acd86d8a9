# SPDX-License-Identifier: Apache-2.0
"""What was shown, since when, and bodies that a stimulus stirs alike (SIMULATED)."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from mmq_tf.datasets.deap import CHANNELS
from mmq_tf.datasets.formats.folder import load_recording, save_recording
from mmq_tf.datasets.joystick import trials_of_ratings
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge import from_mne, to_mne
from mmq_tf.recording import Trial
from mmq_tf.simulation.layouts import deap as layout
from mmq_tf.simulation.layouts import deap_locked
from mmq_tf.simulation.layouts.cohort import write_layout
from mmq_tf.simulation.simulator import Settings, simulate


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
    assert from_mne(to_mne(recording)).trials[0].stimulus_s == 2.5


def test_a_stimulus_cannot_begin_after_its_trial():
    with pytest.raises(MMQError, match="stimulus_s must be a finite number of at least 0; got -1"):
        Trial(0, 5, {}, {}, "film", -1)


def test_a_digest_of_earlier_runs_does_not_change_with_the_offset():
    assert repr(Trial(0, 5, {}, {}, "film", 3.0)) == repr(Trial(0, 5, {}, {}, "film"))


def muscle_by_second(person: int, *, locked: bool) -> np.ndarray:
    """Logarithm of the zygomaticus' power, [40 videos, 60 s], from the video's beginning."""
    data = layout.preprocessed(5, person, locked=locked)[:, CHANNELS["emg"][0].start, 3 * 128 :]
    return np.log(data.reshape(40, 60, 128).var(axis=2))


@pytest.mark.slow
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


LEVEL = np.linspace(-1, 1, 40)


def test_what_a_video_adds_begins_with_it():
    adds = deap_locked.added_arousal(5, LEVEL)
    assert adds.shape == (40, deap_locked.STEPS)
    assert not adds[:, : deap_locked.ONSET].any()
    assert adds[:, deap_locked.ONSET :].std() > 0.3


def test_shared_sources_follow_the_video_and_ones_own_do_not():
    videos = [np.random.default_rng(person).permutation(40) for person in (0, 1)]
    courses = [deap_locked.source_courses(5, person, LEVEL, seen) for person, seen in enumerate(videos)]
    one, other = (
        course.reshape(len(course), 40, -1)[:, np.argsort(seen)]
        for course, seen in zip(courses, videos, strict=True)
    )
    shared = deap_locked.SHARED_SOURCES
    np.testing.assert_array_equal(one[:shared], other[:shared])
    assert not one[:shared, :, : deap_locked.ONSET].any()
    likeness = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one[shared:], other[shared:], strict=True)
    ]
    assert np.abs(likeness).max() < 0.4
    assert np.corrcoef(LEVEL, one[0].mean(axis=1))[0, 1] > 0.8
    assert one[shared:].std() > 2 * one[:shared].std()


def test_an_eeg_is_louder_where_a_pattern_lies_and_when_its_source_waxes():
    rng = np.random.default_rng(0)
    eeg = rng.normal(size=(4, 60 * 128)).astype(np.float32)
    courses = np.zeros((1, 240))
    calm = deap_locked.follow_sources(eeg, 128.0, courses, 5)
    courses[0, 120:] = 0.5
    stirred = deap_locked.follow_sources(eeg, 128.0, courses, 5)
    pattern = np.random.default_rng([5, 44]).normal(size=(4, 4, 1))[:, :, 0]
    for (low, high), gain in zip(pairwise(deap_locked.EDGES_HZ), pattern, strict=True):
        sos = butter(4, (low + 0.5, high - 0.5), "bandpass", fs=128, output="sos")
        before, after = (np.asarray(sosfiltfilt(sos, one))[:, 31 * 128 : 59 * 128] for one in (calm, stirred))
        np.testing.assert_allclose(np.log(after.std(axis=1) / before.std(axis=1)), 0.5 * gain, atol=0.05)
    np.testing.assert_allclose(stirred[:, : 29 * 128], calm[:, : 29 * 128], atol=1e-3)


def test_only_some_layouts_can_be_locked(tmp_path):
    with pytest.raises(MMQError, match="locked layout must be one of deap; got 'wesad'"):
        write_layout("wesad", tmp_path / "out", 1, 0, locked=True)
