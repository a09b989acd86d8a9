# SPDX-License-Identifier: Apache-2.0
"""The neural baselines on a toy task of two sensors."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout
from sklearn.metrics import roc_auc_score

from mmq_tf.baselines import BASELINES
from mmq_tf.comparisons.estimator import NetworkEstimator
from mmq_tf.comparisons.neural import NEURAL_BASELINES
from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import array_spec, plain_windows
from mmq_tf.model import SIZES, MMQNet
from mmq_tf.model.cross_modal import CrossModalBlock, CrossModalTransformer
from mmq_tf.model.memory_tokens import MemoryTraining, MemoryTransformer
from mmq_tf.model.transformer import (
    Transformer,
    TransformerTraining,
    mean_of_present,
)
from mmq_tf.training.fit import EpochData

SIZES_HERE = {"ppg": 2, "eda": 2}
SLICES = {"ppg": slice(0, 2), "eda": slice(2, 4)}
TRAINING = TrainingConfig(
    epochs=6, batch_size=64, learning_rate=1e-2, feature_noise=0.1, feature_shift=0.1, teacher_share=0
)
OWNER = [0, 0, 1, 1]


def estimator(name: str, *sections: Any, **more: Any) -> NetworkEstimator:
    return NetworkEstimator(NEURAL_BASELINES[name], *sections, **more)


def cohort(count=256, seed=0):
    """Windows whose class shifts both sensors, with a tenth of the tokens absent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count)
    features = rng.normal(size=(count, 6, 4)).astype(np.float32)
    features[:, :, [0, 2]] += 1.0 * labels[:, np.newaxis, np.newaxis]
    presence = rng.random((count, 6, 2)) < 0.9
    return np.where(presence[:, :, OWNER], features, np.float32(0)), presence, labels


@pytest.fixture(scope="module", params=list(NEURAL_BASELINES))
def fitted(request):
    return estimator(request.param, training=TRAINING).fit(*cohort(128, seed=1), SLICES, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL_BASELINES)
def test_beside_an_ensemble_they_are_ensembles_too(name):
    """So that what is compared costs the same."""
    model = estimator(name, ModelConfig(members=2), training=TRAINING.model_copy(update={"epochs": 1}))
    features, presence, labels = cohort(64, seed=1)
    model.fit(features, presence, labels, SLICES, seed=3)
    assert len(model.net.members) == 2
    first, second = model.net.members
    assert any((a != b).any() for a, b in zip(first.get_weights(), second.get_weights(), strict=True))
    np.testing.assert_allclose(model.predict_proba(features, presence).sum(axis=1), 1, rtol=1e-6)


def test_they_are_not_among_those_that_every_training_makes():
    assert list(NEURAL_BASELINES) == [
        "zero_fill",
        "mean_fill",
        "modality_dropout",
        "attention_mask",
        "memory_tokens",
        "cross_modal",
    ]
    assert not set(NEURAL_BASELINES) & set(BASELINES)


