# SPDX-License-Identifier: Apache-2.0
"""Training windows as wearers have them whose enrolment was short, or missed a sensor."""

import numpy as np
import pytest
from mmq_bridge.core_binding.native import normalise_tokens
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.features.windows import Corrupted, Stream, build_windows
from mmq_tf.recording import Trial

FRONT_END = FrontEnd.wearable({"eda": 4, "temp": 4, "acc": 32}, token_s=5.0, tokens=4, frontend_version=3)
CLASSES = ("rest", "stress")


def stream(subject="a", seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(1, 2, (200, FRONT_END.n_features)).astype(np.float32)
    presence = rng.random((200, 3)) > 0.1
    trials = (Trial(0.0, 500.0, {"stress": "rest"}), Trial(500.0, 1000.0, {"stress": "stress"}))
    variant = Corrupted(features + 1, presence, np.zeros_like(presence))
    return Stream(subject, "1", features, presence, trials, FRONT_END, (variant,))


@pytest.fixture(scope="module")
def end():
    settings = NormalisationConfig(mode="enrolment", enrolment_s=100.0)
    return FRONT_END.with_normalisation(fit_normalisation([stream()], settings, 5.0))


def cut(end, short, found=None):
    return build_windows([found or stream()], end, "stress", CLASSES, 5.0, short)


def test_without_a_share_nothing_is_drawn():
    assert ShortEnrolments.of(NormalisationConfig(), 3) is None
    given = NormalisationConfig(mode="enrolment", enrolment_s=9, short_share=0.5)
    assert ShortEnrolments.of(given, 3) == ShortEnrolments(0.5, 3)


def test_drawn_windows_are_those_of_the_core_with_the_drawn_enrolment(end):
    short = ShortEnrolments(0.5, 7)
    plain, windows = cut(end, None), cut(end, short)
    drawn = short.drawn("a 1", end, len(windows))
    assert 5 <= drawn.tokens <= 20
    assert 0.3 < drawn.rows.mean() < 0.7
    assert 0.05 < drawn.missed[drawn.rows].mean() < 0.3
    assert not drawn.missed[~drawn.rows].any()
    assert not drawn.missed[:, 0].any()  # eda ended the enrolment: it is the only one of a body
    np.testing.assert_array_equal(windows.features[~drawn.rows], plain.features[~drawn.rows])
    for kept in ("presence", "label", "start_s", "variant_presence", "variant_corrupted"):
        np.testing.assert_array_equal(getattr(windows, kept), getattr(plain, kept))
    given = stream()
    shorter = normalise_tokens(end.with_enrolment(5.0 * drawn.tokens), given.features, given.presence)
    assert end.normalisation is not None
    alone = end.normalisation.model_copy(update={"mode": "population", "enrolment_s": 0.0})
    population = normalise_tokens(end.with_normalisation(alone), given.features, given.presence)
    for n in np.flatnonzero(drawn.rows):
        first = round(windows.start_s[n] / 5)
        for m, part in enumerate(end.feature_slices.values()):
            wanted = (population if drawn.missed[n, m] else shorter)[first : first + 4, part]
            np.testing.assert_array_equal(windows.features[n, :, part], wanted)


def test_variants_are_drawn_as_their_windows_are(end):
    windows, plain = cut(end, ShortEnrolments(0.5, 7)), cut(end, None)
    changed = (windows.features != plain.features).any(axis=(1, 2))
    assert changed.any()
    assert not changed.all()
    np.testing.assert_array_equal(
        (windows.variant_features[0] != plain.variant_features[0]).any((1, 2)), changed
    )


def test_draws_are_the_same_each_time_and_others_for_another_person_or_seed(end):
    wanted = cut(end, ShortEnrolments(0.5, 7)).features
    np.testing.assert_array_equal(cut(end, ShortEnrolments(0.5, 7)).features, wanted)
    assert (cut(end, ShortEnrolments(0.5, 8)).features != wanted).any()
    assert (cut(end, ShortEnrolments(0.5, 7), stream("b")).features != wanted).any()
    assert (cut(end, ShortEnrolments(1.0, 7)).features != cut(end, None).features).any(axis=(1, 2)).all()


def test_the_share_needs_version_3_and_an_enrolment():
    with pytest.raises(MMQError, match="short_share needs front_end.frontend_version 3"):
        load_config("simulated", ["front_end.frontend_version=2", "normalisation.short_share=0.2"])
    with pytest.raises(MMQError, match="short_share draws short enrolments"):
        load_config("simulated", ['normalisation={mode="running", short_share=0.2}'])
    config = load_config("simulated", ["normalisation.short_share=0.2"])
    assert "short_share = 0.2" in config.to_toml()
