# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.preset_files import preset_names
from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Corrupted, Stream, build_windows, window_starts
from mmq_tf.recording import Trial

FRONT_END = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=4)
CLASSES = ("rest", "stress")


def _trial(start_s, stop_s, label):
    return Trial(start_s, stop_s, {"stress": label})


def _stream(subject, trials, tokens=60, offset=0.0, front_end=FRONT_END, seed=0):
    rng = np.random.default_rng(seed)
    features = (rng.standard_normal((tokens, front_end.n_features)) + offset).astype(np.float32)
    presence = np.ones((tokens, len(front_end.modality_names)), dtype=bool)
    return Stream(subject, "1", features, presence, tuple(trials), front_end)


def _fitted(streams, **settings):
    normalisation = fit_normalisation(streams, NormalisationConfig(**settings), FRONT_END.token_s)
    return FRONT_END.with_normalisation(normalisation)


def test_windows_lie_inside_one_trial_and_start_on_whole_tokens():
    trials = (_trial(2.0, 41.0, "rest"), _trial(41.0, 300.0, "stress"))
    table = window_starts(trials, FRONT_END, 10.0, 60)
    assert table[:, 0].tolist() == [1, 3, *range(9, 57, 2)]
    for start, trial in table:
        assert trials[trial].start_s <= start * 5.0
        assert (start + 4) * 5.0 <= trials[trial].stop_s


def test_a_trial_shorter_than_a_window_gives_none():
    assert window_starts((_trial(0, 19.9, "rest"),), FRONT_END, 5.0, 60).shape == (0, 2)


def test_windows_inside_the_enrolment_are_left_out():
    front_end = _fitted([_stream("a", [])], mode="enrolment", enrolment_s=100.0)
    table = window_starts((_trial(0, 300, "rest"),), front_end, 5.0, 60)
    assert table[:, 0].min() == 20


def test_build_windows_gathers_labels_and_normalised_tokens():
    streams = [
        _stream("a", [_trial(0, 150, "rest"), _trial(150, 300, "stress")]),
        _stream("b", [_trial(0, 300, "rest")]),
    ]
    front_end = _fitted(streams)
    windows = build_windows(streams, front_end, "stress", CLASSES, 20.0)
    assert windows.features.shape == (len(windows), 4, front_end.n_features)
    assert windows.presence.all()
    assert set(windows.subject) == {"a", "b"}
    assert windows.label[windows.start_s >= 150].max() == 1
    norm = front_end.normalisation
    assert norm is not None
    expected = np.clip(
        (streams[0].features[:4] - np.array(norm.mean, np.float32)) / np.array(norm.std, np.float32), -5, 5
    )
    np.testing.assert_allclose(windows.features[0], expected, atol=1e-5)


def test_no_labelled_trial_is_an_error_that_says_what_to_do():
    stream = _stream("a", [Trial(0, 300, {"valence": "low"})])
    with pytest.raises(MMQError, match=r"shorten front_end\.tokens"):
        build_windows([stream], _fitted([stream]), "stress", CLASSES, 20.0)


def test_an_unknown_class_is_refused_by_name():
    stream = _stream("a", [_trial(0, 300, "panic")])
    with pytest.raises(MMQError, match="panic"):
        build_windows([stream], _fitted([stream]), "stress", CLASSES, 20.0)


def test_population_statistics_weigh_people_equally():
    streams = [_stream("a", [], tokens=1000, offset=0.0), _stream("b", [], tokens=50, offset=4.0, seed=1)]
    norm = fit_normalisation(streams, NormalisationConfig(), 5.0)
    assert abs(norm.mean[0] - 2.0) < 0.2
    assert abs(norm.std[0] - np.sqrt(1 + 4)) < 0.2


def test_enrolment_statistics_are_within_a_person():
    streams = [_stream("a", [], tokens=1000, offset=0.0), _stream("b", [], tokens=1000, offset=50.0, seed=1)]
    norm = fit_normalisation(streams, NormalisationConfig(mode="enrolment", enrolment_s=500.0), 5.0)
    assert all(abs(value - 1.0) < 0.2 for value in norm.std)


def test_absent_and_unmeasurable_values_do_not_count():
    stream = _stream("a", [], tokens=200)
    stream.features[:100] = 1e6
    stream.presence[:100] = False
    stream.features[150:, 0] = np.nan
    norm = fit_normalisation([stream], NormalisationConfig(), 5.0)
    assert max(abs(value) for value in norm.mean) < 1.0


def test_a_sensor_nobody_wore_gets_neutral_statistics():
    stream = _stream("a", [], tokens=50)
    stream.presence[:, 1] = False
    norm = fit_normalisation([stream], NormalisationConfig(), 5.0)
    temp = FRONT_END.feature_slices["temp"]
    assert set(norm.mean[temp]) == {0.0}
    assert set(norm.std[temp]) == {1.0}


def test_presence_by_feature_repeats_each_modality():
    layout = FRONT_END.feature_layout
    sizes = list(layout.feature_sizes.values())
    out = layout.by_feature(np.array([[True, False]]))
    assert out.tolist() == [[True] * sizes[0] + [False] * sizes[1]]


def test_an_enrolment_that_ends_inside_a_token_lasts_that_token_in_every_step():
    """62 s of tokens of 5 s are 13 tokens: in the statistics, the windows and the clean start of variants."""
    stream = _stream("a", [_trial(0, 300, "rest")])
    shifted = replace(stream, features=stream.features + (np.arange(60) == 12)[:, None] * np.float32(13))
    settings = NormalisationConfig(mode="enrolment", enrolment_s=62.0)
    means = [np.array(fit_normalisation([one], settings, 5.0).mean) for one in (stream, shifted)]
    np.testing.assert_allclose(means[1] - means[0], 1.0, rtol=1e-5)
    front_end = FRONT_END.with_normalisation(fit_normalisation([stream], settings, 5.0))
    assert front_end.enrolment_tokens == 13
    assert window_starts(stream.trials, front_end, 5.0, 60)[:, 0].min() == 13
    every = np.ones_like(stream.presence)
    worn = replace(stream, variants=(Corrupted(stream.features + 1, stream.presence, every),))
    (clean,) = without_enrolment_artefacts([worn], 62.0)
    assert np.flatnonzero(clean.variants[0].corrupted[:, 0])[0] == 13


def test_the_enrolment_of_every_preset_is_whole_tokens():
    """So one rule for its length changed no published number."""
    for name in preset_names():
        config = load_config(name)
        tokens = config.normalisation.enrolment_s / config.front_end.token_s
        assert tokens == round(tokens), name
