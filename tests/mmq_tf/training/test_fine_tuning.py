# SPDX-License-Identifier: Apache-2.0
"""Training a network on: towards its own words, keeping what may be kept, calibrated anew."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet
from mmq_tf.training.fine_tuning import (
    TuningWindows,
    fine_tune,
    recalibrated,
    self_distillation_targets,
    tuning_windows,
)
from mmq_tf.training.fit import ValidationViews, new_network

SETTINGS = [
    "front_end.tokens=4",
    "front_end.modalities={eda={sampling_rate_hz=4},temp={sampling_rate_hz=4}}",
    "training.batch_size=32",
    "training.learning_rate=0.01",
    "artefacts.variants=0",
]
DECISION = {"tasks": {"stress": ["rest", "stress"]}, "temperature": {"stress": 9.0}, "every_tokens": 1}


@pytest.fixture(scope="module")
def config():
    return load_config("simulated", SETTINGS)


@pytest.fixture(scope="module")
def windows(config):
    """The same 32 windows to train and to validate on; their labels are drawn, so they teach nothing."""
    rng = np.random.default_rng(0)
    count, front_end = 32, config.front_end
    shape = (count, front_end.tokens)
    made = WindowSet(
        features=rng.standard_normal((*shape, front_end.n_features)).astype(np.float32),
        presence=np.ones((*shape, 2), bool),
        label=rng.permutation(np.arange(count) % 2).astype(np.int8),
        subject=np.full(count, "a"),
        session=np.full(count, "1"),
        trial=np.zeros(count, dtype=np.int64),
        start_s=np.arange(count, dtype=np.float64),
        variant_features=np.zeros((0, *shape, front_end.n_features), np.float32),
        variant_presence=np.zeros((0, *shape, 2), bool),
        variant_corrupted=np.zeros((0, *shape, 2), bool),
    )
    return TuningWindows(made, made)


@pytest.mark.slow
def test_the_target_is_what_is_learned_not_the_label(config, windows):
    net = new_network(config.training_spec, 2, seed=0).net
    target = np.tile(np.array([0.9, 0.1], np.float32), (len(windows.train), 1))
    history = fine_tune(net, TuningWindows(windows.train, None), config, target, 0, epochs=8)
    assert len(history.epochs) == history.best_epoch == 8
    found = self_distillation_targets(net, windows, "stress")
    assert found.shape == target.shape
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found[:, 0].mean() > 0.75


@pytest.mark.slow
def test_an_epoch_before_the_first_whole_one_is_never_kept(config, windows, monkeypatch):
    scores = iter([0.9, 0.5, 0.7])
    monkeypatch.setattr(ValidationViews, "score", lambda self, net: {"val_auroc": next(scores)})
    net = new_network(config.training_spec, 2, seed=0).net
    target, seen = self_distillation_targets(net, windows, "stress"), []
    history = fine_tune(
        net,
        windows,
        config,
        target,
        0,
        epochs=3,
        keep_from=2,
        on_epoch=lambda epoch, metrics: seen.append(epoch),
    )
    assert seen == [1, 2, 3]
    assert history.best_epoch == 3


def test_the_decision_follows_the_network_where_it_can(config, windows):
    net = new_network(config.training_spec, 2, seed=0).net
    assert recalibrated(DECISION, net, None, "stress") == DECISION
    made = recalibrated(DECISION, net, windows.validation, "stress")
    assert made["tasks"] == DECISION["tasks"]
    assert made["every_tokens"] == 1
    assert made["temperature"]["stress"] != 9.0
    assert 0 <= made["min_confidence"]["stress"] <= 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"train_subjects": ["a", "b"]}, "those of b are not there"), ({}, "does not say who they are")],
)
def test_a_training_subject_that_is_gone_is_named(config, facts, message):
    with pytest.raises(MMQError, match=message):
        tuning_windows(config, config.front_end, [SimpleNamespace(subject="a")], facts)  # type: ignore
