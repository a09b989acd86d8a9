# SPDX-License-Identifier: Apache-2.0
"""Raw samples become tokens: the convolution's two orders, absent samples, saving, and ME-MHACL on top."""

from typing import Any

import keras
import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import ops
from mmq_tf.model.mhacl import MHACL, ModalityEncoder
from mmq_tf.model.raw_encoder import FILTERS, RawConvolution, sample_sizes

T, SAMPLES = 3, {"eeg": (40, 4), "eda": (6, 1)}
SIZES = sample_sizes(SAMPLES)


def make_inputs(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, T, sum(SIZES.values()))).astype("float32")
    return {"features": features, "presence": np.ones((count, T, len(SIZES)), "float32")}


def make_net() -> MHACL:
    return MHACL.from_size("nano", T, SIZES, {"stress": 2}, samples=SAMPLES, seed=3)


def vectors(encoder, inputs):
    return [ops.convert_to_numpy(value) for value in encoder.encode(inputs)]


def test_it_is_a_filter_in_time_and_then_one_over_the_channels():
    layer = RawConvolution(T, 40, 4, 8, seed=1)
    layer.build()
    samples = np.random.default_rng(0).normal(size=(2, T * 40, 4)).astype("float32")
    got = ops.convert_to_numpy(layer.filtered(samples))
    in_time, over = ops.convert_to_numpy(layer.in_time), ops.convert_to_numpy(layer.over_channels)
    taps = len(in_time)
    padded = np.pad(samples, ((0, 0), ((taps - 1) // 2, taps // 2), (0, 0)))
    first = np.stack(
        [(padded[:, k : k + taps, :, None] * in_time[:, None]).sum(1) for k in range(T * 40)], axis=1
    )
    want = np.einsum("ntcf,cfd->ntfd", first, over).reshape(2, T * 40, -1)
    assert layer.stride == 1
    assert got.shape == (2, T * 40, FILTERS * 2)
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(("samples", "channels"), [(256, 32), (320, 1), (20, 1), (1, 3), (7, 2)])
def test_any_number_of_samples_gives_one_vector_a_step(samples, channels):
    layer = RawConvolution(T, samples, channels, 8)
    layer.build()
    assert tuple(layer(np.zeros((2, T * samples, channels), "float32")).shape) == (2, T, 8)


def test_vectors_and_presence_are_those_of_a_token_encoder():
    got, present = vectors(make_net().encoder, make_inputs(5))
    assert got.shape == (5, 2, 32)
    np.testing.assert_array_equal(present, 1)


def test_what_an_absent_sample_holds_never_reaches_the_vectors():
    encoder, inputs = make_net().encoder, make_inputs(6)
    inputs["presence"][:, 1, 0] = 0
    inputs["presence"][:3, :, 1] = 0
    filled = inputs["features"].copy()
    filled[:, 1, : SIZES["eeg"]] = 50
    filled[:3, :, SIZES["eeg"] :] = 50
    plain, present = vectors(encoder, inputs)
    np.testing.assert_allclose(vectors(encoder, {**inputs, "features": filled})[0], plain, atol=1e-5)
    np.testing.assert_array_equal(present, [[1, 0]] * 3 + [[1, 1]] * 3)
    assert not plain[:3, 1].any()


def test_a_modality_sees_its_own_samples_alone():
    encoder, inputs = make_net().encoder, make_inputs(4)
    other = {**inputs, "features": inputs["features"].copy()}
    other["features"][..., SIZES["eeg"] :] += 1
    one, two = vectors(encoder, inputs)[0], vectors(encoder, other)[0]
    np.testing.assert_allclose(one[:, 0], two[:, 0], atol=1e-5)
    assert np.abs(one[:, 1] - two[:, 1]).max() > 1e-3


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    net = make_net()
    net.save(tmp_path / "net.keras")
    again: Any = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    answers = (vectors(one.encoder, make_inputs(3)) for one in (net, again))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.samples == SAMPLES


@pytest.mark.slow
def test_stage_2_learns_a_class_from_raw_samples():
    """One class has a wave of 8 samples in its EEG: attention and read-out work on raw vectors unchanged."""
    inputs = make_inputs(96)
    labels = np.arange(96) % 2
    wave = np.tile(np.sin(np.arange(40) * 2 * np.pi / 8)[:, None], (1, 4)).ravel()
    inputs["features"][labels == 1, :, : SIZES["eeg"]] += 1.5 * wave
    net = make_net()
    optimizer = keras.optimizers.Adam(5e-3)

    class Task(keras.Model):
        def __init__(self):
            super().__init__()
            self.net = net

        def call(self, given, training=False):
            return self.net(given, training=training)["stress"]

    model = Task()
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(inputs, labels, batch_size=32, epochs=12, verbose=0)  # pyright: ignore[reportArgumentType]
    fresh = make_inputs(40, seed=9)
    fresh["features"][::2, :, : SIZES["eeg"]] += 1.5 * wave
    said = ops.convert_to_numpy(net(fresh)["stress"]).argmax(1)
    assert (said == (np.arange(40) % 2 == 0)).mean() > 0.9


@pytest.mark.parametrize(
    "make",
    [
        lambda: RawConvolution(0, 4, 1, 8),
        lambda: ModalityEncoder(T, {"eeg": 160}, 8, 2, samples={"eeg": (40, 3)}),
        lambda: MHACL(T, {"eeg": 160}, {"stress": 2}, samples={}),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(MMQError, match="must"):
        make()
