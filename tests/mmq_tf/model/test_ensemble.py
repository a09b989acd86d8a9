# SPDX-License-Identifier: Apache-2.0
"""Ensemble: the mean of its members, each of which learns as it would alone."""

from typing import Any

import keras
import numpy as np
import pytest
from mmq_bridge.bundle.deployable_ops import check_ops
from mmq_bridge.bundle.flatbuffer import list_ops
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.errors import MMQError
from mmq_tf.model import MHACL, Ensemble, MMQNet
from mmq_tf.model.ensemble import SEED_STEP, member_seeds, members_of, trained_together
from mmq_tf.training.fit import training_model

T, FEATURES, TASKS = 4, {"ppg": 3, "eda": 2}, {"stress": 2, "load": 3}
M, F = len(FEATURES), sum(FEATURES.values())


def make_members(kind=MMQNet, count=3, **kwargs):
    return [kind(T, FEATURES, TASKS, dim=16, seed=seed, **kwargs) for seed in member_seeds(5, count)]


def window(batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    presence = (rng.random((batch, T, M)) < 0.6).astype("float32")
    return {"features": rng.normal(size=(batch, T, F)).astype("float32"), "presence": presence}


def batch(count: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    shown, rng = window(count, seed), np.random.default_rng(seed)
    full = {"features_full": shown["features"], "presence_full": np.ones((count, T, M), "float32")}
    corrupted = (rng.random((count, T, M)) < 0.3) * shown["presence"]
    labels = {task: rng.integers(0, classes, count) for task, classes in TASKS.items()}
    return {**shown, **full, "corrupted": corrupted.astype("float32")}, labels


@pytest.mark.parametrize("kind", [MMQNet, MHACL])
def test_its_logits_are_the_mean_of_its_members(kind):
    members, inputs = make_members(kind), window(5)
    found = Ensemble(members)(inputs)
    for task, classes in TASKS.items():
        alone = np.stack([np.array(member(inputs)[task]) for member in members])
        assert np.ptp(alone, axis=0).min() > 0  # the members differ
        np.testing.assert_allclose(np.array(found[task]), alone.mean(axis=0), rtol=1e-5, atol=1e-6)
        assert found[task].shape == (5, classes)


def test_its_trace_is_the_mean_of_what_members_have_in_common():
    members, inputs = make_members(), window(5)
    found = Ensemble(members).trace(inputs)
    assert set(found) == {"logits", "category_attention", "interference_scores"}
    for name in ("category_attention", "interference_scores"):
        alone = np.mean([np.array(member.trace(inputs)[name]) for member in members], axis=0)
        np.testing.assert_allclose(np.array(found[name]), alone, rtol=1e-5, atol=1e-6)
    without = Ensemble(make_members(queries=("modality", "category")))
    assert "interference_scores" not in without.trace(inputs)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    net, inputs = Ensemble(make_members()), window(5)
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    assert isinstance(again, Ensemble)
    assert again.tasks == TASKS
    for task in TASKS:
        np.testing.assert_array_equal(np.array(again(inputs)[task]), np.array(net(inputs)[task]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MMQNet, MHACL])
def test_each_member_learns_as_it_would_alone(kind):
    def trained(count):
        keras.utils.set_random_seed(0)
        nets = make_members(kind, count, dropout=0.2)
        model = training_model(nets[0] if count == 1 else Ensemble(nets), LossWeights())
        model.compile(optimizer=keras.optimizers.AdamW(1e-2, clipnorm=1.0), run_eagerly=True)
        for seed in range(3):
            inputs, labels = batch(16, seed)
            model.fit(inputs, labels, 8, shuffle=False, verbose=0)
        return members_of(model.net)

    (alone,), together = trained(1), trained(2)
    start = make_members(kind, 1)[0].get_weights()
    for own, other, before in zip(alone.get_weights(), together[0].get_weights(), start, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-4)
        if own.size > 8:
            assert np.abs(own - before).max() > 1e-3


def test_the_training_model_is_saved_with_its_parts():
    model = training_model(Ensemble(make_members(count=2)), LossWeights())
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert type(again) is type(model)
    assert [part.net.seed for part in again.parts] == [5, 5 + SEED_STEP]
    assert len(again.seed_generators) == len(model.seed_generators)


def test_one_network_stays_alone():
    (net,) = make_members(count=1)
    part = training_model(net, LossWeights())
    assert trained_together([part]) is part
    assert members_of(net) == [net]


@pytest.mark.slow
def test_it_becomes_one_graph_of_allowed_operations():
    windows = [window(1, seed) for seed in range(20)]
    sizes = []
    for members in (1, 2):
        nets = make_members(count=members)
        net = nets[0] if members == 1 else Ensemble(nets)
        content = convert(deployed_model(net, T, F, M), windows, RECIPES["int8"])
        check_ops(content)
        sizes.append(len(content))
    assert 1.5 < sizes[1] / sizes[0] < 2.2


@pytest.mark.slow
def test_what_members_share_may_have_a_scale_in_each():
    shared: Any = keras.Input(batch_shape=(1, 4), name="features")
    loud = keras.ops.concatenate([keras.ops.relu(shared), 20.0 * shared], axis=-1)
    quiet = keras.ops.concatenate([keras.ops.relu(shared), 0.5 * shared], axis=-1)
    model = keras.Model([shared], {"stress": keras.layers.Dense(2)(loud) + keras.layers.Dense(2)(quiet)})
    windows = [{"features": np.random.default_rng(seed).normal(size=(1, 4))} for seed in range(20)]
    content = convert(model, windows, RECIPES["int8"])
    assert list_ops(content)["QUANTIZE"] > 0
    check_ops(content)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (lambda: make_members(count=1), "expected two or more networks, got 1"),
        (
            lambda: [*make_members(count=1), MMQNet(T, FEATURES, {"stress": 2}, dim=16)],
            "must have the tasks of the first",
        ),
    ],
)
def test_what_is_no_ensemble_is_refused(members, message):
    with pytest.raises(MMQError, match=message):
        Ensemble(members())
