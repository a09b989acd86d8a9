# SPDX-License-Identifier: Apache-2.0
"""`normalisation.rest_class`: a recording enrols only in a trial that is named as rest."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import normalise_tokens
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.datasets.protocol_limits import Limits
from mmq_tf.datasets.rest_labels import rest_rank
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Corrupted, Stream, build_windows, window_starts
from mmq_tf.recording import Trial

BY_TIME, BY_EVIDENCE = (
    FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=4, frontend_version=version)
    for version in (2, 3)
)
FRONT_END = BY_TIME
AT_REST = NormalisationConfig(mode="enrolment", enrolment_s=50.0, rest_class="rest")
BY_THE_CLOCK = NormalisationConfig(mode="enrolment", enrolment_s=50.0)
TASK_FIRST = (
    Trial(0.0, 62.0, {"stress": "stress"}),
    Trial(62.0, 162.0, {"stress": "rest"}),
    Trial(162.0, 300.0, {"stress": "stress"}),
)


def stream(trials=TASK_FIRST, tokens=60, seed=0, variants=False):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((tokens, FRONT_END.n_features)).astype(np.float32)
    presence = rng.random((tokens, 2)) > 0.1
    noisy = Corrupted(features + 9, presence, np.ones_like(presence))
    return Stream("a", "1", features, presence, tuple(trials), FRONT_END, (noisy,) if variants else ())


def rested(given, settings=AT_REST):
    (found,) = enrolled_at_rest([given], settings, FRONT_END.token_s)
    return found


def fitted(found, settings=AT_REST):
    return FRONT_END.with_normalisation(fit_normalisation([found], settings, FRONT_END.token_s))


def test_without_a_rest_class_nothing_changes():
    given = stream()
    assert rested(given, BY_THE_CLOCK) is given
    assert fitted(given, BY_THE_CLOCK) == fitted(given, AT_REST)


def test_where_rest_comes_first_and_is_long_enough_it_is_as_by_the_clock():
    given = stream((Trial(0.0, 100.0, {"stress": "rest"}), Trial(100.0, 300.0, {"stress": "stress"})))
    front_end = fitted(given)
    assert fitted(rested(given)) == front_end
    one, other = (
        build_windows([s], front_end, "stress", ["rest", "stress"], 10.0) for s in (given, rested(given))
    )
    for name in ("features", "presence", "label", "start_s"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_device_is_put_on_at_the_first_rest_and_windows_follow_the_enrolment():
    given, found = stream(), rested(stream())
    assert found.limits == Limits(enrolment_s=95.0, enrolment_start_s=65.0)
    assert not found.presence[:13].any()
    np.testing.assert_array_equal(found.presence[13:], given.presence[13:])
    front_end = fitted(found)
    table = window_starts(found.trials, front_end, 5.0, 60, found.limits)
    assert table[:, 0].min() == 13 + 10
    windows = build_windows([found], front_end, "stress", ["rest", "stress"], 5.0)
    worn = normalise_tokens(front_end, given.features[13:], given.presence[13:])
    np.testing.assert_array_equal(windows.features[0], worn[10:14])
    np.testing.assert_array_equal(windows.features[-1], worn[-4:])


def test_the_statistics_are_those_of_rest_alone():
    found, front_end = rested(stream()), fitted(rested(stream()))
    assert front_end.normalisation is not None
    values = stream().measured_features()
    np.testing.assert_allclose(front_end.normalisation.mean, np.nanmean(values[13:23], axis=0), rtol=1e-6)
    spread = np.nanmean((values[23:] - np.nanmean(values[13:23], axis=0)) ** 2, axis=0) ** 0.5
    np.testing.assert_allclose(front_end.normalisation.std, spread, rtol=1e-6)
    assert fitted(found) == front_end


def test_the_enrolment_ends_with_a_short_rest():
    trials = (Trial(0.0, 62.0, {"stress": "stress"}), Trial(62.0, 81.0, {"kind": "rest"}), TASK_FIRST[2])
    found = rested(stream(trials))
    assert found.limits == Limits(enrolment_s=15.0, enrolment_start_s=65.0)
    assert window_starts(found.trials, fitted(found), 5.0, 60, found.limits)[:, 0].min() == 33
    within = rested(replace(stream(trials), limits=Limits(enrolment_s=10.0)))
    assert within.limits.enrolment_s == 10.0


def test_from_version_3_on_an_enrolment_at_rest_counts_what_was_measured():
    given = replace(stream(), front_end=BY_EVIDENCE)
    found = rested(given)
    measured = 13 + np.flatnonzero(given.presence[13:32, 0])  # EDA: temperature alone is no evidence
    assert 10 < len(measured) < 19
    assert found.limits == Limits(enrolment_s=5.0 * len(measured), enrolment_start_s=65.0)
    end = BY_EVIDENCE.with_normalisation(fit_normalisation([found], AT_REST, 5.0))
    windows = build_windows([found], end, "stress", ["rest", "stress"], 5.0)
    assert windows.start_s.min() == 5.0 * (measured[9] + 1)
    eda = end.feature_slices["eda"]
    assert end.normalisation is not None
    wanted = np.nanmean(given.features[measured[:10], eda], axis=0)
    np.testing.assert_allclose(np.array(end.normalisation.mean)[eda], wanted, rtol=1e-5)


def test_variants_are_clean_until_the_enrolment_ends_and_not_worn_before():
    (found,) = without_enrolment_artefacts([rested(stream(variants=True))], AT_REST.enrolment_s)
    (noisy,) = found.variants
    assert not noisy.presence[:13].any()
    np.testing.assert_array_equal(noisy.features[:23], found.features[:23])
    np.testing.assert_array_equal(noisy.features[23:], found.features[23:] + 9)
    assert not noisy.corrupted[:23].any()


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (
            TASK_FIRST[:1],
            r"subject a: no trial is named 'rest' \(normalisation.rest_class\), only stress; name",
        ),
        ((), "only none"),
        (
            (Trial(1.0, 9.0, {"stress": "rest"}), *TASK_FIRST[2:]),
            "its first 'rest' trial, from 1 to 9 s, is too short to enrol in",
        ),
    ],
)
def test_who_has_no_rest_is_named(trials, words):
    with pytest.raises(MMQError, match=words):
        rested(stream(trials))


@pytest.mark.parametrize("mode", ["population", "running"])
def test_another_mode_leaves_out_what_only_an_enrolment_has(mode, caplog):
    config = load_config("wrist", [f"normalisation.mode={mode}"])
    assert config.normalisation == NormalisationConfig(mode=mode, prior_tokens=3.0)
    assert caplog.messages == [
        f"preset wrist: normalisation.mode={mode} leaves out its enrolment_s, rest_class, enrolment_least, "
        "short_share, look_back_s."
    ]
    with pytest.raises(MMQError, match="rest_class says where to enrol"):
        load_config("wrist", [f"normalisation.mode={mode}", "normalisation.rest_class=rest"])
    with pytest.raises(MMQError, match="normalisation"):
        load_config("wrist", [f"normalisation.mode={mode}", "normalisation=3"])


def test_an_enrolment_that_is_set_again_keeps_all(caplog):
    assert load_config("wrist", ["normalisation.mode=enrolment"]) == load_config("wrist")
    assert caplog.messages == []


def test_rest_class_goes_with_enrolment_only_and_is_not_written_where_it_is_not_set():
    with pytest.raises(MMQError, match="rest_class says where to enrol"):
        load_config("simulated", ['normalisation={mode="running", rest_class="rest"}'])
    assert "rest_class" not in load_config("simulated").to_toml()
    assert 'rest_class = "rest"' in load_config("simulated", ["normalisation.rest_class=rest"]).to_toml()


@pytest.mark.parametrize(
    ("label", "rank"),
    [("rest", 0), ("Resting state", 0), ("BASELINE", 1), ("relaxed", 2), ("neutral_3", 3), ("stress", None),
     ("arrest", None), ("restaurant", None), ("", None), ("rest vs baseline", 0)],
)  # fmt: skip
def test_words_of_rest(label, rank):
    assert rest_rank(label) == rank
