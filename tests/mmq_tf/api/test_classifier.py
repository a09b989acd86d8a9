# SPDX-License-Identifier: Apache-2.0
"""`MMQClassifier` keeps scikit-learn's contract, and NaN means to it what absence means to the C core."""

import io
import logging
import pickle
import subprocess
import sys
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from mmq_bridge.core_binding.native import normalise_tokens
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import Normalisation
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mmq_tf import MMQClassifier
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import array_windows, layout_of_columns
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import Source, load_stream
from mmq_tf.features.windows import WindowSet, build_windows

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

QUICK = {
    "epochs": 1,
    "batch_size": 32,
    "learning_rate": 0.03,
    "max_rate": 0.0,
    "feature_noise": 0.1,
    "feature_shift": 0.1,
    "teacher_share": 0.0,
    "random_state": 0,
}
TOKENS, SIZES = 3, {"eda": 2, "temp": 1}
PEOPLE = 6


@parametrize_with_checks([MMQClassifier(**QUICK)])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def make_rows(count=96, seed=0):
    """Windows of eda, which tells the class, and temp, which does not; a fifth of the tokens is absent."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 2
    rows = rng.standard_normal((count, TOKENS, 3))
    rows[..., 0] += 3 * label[:, None]
    rows[..., :2][rng.random((count, TOKENS)) < 0.2] = np.nan
    rows[..., 2][rng.random((count, TOKENS)) < 0.2] = np.nan
    groups = np.array([f"person {number}" for number in np.arange(count) // 2 % PEOPLE])
    return rows.reshape(count, -1), np.array(["rest", "stress"])[label], groups


def make(**changes):
    return MMQClassifier(**{**QUICK, "modalities": SIZES, "tokens": TOKENS, "epochs": 3, **changes})


@pytest.fixture(scope="module")
def fitted():
    rows, label, _ = make_rows()
    return make(max_rate=0.5).fit(rows, label)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_all_nan_is_absent_and_a_single_nan_is_the_mean():
    nan = np.nan
    rows = np.array([[1.0, 10.0, 5.0, 3.0, nan, 9.0], [3.0, 30.0, nan, nan, nan, 7.0]])
    scaler = StandardScaler().fit([[1.0, 10.0, 6.0], [3.0, 30.0, 8.0]])
    windows = array_windows(rows, FeatureLayout(2, SIZES), scaler, np.zeros(2), np.zeros(2))
    np.testing.assert_array_equal(windows.presence, [[[1, 1], [1, 1]], [[1, 0], [0, 1]]])
    np.testing.assert_allclose(
        windows.features, [[[-1, -1, -2], [1, 0, 2]], [[1, 1, 0], [0, 0, 0]]], rtol=0, atol=1e-6
    )


def test_rows_are_standardised_as_the_c_core_does_it():
    front_end = load_config("simulated", ["front_end.modalities={temp={sampling_rate_hz=4}}"]).front_end
    layout = FeatureLayout(1, {"temp": front_end.n_features})
    rng = np.random.default_rng(0)
    rows = 40 * rng.standard_normal((50, layout.n_features)) + 30
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[3] = np.nan
    rows[4] = 1e6  # clipped
    scaler: Any = StandardScaler().fit(rows[5:])
    statistics = Normalisation(mode="population", mean=tuple(scaler.mean_), std=tuple(scaler.scale_))
    present = np.ones((50, 1), bool)
    present[3] = False
    core = normalise_tokens(front_end.with_normalisation(statistics), rows, present)
    ours = array_windows(rows, layout, scaler, np.zeros(50), np.zeros(50)).features[:, 0]
    np.testing.assert_allclose(ours, core, rtol=0, atol=2e-5)
    assert np.abs(ours).max() == 5


def test_it_learns_and_says_so_by_class(fitted):
    rows, label, _ = make_rows(seed=1)
    assert fitted.classes_.tolist() == ["rest", "stress"]
    assert fitted.score(rows, label) > 0.8
    probability, decision = fitted.predict_proba(rows), fitted.decision_function(rows)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), decision, atol=1e-6)


def test_a_sensor_that_is_gone_changes_the_answer_and_keeps_it_finite(fitted):
    rows, label, _ = make_rows(seed=1)
    whole, gone = rows.reshape(-1, TOKENS, 3), rows.reshape(-1, TOKENS, 3).copy()
    gone[..., :2] = np.nan
    blind = fitted.predict_proba(gone)
    assert np.isfinite(blind).all()
    assert (blind != fitted.predict_proba(whole)).any(axis=1).all()
    assert fitted.score(gone, label) < fitted.score(whole, label) - 0.2  # only eda knew
    nothing = fitted.predict_proba(np.full((2, TOKENS * 3), np.nan))
    assert np.isfinite(nothing).all()
    np.testing.assert_array_equal(nothing[0], nothing[1])


def test_several_members_judge_together():
    rows, label, _ = make_rows()
    model = make(members=2).fit(rows, label)
    assert len(model.net_.members) == 2
    assert model.score(*make_rows(seed=1)[:2]) > 0.8


def test_a_sensor_never_seen_in_training_is_no_obstacle():
    rows, label, _ = make_rows(32)
    never = rows.reshape(-1, TOKENS, 3).copy()
    never[..., 2] = np.nan
    model = make(epochs=1).fit(never, label)
    assert np.isfinite(model.predict_proba(rows)).all()


def test_3_d_is_2_d_and_a_window_is_judged_alone(fitted):
    rows, label, _ = make_rows()
    cube = rows.reshape(-1, TOKENS, 3)
    expected = fitted.predict_proba(rows)
    np.testing.assert_array_equal(fitted.predict_proba(cube), expected)
    np.testing.assert_array_equal(
        np.concatenate([fitted.predict_proba(row[None]) for row in rows[:5]]), expected[:5]
    )
    twin = make(max_rate=0.5, tokens=None).fit(cube, label)
    assert vars(twin)["n_features_in_"] == TOKENS * 3
    np.testing.assert_array_equal(twin.predict_proba(cube), expected)  # the same random_state, too


def test_random_state_decides_and_global_randomness_is_left_alone(fitted):
    rows, label, _ = make_rows()
    np.random.seed(5)  # noqa: NPY002  what must not change
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    other = make(max_rate=0.5, random_state=1).fit(rows, label)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002
    assert not np.array_equal(other.predict_proba(rows), fitted.predict_proba(rows))


def test_pickle_and_joblib_keep_every_bit(fitted):
    rows, _, _ = make_rows()
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    for copy in (pickle.loads(pickle.dumps(fitted)), joblib.load(file)):
        np.testing.assert_array_equal(copy.predict_proba(rows), fitted.predict_proba(rows))


def test_groups_held_back_choose_epoch_and_temperature(fitted):
    rows, label, groups = make_rows()
    model = make(epochs=2, validation_fraction=0.3, teacher_share=0.5).fit(rows, label, groups=groups)
    assert len(model.validation_groups_) == 2  # 0.3 of 6, rounded up
    assert set(model.validation_groups_) < set(groups)
    scores = [epoch["val_auroc"] for epoch in model.history_]
    assert model.best_epoch_ == 1 + np.argmax(scores)
    assert model.temperature_ != 1
    assert fitted.validation_groups_.size == 0
    assert fitted.temperature_ == 1
    assert fitted.best_epoch_ == len(fitted.history_) == 3


def test_people_held_back_are_no_part_of_what_is_learned():
    rows, label, groups = make_rows(48)
    settings = {"epochs": 1, "validation_fraction": 0.3}
    model = make(**settings).fit(rows, label, groups=groups)
    spoilt = np.where(np.isin(groups, model.validation_groups_)[:, None], 7 - 3 * rows, rows)
    again = make(**settings).fit(spoilt, label, groups=groups)
    np.testing.assert_array_equal(again.scaler_.mean_, model.scaler_.mean_)
    for first, second in zip(model.net_.get_weights(), again.net_.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_groups_without_a_fair_choice_are_refused():
    rows, label, _ = make_rows(32)
    with pytest.raises(MMQError, match="none left every class on both sides; set validation_fraction=0"):
        make().fit(rows, label, groups=label)
    model = make(epochs=1).fit(rows, label, groups=np.zeros(32))  # one person: nobody to hold back
    assert model.validation_groups_.size == 0


def test_cross_validation_leaves_groups_out():
    rows, label, groups = make_rows(48)
    pipeline = make_pipeline(FunctionTransformer(), make(epochs=2))
    pair = np.isin(groups, ["person 0", "person 1"])
    scores = cross_val_score(pipeline, rows, label, groups=pair, cv=LeaveOneGroupOut(), scoring="roc_auc")
    assert scores.shape == (2,)
    assert scores.min() > 0.8


def test_routing_takes_groups_to_the_splitter_and_to_fit(routing):
    rows, label, groups = make_rows(48)
    search = GridSearchCV(
        make(epochs=1).set_fit_request(groups=True),
        {"learning_rate": [0.01, 0.03]},
        cv=GroupKFold(2),
    )
    search.fit(rows, label, groups=groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.validation_groups_.size == 2  # 0.2 of 6, rounded up


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tokens": 2}, "X: expected 3 features in each of 2 tokens, so 6 columns, got 9"),
        ({"tokens": 0}, "tokens: expected a whole number of at least 1, got 0"),
        ({"modalities": {"eda": 9, "temp": 0}, "tokens": 1}, "at least 1 feature"),
        ({"modalities": ["eda"]}, r"modalities: expected a dict .* got \['eda'\]"),
        ({"size": "huge"}, "size: .*nano.*huge"),
        ({"epochs": 0}, "epochs: .*greater than or equal to 1"),
        ({"max_rate": 1.0}, "max_rate: .*less than 1"),
        ({"validation_fraction": 1.0}, "validation_fraction: expected at least 0 and below 1, got 1.0"),
    ],
)
def test_an_impossible_parameter_is_named(changes, match):
    rows, label, _ = make_rows(8)
    with pytest.raises(MMQError, match=match):
        make(**changes).fit(rows, label)


def test_impossible_input_is_named(fitted):
    rows, label, groups = make_rows(8)
    with pytest.raises(MMQError, match=r"X: expected \[windows, 3 tokens, features\], got shape \(8, 1, 9\)"):
        fitted.predict(rows.reshape(8, 1, 9))
    with pytest.raises(ValueError, match="contains infinity"):
        make().fit(np.where(np.isnan(rows), np.inf, rows), label)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(rows, label, groups=groups[:-1])


def test_verbose_logs_epochs(caplog):
    rows, label, _ = make_rows(8)
    with caplog.at_level(logging.INFO, logger="mmq_tf.api.classifier"):
        make(epochs=1, verbose=1).fit(rows, label)
        make(epochs=1).fit(rows, label)
    assert len(caplog.records) == 1
    assert caplog.records[0].message.startswith("epoch 1: ")


def test_windows_of_a_front_end_go_in_with_nan_where_absent():
    front_end = load_config("simulated", ["front_end.tokens=4"]).front_end
    rng = np.random.default_rng(0)
    shape = (6, front_end.tokens, len(front_end.modality_names))
    presence = rng.random(shape) < 0.7
    windows = WindowSet(
        features=rng.standard_normal((*shape[:2], front_end.n_features)).astype(np.float32),
        presence=presence,
        label=np.array([0, 1, 0, 1, 0, 1], dtype=np.int8),
        subject=np.array(["a", "a", "b", "b", "c", "c"]),
        session=np.full(6, ""),
        trial=np.arange(6),
        start_s=np.zeros(6),
        variant_features=np.zeros((0, *shape[:2], front_end.n_features), np.float32),
        variant_presence=np.zeros((0, *shape), bool),
        variant_corrupted=np.zeros((0, *shape), bool),
    )
    X, y, groups = windows.to_sklearn(front_end)
    assert X.shape == (6, 4 * front_end.n_features)
    assert y.tolist() == [0, 1, 0, 1, 0, 1]
    assert groups.tolist() == ["a", "a", "b", "b", "c", "c"]
    model = MMQClassifier.for_front_end(front_end, **QUICK)
    assert model.tokens == 4
    layout = layout_of_columns(X.shape[1], 4, model.modalities)
    assert layout.feature_slices == front_end.feature_slices
    identity = StandardScaler(with_mean=False, with_std=False).fit(X.reshape(-1, front_end.n_features))
    again = array_windows(X, layout, identity, y, groups)
    np.testing.assert_array_equal(again.presence, presence)
    first = windows.take(np.array([4, 1]))
    assert first.subject.tolist() == ["c", "a"]
    np.testing.assert_array_equal(first.presence, presence[[4, 1]])
    assert model.fit(X, y).predict(X).shape == (6,)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, mmq_tf; print(sorted({'keras', 'sklearn', 'tensorflow', 'numpy'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def stress_predict(mmq_data, tmp_path_factory):
    """Windows of the first three people of Stress-Predict, and their front end."""
    config = load_config(
        "stress-predict",
        ["artefacts.variants=0", 'normalisation={mode="population"}'],
    )
    dataset, folder = get_dataset("stress_predict"), mmq_data / "stress_predict"
    settings = TokenSettings(config.front_end, config.artefacts, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        streams = [
            load_stream(Source.of_subject(dataset, folder, name), settings)
            for name in dataset.subjects(folder)[:3]
        ]
    statistics = fit_normalisation(streams, config.normalisation, config.front_end.token_s)
    front_end = config.front_end.with_normalisation(statistics)
    windows = build_windows(streams, front_end, "stress", config.classes, config.windows.stride_s)
    return windows.to_sklearn(front_end), front_end


def test_people_left_out_of_stress_predict_are_judged_better_than_by_chance(stress_predict):
    (X, y, groups), front_end = stress_predict
    X, y, groups = X[::2], y[::2], groups[::2]  # neighbouring windows overlap
    model = MMQClassifier.for_front_end(front_end, epochs=3, learning_rate=0.02, random_state=0)
    scores = cross_val_score(model, X, y, groups=groups, cv=LeaveOneGroupOut(), scoring="roc_auc")
    assert scores.shape == (3,)
    assert scores.mean() > 0.5  # three people show that it works, not how well


def test_hiding_the_pulse_of_real_people_keeps_answers_finite(stress_predict):
    (X, y, _), front_end = stress_predict
    model = MMQClassifier.for_front_end(front_end, **{**QUICK, "batch_size": 256}).fit(X, y)
    cube = X.reshape(len(X), front_end.tokens, -1).copy()
    cube[..., front_end.feature_slices["ppg"]] = np.nan
    blind = model.predict_proba(cube)
    assert np.isfinite(blind).all()
    assert not np.allclose(blind, model.predict_proba(X))
