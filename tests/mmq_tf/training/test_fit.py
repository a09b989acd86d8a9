# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.features.windows import WindowSet
from mmq_tf.training.callbacks import EpochBatches
from mmq_tf.training.fit import EpochData, ValidationViews, fit_network, new_network, predict_logits

SETTINGS = [
    "front_end.tokens=4",
    "front_end.modalities={eda={sampling_rate_hz=4},temp={sampling_rate_hz=4}}",
    "training.epochs=4",
    "training.batch_size=16",
    "training.feature_noise=0.1",
    "model.dropout=0.2",
    "artefacts.used_share=0.5",
]


@pytest.fixture(scope="module")
def config():
    return load_config("simulated", SETTINGS).training_spec


def make_windows(config, count=48, seed=0):
    """Windows whose first feature tells the class; variant 0 has eda corrupted in half the steps."""
    rng = np.random.default_rng(seed)
    layout = config.layout
    shape = (count, layout.tokens)
    label = np.arange(count) % 2
    features = rng.standard_normal((*shape, layout.n_features)).astype(np.float32)
    features[..., 0] += 3 * label[:, None]
    presence = rng.random((*shape, 2)) < 0.9
    corrupted = np.zeros((1, *shape, 2), dtype=bool)
    corrupted[:, :, ::2, 0] = True
    return WindowSet(
        features=np.where(layout.by_feature(presence), features, 0).astype(np.float32),
        presence=presence,
        label=label.astype(np.int8),
        subject=np.full(count, "a"),
        session=np.full(count, "1"),
        trial=np.zeros(count, dtype=np.int64),
        start_s=np.arange(count, dtype=np.float64),
        variant_features=(features + 100)[None],
        variant_presence=np.ones((1, *shape, 2), dtype=bool),
        variant_corrupted=corrupted,
    )


def test_an_epoch_depends_on_seed_and_number_alone(config):
    windows = make_windows(config)
    first, again = (EpochData(windows, config, 2, 3).draw(5) for _ in range(2))
    other = EpochData(windows, config, 2, 3).draw(6)
    for name in first[0]:
        np.testing.assert_array_equal(first[0][name], again[0][name])
    assert not np.array_equal(first[0]["features"], other[0]["features"])


def test_an_epoch_shows_zeros_where_absent_and_marks_only_what_is_seen(config):
    inputs, _ = EpochData(make_windows(config), config, 2, 0).draw(0)
    shown = config.layout.by_feature(inputs["presence"] > 0)
    assert (inputs["features"][~shown] == 0).all()
    assert (inputs["corrupted"] <= inputs["presence"]).all()
    assert inputs["corrupted"].sum() > 0
    assert (inputs["presence_full"] == 1).any()
    assert np.abs(inputs["features_full"]).max() < 50  # the clean window, never the corrupted variant


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_channels_of_a_sensor_share_as_much_noise_as_they_are_told(share):
    """And every feature's noise keeps the variance that the settings name."""
    eeg = "front_end.modalities={eeg={sampling_rate_hz=128,channels=['Fz','Cz']},eda={sampling_rate_hz=4}}"
    settings = ["training.feature_noise=0.6", "training.feature_shift=0.8"]
    config = load_config("simulated", [eeg, *settings, f"training.channels_in_common={share}"]).training_spec
    names = config.layout.feature_names
    noise = EpochData(make_windows(config), config, 2, 0)._jitter(
        np.random.default_rng(0), (4000, 3, len(names))
    )
    correlation = np.corrcoef(noise.reshape(-1, len(names)), rowvar=False)
    kinds = np.array([(name.split(".")[0], name.split(".")[-1]) for name in names])
    same = (kinds[:, None] == kinds).all(axis=-1)
    np.testing.assert_allclose(noise.std(axis=(0, 1)), 1.0, atol=0.05)
    np.testing.assert_allclose(correlation[same & ~np.eye(len(names), dtype=bool)], share, atol=0.06)
    np.testing.assert_allclose(correlation[~same], 0, atol=0.06)