def test_it_learns_and_keeps_working_with_a_sensor_gone(fitted):
    features, presence, labels = cohort(seed=2)
    found = fitted.predict_proba(features, presence)
    assert found.shape == (256, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() >= 0
    assert roc_auc_score(labels, found[:, 1]) > 0.9
    for seen in ([True, False], [False, True]):
        assert roc_auc_score(labels, fitted.predict_proba(features, presence & seen)[:, 1]) > 0.7
    nothing = fitted.predict_proba(features, np.zeros_like(presence))
    np.testing.assert_allclose(nothing, np.broadcast_to(nothing[0], nothing.shape), atol=1e-6)
    assert fitted.predict_proba(features[:0], presence[:0]).shape == (0, 2)


@pytest.mark.parametrize("filler", [7.0, -1e30, np.nan, np.inf])
def test_what_absent_tokens_hold_changes_nothing(fitted, filler):
    features, presence, _ = cohort(count=32, seed=4)
    filled = np.where(presence[:, :, OWNER], features, np.float32(filler))
    expected = fitted.predict_proba(features, presence)
    np.testing.assert_array_equal(fitted.predict_proba(filled, presence), expected)


@pytest.mark.slow
def test_a_seed_gives_the_same_answers():
    data = cohort(count=64)
    training = TRAINING.model_copy(update={"epochs": 1})
    first, second, other = (
        estimator("modality_dropout", ModelConfig(dropout=0.4), training=training)
        .fit(*data, SLICES, seed=seed)
        .predict_proba(*data[:2])
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3


def spec_of(training=TRAINING):
    return array_spec(FeatureLayout(6, SIZES_HERE), ModelConfig(), MissingConfig(), training)


@pytest.mark.slow
def test_a_fold_chooses_its_epoch_on_validation_windows():
    train, validation = (
        plain_windows(*cohort(count, seed), np.array(["a", "b"])[np.arange(count) % 2])
        for count, seed in ((96, 1), (64, 2))
    )
    unknown = dataclasses.replace(train, label=np.where(np.arange(96) < 4, -1, train.label))
    spec = spec_of(TRAINING.model_copy(update={"epochs": 3}))
    model = estimator("attention_mask").fit_windows(unknown, validation, spec, seed=1)
    scores = [epoch["val_auroc"] for epoch in model.history.epochs]
    assert len(scores) == 3
    assert model.history.best_epoch == 1 + int(np.argmax(scores))
    assert model.predict_proba(validation.features, validation.presence).shape == (64, 2)
    nobody = dataclasses.replace(train, label=np.full(96, -1))
    with pytest.raises(MMQError, match="attention_mask needs at least one labelled window"):
        model.fit_windows(nobody, validation, spec)


def test_trees_take_a_fold_as_well():
    train = plain_windows(*cohort(40), np.full(40, "a"))
    given = spec_of()
    model = BASELINES["logistic"]().fit_windows(train, None, given, seed=0)
    expected = BASELINES["logistic"]().fit(*cohort(40), SLICES, seed=0)
    answer = expected.predict_proba(train.features, train.presence)
    np.testing.assert_array_equal(model.predict_proba(train.features, train.presence), answer)


@pytest.mark.parametrize(("name", "hides"), [("zero_fill", False), ("modality_dropout", True)])
def test_only_those_that_are_taught_with_gaps_see_them(name, hides):
    train = plain_windows(*cohort(64), np.full(64, "a"))
    own = NEURAL_BASELINES[name].own_spec(spec_of())
    inputs, _ = EpochData(train, own, 2, seed=0).draw(0)
    assert (inputs["presence"] < inputs["presence_full"]).any() == hides


def test_the_mean_is_of_present_tokens():
    features = np.array([[[1.0, 9.0], [3.0, np.nan]]])
    visible = np.array([[[True, False], [True, False]]])
    np.testing.assert_array_equal(mean_of_present(features, visible), [2.0, 0.0])
    windows, presence, _ = cohort(seed=1)
    model = estimator("mean_fill", training=TRAINING.model_copy(update={"epochs": 1}))
    model.fit(*cohort(seed=1), SLICES)
    seen = presence[:, :, OWNER]
    np.testing.assert_allclose(model.net.fill, (windows * seen).sum((0, 1)) / seen.sum((0, 1)), rtol=1e-5)


@pytest.mark.parametrize("network", [Transformer, MemoryTransformer, CrossModalTransformer])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_has_about_as_many_weights_as_mmqnet(network, size):
    shape = (12, {"ppg": 7, "eda": 5, "temp": 2, "acc": 6}, {"stress": 2})
    beside = network.from_size(size, *shape)
    assert 0.9 < beside.count_params() / MMQNet.from_size(size, *shape).count_params() < 1.15


@pytest.mark.parametrize(
    ("network", "teaching", "own"),
    [
        (Transformer, TransformerTraining, {"fill": [1, 2, 3, 4], "blocks": 1}),
        (MemoryTransformer, MemoryTraining, {}),
        (CrossModalTransformer, TransformerTraining, {}),
    ],
)
def test_it_can_be_saved(tmp_path, network, teaching, own):
    net = network(6, SIZES_HERE, {"stress": 2}, dropout=0.1, seed=1, **own)
    teaching(net).save(tmp_path / "model.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.net
    features, presence, _ = cohort(count=4)
    given = {"features": features, "presence": presence.astype("float32")}
    np.testing.assert_allclose(again(given)["stress"], net(given)["stress"], atol=1e-6)
    with pytest.raises(MMQError, match="`fill` must hold 4 numbers, got 1"):
        Transformer(6, SIZES_HERE, {"stress": 2}, fill=[1.0])


def test_rebuilding_is_taught_only_where_training_hid_something():
    net = MemoryTransformer(6, SIZES_HERE, {"label": 2}, seed=1)
    model: Any = MemoryTraining(net, LossWeights(classes=0, classes_full=0, rebuild_tokens=0.5))
    features, presence, labels = cohort(count=8)
    full = {"features_full": features, "presence_full": presence.astype("float32")}
    y = {"label": labels}

    def loss(keep):
        x = {"features": features, "presence": (presence & keep).astype("float32"), **full}
        return x, float(model.compute_loss(x, y, model(x)))

    assert loss(np.array([True, True]))[1] == 0
    x, taught = loss(np.array([True, False]))
    shown = net.trace(x["features"], x["presence"], False)["rebuilt"]
    wanted = net.trace(x["features_full"], x["presence_full"], False)["tokens"]
    error = np.square(np.asarray(shown) - np.asarray(wanted)).reshape(8, 6, 2, -1)[:, :, 1]
    assert taught == pytest.approx(0.5 * error[presence[:, :, 1]].mean(), rel=1e-5)


def test_what_is_rebuilt_comes_from_what_is_there_and_fills_the_gap_alone():
    net: Any = MemoryTransformer(6, SIZES_HERE, {"label": 2}, seed=1)
    features = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
    features[1, :, 2:] = features[0, :, 2:]
    no_eda = np.tile(np.array([1, 0], np.float32), (2, 6, 1))
    rebuilt = np.asarray(net.trace(features, no_eda, False)["rebuilt"]).reshape(2, 6, 2, -1)
    assert np.abs(rebuilt[0, :, 1] - rebuilt[1, :, 1]).max() > 1e-3
    nothing = np.zeros_like(no_eda)
    rebuilt = np.asarray(net.trace(features, nothing, False)["rebuilt"])
    np.testing.assert_array_equal(rebuilt[0], rebuilt[1])
    for block in net.fusion:  # what is rebuilt reaches the answer only where something lacks
        block.shrink.kernel.assign(np.zeros(block.shrink.kernel.shape))
        block.attention.out.kernel.assign(np.zeros(block.attention.out.kernel.shape))
    net.memory.assign(np.full(net.memory.shape, 3.0))
    whole = np.ones_like(no_eda)
    expected = np.tanh(0.5 * np.asarray(net.embedding(features, whole))).mean(axis=1)
    np.testing.assert_allclose(net.trace(features, whole, False)["pooled"], expected, atol=1e-6)


def test_a_sensor_attends_to_each_other_one_apart():
    block = CrossModalBlock(2, 3, dim=4, heads=1, hidden=4, seed=2)
    rng = np.random.default_rng(0)
    targets, sources = rng.normal(size=(2, 1, 6, 4)).astype("float32")
    here = np.ones((1, 6, 1), "float32")
    here[0, [2, 5]] = 0  # the third sensor lacks altogether
    block.build((None, 6, 4))
    found = np.asarray(block._mixtures(targets, sources, here)).reshape(6, 3, 2)
    queries, values = np.asarray(block.query_projection(targets))[0], np.asarray(block.values(sources))[0]
    for token in range(6):
        for source in range(3):
            steps = [source, 3 + source]
            scores = np.exp(queries[token] @ sources[0, steps].T)
            wanted = scores / scores.sum() @ values[steps]
            if source in (token % 3, 2):
                wanted = np.zeros(2)
            np.testing.assert_allclose(found[token, source], wanted, atol=1e-5)
    with pytest.raises(MMQError, match="`dim` must be a multiple of 2 \\* heads, got 6 and 2"):
        CrossModalBlock(2, 3, dim=6, heads=2, hidden=4)


def test_cross_modal_weights_grow_with_the_sensors_and_not_with_their_pairs():
    def weights(modalities):
        sizes = {f"m{place}": 3 for place in range(modalities)}
        return CrossModalTransformer(12, sizes, {"stress": 2}).count_params()

    few = weights(3) - weights(2)
    assert weights(9) - weights(8) <= few + 2 * 3 * 32 * 8  # the block-dense kernel is stored whole
