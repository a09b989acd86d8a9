# SPDX-License-Identifier: Apache-2.0
"""Training sees the look-backs that a device computes, bit for bit, in every kind of window."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.native import extract_tokens, normalise_tokens
from mmq_bridge.decision.replay import steps
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.extra_features import normalised_features
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.features.windows import Corrupted, Stream, build_windows
from mmq_tf.recording import Trial

RATES = {"eda": 4, "temp": 4, "acc": 32}
TRIALS = (Trial(0.0, 150.0, {"stress": "rest"}), Trial(150.0, 600.0, {"stress": "stress"}))
CLASSES = ("rest", "stress")
SETTINGS = NormalisationConfig(mode="enrolment", enrolment_s=50.0, look_back_s=200.0)
FRONT_END = FrontEnd.wearable(RATES, token_s=5.0, tokens=4, frontend_version=3)


@pytest.fixture(scope="module")
def signals():
    """Ten minutes of somebody; the conductance is gone now and then, temperature comes late."""
    rng = np.random.default_rng(2)
    t = {name: np.arange(600 * rate) / rate for name, rate in RATES.items()}
    made = {
        "eda": 2 + 0.3 * np.sin(t["eda"] / 7)[None],
        "temp": 33 + t["temp"][None] / 500,
        "acc": np.stack([0 * t["acc"], 0 * t["acc"], 1 + 0 * t["acc"]]),
    }
    made = {name: values + rng.normal(0, 0.01, values.shape) for name, values in made.items()}
    made["eda"][:, : 4 * 40] = made["eda"][:, 4 * 261 : 4 * 273] = made["temp"][:, : 4 * 170] = np.nan
    return {
        name: GoldenSignal(values.astype(np.float32), float(RATES[name]), 0.0)
        for name, values in made.items()
    }


@pytest.fixture(scope="module")
def stream(signals):
    tokens = extract_tokens(FRONT_END, signals)
    noise = np.random.default_rng(0).normal(0, 1, tokens.features.shape).astype(np.float32)
    variant = Corrupted(tokens.features + noise, tokens.presence, np.zeros_like(tokens.presence))
    return Stream("a", "1", tokens.features, tokens.presence, TRIALS, FRONT_END, (variant,))


@pytest.fixture(scope="module")
def end(stream):
    return FRONT_END.with_normalisation(fit_normalisation([stream], SETTINGS, 5.0))


def cut(stream, end, short=None):
    return build_windows([stream], end, "stress", CLASSES, 5.0, short)


def test_windows_are_those_a_device_gives(stream, end, signals):
    bridge, given = Bridge(end), {}
    for now_s, chunks in steps(signals):
        for chunk in chunks:
            bridge.push(*chunk)
        bridge.advance(now_s + (end.grace_s if now_s == 600 else 0))
        if bridge.ready:
            given[(bridge.closed - end.tokens) * 5.0] = bridge.window()
    windows = cut(stream, end)
    assert windows.features.shape[2] == end.n_features == 32
    for start_s, features, presence in zip(windows.start_s, windows.features, windows.presence, strict=True):
        np.testing.assert_array_equal(features.view(np.uint32), given[start_s][0].view(np.uint32))
        np.testing.assert_array_equal(presence, given[start_s][1] == 1)
    backs = windows.features[..., end.feature_layout.look_backs]
    part = end.feature_layout.feature_slices["eda"]
    assert backs[windows.start_s > 280].any(axis=(1, 2)).all()
    assert not windows.features[windows.start_s < 220, :, part.start + 6 : part.stop].any()  # 40 s late


def test_what_is_fitted_and_measured_stays_as_narrow_as_it_was(stream, end):
    plain = SETTINGS.model_copy(update={"look_back_s": 0.0})
    without = fit_normalisation([stream], plain, 5.0)
    given = end.normalisation
    assert (given.mean, given.std) == (without.mean, without.std)
    assert len(given.mean) == stream.features.shape[1] == 16
    places = end.measured_layout.places_in(end.feature_layout)
    narrow = cut(stream, FRONT_END.with_normalisation(without))
    np.testing.assert_array_equal(cut(stream, end).features[..., places], narrow.features)


def test_artefacts_go_through_the_same_sums(stream, end):
    windows = cut(stream, end)
    alone = replace(stream, features=stream.variants[0].features, variants=())
    np.testing.assert_array_equal(windows.variant_features[0], cut(alone, end).features)


def test_the_past_begins_where_the_enrolment_does(stream, end):
    trials = (Trial(100.0, 150.0, {"stress": "rest"}), *TRIALS[1:])
    settings = SETTINGS.model_copy(update={"rest_class": "rest"})
    (rested,) = enrolled_at_rest([replace(stream, trials=trials)], settings, 5.0)
    worn = normalise_tokens(end, stream.features[20:], stream.presence[20:])
    windows = cut(rested, end)
    for start_s, features in zip(windows.start_s, windows.features, strict=True):
        first = round(start_s / 5) - 20
        np.testing.assert_array_equal(features, worn[first : first + 4])


def test_a_sensor_that_a_short_enrolment_missed_has_no_past_yet(stream, end):
    short = ShortEnrolments(0.6, 7)
    plain, windows = cut(stream, end), cut(stream, end, short)
    drawn = short.drawn("a 1", end, len(windows))
    shorter = normalise_tokens(end.with_enrolment(5.0 * drawn.tokens), stream.features, stream.presence)
    backs = end.feature_layout.look_backs
    assert drawn.missed.any()
    for n, (first, features) in enumerate(zip(windows.start_s / 5, windows.features, strict=True)):
        for m, part in enumerate(end.feature_slices.values()):
            own = features[:, part]
            if not drawn.rows[n]:
                np.testing.assert_array_equal(own, plain.features[n, :, part])
            elif drawn.missed[n, m]:
                assert not own[:, backs[part]].any()
                assert own.any() or not stream.presence[round(first) : round(first) + 4, m].any()
            else:
                np.testing.assert_array_equal(own, shorter[round(first) : round(first) + 4, part])


def test_extra_features_have_none_and_come_before_those_of_others(stream, end):
    part = FRONT_END.modalities["eda"].model_copy(update={"extra_features": {"mine": "my_lab:mine"}})
    wide = FRONT_END.model_copy(update={"modalities": {**FRONT_END.modalities, "eda": part}})
    given = end.normalisation
    column = 6
    mean, std = (np.insert(values, column, values[0]) for values in (given.mean, given.std))
    rule = given.model_copy(update={"mean": tuple(mean.tolist()), "std": tuple(std.tolist())})
    wide = wide.with_normalisation(rule)
    assert wide.feature_names[5:9] == (
        "eda.deviation",
        "eda.mine",
        "eda.tonic.look_back",
        "eda.slope.look_back",
    )
    raw = np.insert(stream.features, column, stream.features[:, 0], axis=1)
    got = normalised_features(wide, raw, stream.presence)
    np.testing.assert_array_equal(got[:, column], got[:, 0])
    wanted = normalise_tokens(end, stream.features, stream.presence)
    np.testing.assert_array_equal(np.delete(got, column, 1), wanted)


def test_a_configuration_says_how_wide_its_windows_are():
    base = load_config("stress-predict", ["normalisation.look_back_s=0"])
    config = load_config("stress-predict", ["normalisation.look_back_s=600"])
    assert base.normalisation.look_back_s == 0
    assert base.feature_layout.n_features == 26
    assert config.feature_layout.n_features == config.training_spec.layout.n_features == 45
    assert config.front_end.n_features == 26  # what is measured
    assert config.front_end.digest() == base.front_end.digest()  # so tokens are found again
    assert "look_back_s = 600.0" in config.to_toml()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            [
                'normalisation={mode="enrolment", enrolment_s=540, look_back_s=600}',
                "front_end.frontend_version=2",
            ],
            r"normalisation\.look_back_s needs frontend_version 3",
        ),
        (["normalisation.look_back_s=70"], "must be a multiple of 50 s, got 70 s"),
        (["normalisation.look_back_s=1250"], "less than or equal to 1200"),
        (
            ['normalisation={mode="running", look_back_s=600}'],
            "look_back_s needs mode 'enrolment': its past must begin at rest",
        ),
    ],
)
def test_a_look_back_that_cannot_be_is_refused(overrides, sentence):
    with pytest.raises(MMQError, match=sentence):
        load_config("stress-predict", overrides)
