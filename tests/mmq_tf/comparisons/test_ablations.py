# SPDX-License-Identifier: Apache-2.0
"""Each ablation is the very network of a fold but for its one change; a sensor taken out is not there."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout
from scipy.special import softmax

from mmq_tf.comparisons.ablations import ABLATIONS, CHANGES, LINE_CHANGES, ablations_of
from mmq_tf.comparisons.estimator import NetworkComparison, NetworkEstimator, SensorCut, changed
from mmq_tf.config.training_spec import (
    ArtefactsConfig,
    MissingConfig,
    ModelConfig,
    TrainingConfig,
    TrainingSpec,
)
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import array_spec, plain_windows
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import fit_temperature
from mmq_tf.training.fit import fit_network, new_network, predict_logits

SIZES = {"eda": 2, "acc": 3}
T = 3


def spec(**missing) -> TrainingSpec:
    plain = array_spec(
        FeatureLayout(T, SIZES),
        ModelConfig(),
        MissingConfig(**missing),
        TrainingConfig(epochs=2, batch_size=32, teacher_share=0.0),
    )
    return plain.model_copy(update={"artefacts": ArtefactsConfig(variants=1, used_share=0.5)})


def windows(count: int, seed: int) -> WindowSet:
    """Windows whose class shifts EDA, with one corrupted variant."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 2
    features = rng.normal(size=(count, T, 5)).astype("float32")
    features[:, :, :2] += 1.5 * label[:, None, None]
    presence = np.ones((count, T, 2), bool)
    plain = plain_windows(features, presence, label, np.repeat(np.arange(count // 4), 4).astype(str))
    corrupted = rng.random(presence.shape) < 0.3
    noisy = features + 3 * np.repeat(corrupted, [2, 3], axis=-1)
    return replace(
        plain,
        variant_features=noisy[None].astype("float32"),
        variant_presence=presence[None],
        variant_corrupted=corrupted[None],
    )


TRAIN, VALIDATION, TEST = windows(40, 0), windows(16, 1), windows(16, 2)


@pytest.mark.slow
def test_nothing_taken_out_is_the_folds_own_network_to_the_bit():
    whole = NetworkEstimator(NetworkComparison("whole", calibrated=True))
    found = whole.fit_windows(TRAIN, VALIDATION, spec(), seed=5).predict_proba(TEST.features, TEST.presence)
    model = new_network(spec(), 2, 5)
    fit_network(model, TRAIN, VALIDATION, spec(), 5, None, run_eagerly=True)
    held = predict_logits(model.net, VALIDATION.features, VALIDATION.presence)["label"]
    logits = predict_logits(model.net, TEST.features, TEST.presence)["label"]
    temperature = fit_temperature(held, VALIDATION.label)
    np.testing.assert_array_equal(found, softmax(logits.astype(np.float64) / temperature, axis=1))


def test_each_takes_out_what_it_says_and_nothing_else():
    whole = spec()
    taken = {}
    for name, changes in CHANGES.items():
        own = changed(spec(), changes)
        new = {
            f"{section}.{key}"
            for section in ("model", "missing", "artefacts", "training", "losses")
            for key, value in _values(getattr(own, section)).items()
            if value != _values(getattr(whole, section))[key]
        }
        assert new == {f"{section}.{key}" for section, values in changes.items() for key in values}
        taken[name] = frozenset(new)
    queries = [name for name, what in taken.items() if what == {"model.queries"}]
    others = [what for name, what in taken.items() if name not in queries]
    assert len(queries) == 3
    assert len(set(others)) == len(others)


def _values(section) -> dict:
    return section.model_dump() if hasattr(section, "model_dump") else asdict(section)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "unread"), [("without_acc", slice(2, 5)), ("only_acc", slice(0, 2))])
def test_a_sensor_that_was_taken_out_is_never_read(name, unread):
    def junk(given: WindowSet) -> WindowSet:
        features, variant = given.features.copy(), given.variant_features.copy()
        features[..., unread], variant[..., unread] = np.nan, np.nan
        return replace(given, features=features, variant_features=variant)

    asked = spec(conditions={"still": ("acc",), "dry": ("eda",)})
    answers = [
        NetworkEstimator(ABLATIONS[name])
        .fit_windows(*sides, asked, seed=1)
        .predict_proba(TEST.features, TEST.presence)
        for sides in ((TRAIN, VALIDATION), (junk(TRAIN), junk(VALIDATION)))
    ]
    np.testing.assert_array_equal(answers[1], answers[0])
    assert np.isfinite(answers[0]).all()


def test_sensors_are_cut_out_of_windows_and_their_variants():
    cut = SensorCut.of(spec().layout, ["acc"]).windows(TRAIN)
    np.testing.assert_array_equal(cut.features, TRAIN.features[:, :, 2:])
    np.testing.assert_array_equal(cut.variant_corrupted, TRAIN.variant_corrupted[..., 1:])
    assert cut.presence.shape == (40, T, 1)


def test_those_of_a_sensor_need_it_and_another_one():
    assert set(ablations_of(["eda", "acc"])) == {*CHANGES, "without_eda", "without_acc", "only_acc"}
    assert set(ablations_of(["eda", "temp"])) == {*CHANGES, "without_eda", "without_temp"}
    assert set(ablations_of(["acc"])) == set(CHANGES)
    assert set(ablations_of(["acc"], line=True)) == {*CHANGES, *LINE_CHANGES}


def test_without_a_runs_training_spec_or_validation_windows_it_says_so():
    taken = NetworkEstimator(ABLATIONS["without_learned_mask"])
    with pytest.raises(MMQError, match="fit_windows"):
        taken.fit(TRAIN.features, TRAIN.presence, TRAIN.label, spec().layout.feature_slices)
    with pytest.raises(MMQError, match="validation"):
        taken.fit_windows(TRAIN, None, spec())
