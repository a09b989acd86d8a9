# SPDX-License-Identifier: Apache-2.0
"""`normalisation.enrolment_from`: the enrolment is apart from what is judged, before or after it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import normalise_tokens
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.datasets.protocol_limits import Limits
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest, left_out
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Corrupted, Stream, build_windows
from mmq_tf.recording import Trial

HALF = NormalisationConfig(mode="enrolment", enrolment_s=100.0, rest_class="rest", enrolment_from="rest_half")
OTHER = HALF.model_copy(update={"enrolment_from": "other_visit"})
CLASSES = ["rest", "stress"]
TRIALS = (Trial(0.0, 100.0, {"stress": "stress"}), Trial(122.0, 203.0, {"stress": "rest"}, stimulus="film"))
# whole tokens of the rest: 25 to 40, so 25 to 32 enrol


def front_end(version):
    return FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=4, frontend_version=version)


def stream(session="1", trials=TRIALS, tokens=45, seed=0, version=2, variants=False, absent=()):
    rng = np.random.default_rng(seed)
    made = front_end(version)
    features = rng.standard_normal((tokens, made.n_features)).astype(np.float32)
    presence = np.ones((tokens, 2), bool)
    presence[list(absent)] = False
    noisy = Corrupted(features + 9, presence, np.ones_like(presence))
    return Stream("a", session, features, presence, trials, made, (noisy,) if variants else ())


def fitted(found, config=HALF):
    return found.front_end.with_normalisation(fit_normalisation([found], config, 5.0))


@pytest.mark.parametrize("version", [2, 3])
def test_the_first_half_of_the_rest_sets_the_baseline_of_all_else(version):
    one = stream(version=version)
    (found,) = enrolled_at_rest([one], HALF, 5.0)
    assert found.limits == Limits(enrolment_s=35.0)
    assert found.earlier == 7
    norm = fitted(found).normalisation
    assert norm is not None
    np.testing.assert_allclose(norm.mean, one.features[25:32].mean(0), rtol=1e-5)
    spread = np.concatenate([one.features[:25], one.features[32:]]) - one.features[25:32].mean(0)
    np.testing.assert_allclose(norm.std, (spread**2).mean(0) ** 0.5, rtol=1e-5)
    windows = build_windows([found], fitted(found), "stress", CLASSES, 5.0)
    # 20 tokens of task and the 8 that are left of the rest, each window of 4; times are the recording's own
    assert windows.start_s.tolist() == [5.0 * k for k in range(17)] + [160.0 + 5 * k for k in range(5)]
    assert windows.label.tolist() == [1] * 17 + [0] * 5
    assert windows.trial.tolist() == [0] * 17 + [1] * 5
    device = fitted(found).with_enrolment(35.0)
    order = np.concatenate([one.features[25:32], one.features])
    seen = np.ones((len(order), 2), bool)
    z = normalise_tokens(device, order, seen)
    np.testing.assert_array_equal(windows.features[0], z[7:11])
    np.testing.assert_array_equal(windows.features[-1], z[7 + 36 : 7 + 40])


def test_what_enrols_is_no_part_of_the_recording_and_the_stimulus_goes_on():
    (found,) = enrolled_at_rest([stream()], HALF, 5.0)
    assert not found.presence[7 + 25 : 7 + 32].any()
    assert found.presence[:7].all()
    assert found.presence[7:32].all()
    assert (found.trials[1].start_s, found.trials[1].stop_s) == (35.0 + 160.0, 35.0 + 203.0)
    assert found.trials[1].stimulus_s == 160.0 - 122.0


def test_only_what_was_measured_counts_from_version_3_on():
    (found,) = enrolled_at_rest([stream(version=3, absent=(26, 27))], HALF, 5.0)
    assert found.limits.enrolment_s == 25.0
    with pytest.raises(
        MMQError, match="subject a: nothing but temp and acc was measured in its first 'rest'"
    ):
        enrolled_at_rest([stream(version=3, absent=range(25, 32))], HALF, 5.0)


@pytest.mark.parametrize("version", [2, 3])
def test_the_rest_of_the_other_visit_sets_the_baseline_of_this_one(version):
    pre, post = stream("pre", version=version), stream("post", seed=1, version=version)
    alone = replace(stream("pre"), subject="b")
    found = enrolled_at_rest([pre, post, alone], OTHER, 5.0)
    assert [(one.subject, one.session, one.earlier) for one in found] == [("a", "pre", 15), ("a", "post", 15)]
    np.testing.assert_array_equal(found[0].features[:15], post.features[25:40])
    np.testing.assert_array_equal(found[1].features[:15], pre.features[25:40])
    np.testing.assert_array_equal(found[0].features[15:], pre.features)
    assert found[0].presence.all()
    assert left_out([pre, post, alone], found) == ["b, session pre: no other session with rest to enrol in"]
    windows = build_windows(found, fitted(found[0], OTHER), "stress", CLASSES, 5.0)
    mine = windows.start_s[windows.session == "pre"]
    assert (mine.min(), mine.max()) == (0.0, 180.0)


def test_variants_are_clean_in_the_enrolment_alone():
    (found,) = without_enrolment_artefacts(enrolled_at_rest([stream(variants=True)], HALF, 5.0), 100.0)
    (noisy,) = found.variants
    np.testing.assert_array_equal(noisy.features[:7], found.features[:7])
    np.testing.assert_array_equal(noisy.features[7:], found.features[7:] + 9)
    assert not noisy.corrupted[:7].any()
    assert not noisy.presence[32:39].any()


@settings(max_examples=50, deadline=None)
@given(
    start=st.floats(0, 100),
    length=st.floats(15, 100),
    seed=st.integers(0, 9),
    version=st.sampled_from([2, 3]),
)
def test_no_window_reads_what_enrolled_and_times_stay(start, length, seed, version):
    trials = (
        Trial(start, start + length, {"stress": "rest"}),
        Trial(start + length, 230.0, {"stress": "stress"}),
    )
    one = stream(trials=trials, tokens=46, seed=seed, version=version)
    (found,) = enrolled_at_rest([one], HALF, 5.0)
    first, last = int(np.ceil(start / 5 - 1e-9)), int(np.floor((start + length) / 5 + 1e-9))
    middle = first + (last - first) // 2
    np.testing.assert_array_equal(found.features[: found.earlier], one.features[first:middle])
    windows = build_windows([found], fitted(found), "stress", CLASSES, 5.0)
    begin = np.round(windows.start_s / 5).astype(int)
    assert ((begin >= middle) | (begin + 4 <= first)).all()
    for at, label in zip(begin, windows.label, strict=True):
        trial = trials[label]
        assert trial.start_s <= at * 5 + 1e-6
        assert (at + 4) * 5 <= trial.stop_s + 1e-6


@pytest.mark.parametrize(
    ("trials", "config", "words"),
    [
        (TRIALS[:1], HALF, r"no trial is named 'rest' \(normalisation.rest_class\), only stress"),
        (
            (Trial(1.0, 14.0, {"stress": "rest"}),),
            HALF,
            "half of its first 'rest' trial, from 1 to 14 s, holds",
        ),
        (TRIALS, OTHER, "nobody has another session with a trial named 'rest'"),
    ],
)
def test_who_cannot_enrol_is_named(trials, config, words):
    with pytest.raises(MMQError, match=words):
        enrolled_at_rest([stream(trials=trials)], config, 5.0)


def test_a_data_set_may_say_where_its_people_enrol():
    one = replace(stream(), limits=Limits(enrolment_from="rest_half", enrolment_s=20.0))
    plain = HALF.model_copy(update={"enrolment_from": None})
    (found,) = enrolled_at_rest([one], plain, 5.0)
    assert (found.earlier, found.limits.enrolment_s) == (7, 20.0)
    with pytest.raises(MMQError, match="subject a: this data set enrols in rest"):
        enrolled_at_rest([one], plain.model_copy(update={"rest_class": None}), 5.0)


def test_it_needs_a_rest_class_and_is_not_written_where_it_is_not_set():
    with pytest.raises(MMQError, match="enrolment_from needs rest_class"):
        load_config("simulated", ["normalisation.enrolment_from=rest_half"])
    assert "enrolment_from" not in load_config("simulated").to_toml()
    assert load_config("cogwear").normalisation.enrolment_from == "rest_half"
