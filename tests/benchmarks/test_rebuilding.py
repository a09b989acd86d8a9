# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from methods.rebuilding import MEAN, QUERIES, RIDGE, HiddenTokens, explained, rebuilding_scores
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.features.array_windows import plain_windows
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.training_model import MMQTraining

FRONT_END = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=3)
SIZES = {name: part.stop - part.start for name, part in FRONT_END.feature_slices.items()}
EDA, TEMP = FRONT_END.feature_slices.values()


def windows(seed, people, count=30):
    """Windows in which temp is a linear function of eda, and one in ten tokens is absent."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 3, FRONT_END.n_features)).astype(np.float32)
    features[..., TEMP] = 2 * features[..., EDA][..., : SIZES["temp"]] + 1
    presence = rng.random((count, 3, 2)) < 0.9
    presence[0] = [[False, True]] * 3  # only temp: without it nothing is left
    seen = np.repeat(presence, list(SIZES.values()), axis=-1)
    subject = np.array([f"{seed}-{k % people}" for k in range(count)])
    return plain_windows(np.where(seen, features, np.float32(0)), presence, np.zeros(count, np.int8), subject)


@pytest.fixture(scope="module")
def model():
    return MMQTraining(MMQNet(3, SIZES, {"stress": 2}, dim=8, hidden=8))


def test_what_others_tell_is_found_by_the_regression_and_the_mean_scores_nothing(model):
    test = windows(3, people=2)
    found = {}
    for score in rebuilding_scores(model, windows(1, 4, 200), windows(2, 2), test, FRONT_END):
        found[score.method, score.condition, score.metric, score.subject] = score.value
    assert {key[1] for key in found} == {"no-eda", "no-temp"}
    assert {key[3] for key in found} == {"3-0", "3-1"}
    for subject in ("3-0", "3-1"):
        # temp follows from eda wherever that is present; eda has features that temp knows nothing of
        assert found[RIDGE, "no-temp", "r2_features", subject] > 0.8
        assert found[RIDGE, "no-temp", "correlation", subject] > 0.9
        assert found[MEAN, "no-temp", "r2_features", subject] == pytest.approx(0.0, abs=1e-6)
        assert found[MEAN, "no-temp", "r2_token", subject] == pytest.approx(0.0, abs=1e-6)
        assert found[QUERIES, "no-temp", "r2_features", subject] < 0.5  # never trained
        named = [key[2] for key in found if key[:2] == (RIDGE, "no-temp") and key[3] == subject]
        assert {f"r2 {name}" for name in FRONT_END.feature_names[TEMP]} < set(named)
        assert (MEAN, "no-temp", "correlation", subject) not in found


def test_only_tokens_that_were_there_and_can_be_rebuilt_from_something_are_asked(model):
    given = windows(3, people=2)
    hidden = HiddenTokens.of(model, given, FRONT_END, "temp")
    something = np.any(given.presence[:, :, 0], axis=1)
    asked = given.presence[:, :, 1] & something[:, np.newaxis]
    assert not asked[0].any()
    assert len(hidden.subject) == asked.sum() == len(hidden.true["tokens"]) == len(hidden.others)
    np.testing.assert_array_equal(hidden.true["features"], given.features[..., TEMP][asked])
    # neither what is hidden nor that it was there reaches the regression
    columns = np.r_[np.arange(FRONT_END.n_features)[TEMP], FRONT_END.n_features + 1]
    assert not hidden.others[:, np.r_[columns, columns + FRONT_END.n_features + 2]].any()


def test_explained_is_nothing_where_nothing_differs():
    assert np.isnan(explained(np.ones((3, 2)), np.zeros((3, 2)), np.ones(2)))