def test_single_electrodes_fail_in_what_is_shown_and_nowhere_else():
    eeg = "front_end.modalities={eeg={sampling_rate_hz=128,channels=['Fz','Cz']},eda={sampling_rate_hz=4}}"
    config = load_config(
        "simulated", [eeg, "missing.complete_share=1", "missing.max_channel_rate=0.9"]
    ).training_spec
    inputs, _ = EpochData(make_windows(config), config, 2, 0).draw(0)
    blank = (inputs["features"] == 0).all(axis=1) & (inputs["presence"].max(axis=1) > 0).any(axis=1)[:, None]
    of = np.array([name.rpartition(".")[0] for name in config.layout.feature_names])
    failed = {name: blank[:, of == name] for name in ("eeg.Fz", "eeg.Cz", "eda")}
    for name in ("eeg.Fz", "eeg.Cz"):
        assert (failed[name].all(axis=1) == failed[name].any(axis=1)).all()
        assert 0.2 < failed[name].mean() < 0.7
    assert not failed["eda"].any()
    assert not (inputs["features_full"] == 0).all(axis=1).any()


@pytest.mark.slow
def test_training_goes_on_after_a_break_as_if_unbroken(config, tmp_path):
    train, validation = make_windows(config), make_windows(config, 24, seed=1)

    def fit(state, on_epoch=lambda epoch, metrics: None):
        model = new_network(config, 2, seed=7)
        history = fit_network(model, train, validation, config, 7, state, on_epoch)
        return history, predict_logits(model.net, validation.features, validation.presence)["stress"]

    def stop(epoch, metrics):
        if epoch == 2:
            raise KeyboardInterrupt

    whole, logits = fit(tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken.npz", stop)
    resumed, resumed_logits = fit(tmp_path / "broken.npz")
    assert resumed.epochs == whole.epochs
    assert resumed.best_epoch == whole.best_epoch
    np.testing.assert_array_equal(resumed_logits, logits)


@pytest.mark.slow
def test_without_validation_exactly_the_asked_epochs_are_trained(config, tmp_path):
    model = new_network(config, 2, seed=0)
    state = tmp_path / "state.npz"
    history = fit_network(model, make_windows(config), None, config, 0, state, epochs=2, run_eagerly=True)
    assert len(history.epochs) == history.best_epoch == 2


def test_validation_views_hide_each_sensor_in_turn(config):
    windows = make_windows(config, 10)
    views = ValidationViews(windows, config)
    assert views.presence.shape == (40, 4, 2)  # full, no-eda, no-temp, random
    np.testing.assert_array_equal(views.presence[:10], windows.presence)
    assert not views.presence[10:20, :, 0].any()
    assert not views.presence[20:30, :, 1].any()
    assert (views.features[~config.layout.by_feature(views.presence)] == 0).all()


def test_a_batch_brings_the_weights_of_its_windows_where_they_differ():
    spec = load_config("simulated", [*SETTINGS, "training.teacher_share=0"]).training_spec
    windows = make_windows(spec)
    weighted = replace(windows, weight=(windows.label + 1).astype(np.float32))
    assert len(EpochBatches(EpochData(windows, spec, 2, 0).draw, 16, 0)[0]) == 2
    for batch in (EpochBatches(EpochData(weighted, spec, 2, 0).draw, 16, 0)[k] for k in range(3)):
        _, target, weight = batch
        np.testing.assert_array_equal(weight, target["stress"].argmax(axis=1) + 1)


def test_windows_of_hardly_any_weight_are_hardly_heard():
    settings = ["training.teacher_share=0", "training.epochs=12", "training.learning_rate=0.01"]
    spec = load_config("simulated", [*SETTINGS, *settings]).training_spec
    windows = make_windows(spec, count=96)
    wrong = np.arange(96) >= 32
    told = replace(windows, label=np.where(wrong, 1 - windows.label, windows.label))
    right = {}
    for weight in (1e-4, 1.0):
        given = replace(told, weight=np.where(wrong, weight, 1.0).astype(np.float32))
        model = new_network(spec, 2, seed=0)
        fit_network(model, given, None, spec, 0, None)
        logits = predict_logits(model.net, windows.features, windows.presence)["stress"]
        right[weight] = float((logits.argmax(axis=1) == windows.label).mean())
    assert right[1e-4] > 0.8
    assert right[1.0] < 0.4
