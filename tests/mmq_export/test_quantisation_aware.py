# SPDX-License-Identifier: Apache-2.0
"""Fake quantisation: the grids, the gradients, and that nothing of it stays behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from mmq_export.quantisation_aware import fake_quantised, round_activation, round_kernel

from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.mmqnet import MMQNet


@pytest.fixture(params=[MMQNet, MHACL])
def net(request):
    keras.utils.set_random_seed(0)
    return request.param(4, {"eda": 6, "temp": 2}, {"stress": 2}, dim=16)


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    presence = (rng.random((5, 4, 2)) > 0.3).astype("float32")
    return {"features": rng.normal(size=(5, 4, 8)).astype("float32"), "presence": presence}


def test_a_kernel_lies_on_255_steps_around_an_exact_zero():
    kernel = np.random.default_rng(0).normal(size=(40, 40)).astype("float32")
    kernel[0, :5] = 0
    rounded = np.array(round_kernel(tf.constant(kernel)))
    step = np.abs(kernel).max() / 127
    np.testing.assert_allclose(rounded / step, np.rint(rounded / step), atol=1e-3)
    np.testing.assert_allclose(rounded, kernel, atol=0.51 * step)
    assert (rounded[0, :5] == 0).all()
    assert len(np.unique(rounded)) > 100


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_an_activation_lies_on_256_steps_with_an_exact_zero(shift):
    values = np.random.default_rng(0).normal(shift, 1, 5000).astype("float32")
    values[0] = 0
    rounded = np.array(round_activation(tf.constant(values)))
    step = (max(values.max(), 0) - min(values.min(), 0)) / 255
    np.testing.assert_allclose(rounded, values, atol=1.01 * step)
    assert rounded[0] == 0
    assert len(np.unique(rounded)) <= 256
    assert np.isfinite(round_activation(tf.zeros(3))).all()


def test_gradients_pass_the_rounding():
    values = tf.Variable(tf.linspace(-1.0, 1.0, 50))
    for rounding in (round_kernel, round_activation):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(rounding(values))
        np.testing.assert_array_equal(tape.gradient(total, values)[1:-1], np.ones(48))  # type: ignore


def test_rounding_changes_the_logits_a_little_and_leaves_nothing_behind(net, inputs):
    before = net.predict(inputs, verbose=0)["stress"]
    with fake_quantised(net):
        within = net.predict(inputs, verbose=0)["stress"]
    after = net.predict(inputs, verbose=0)["stress"]
    np.testing.assert_array_equal(before, after)
    difference = np.abs(within - before).max()
    assert 0 < difference < 0.1 * np.abs(before).max()
    assert not [layer.name for layer in net._flatten_layers() if "call" in vars(layer)]


def test_the_net_is_itself_again_after_an_error(net, inputs):
    before = np.array(net(inputs)["stress"])
    with pytest.raises(KeyError), fake_quantised(net):
        raise KeyError
    np.testing.assert_array_equal(before, net(inputs)["stress"])


def test_every_kernel_of_the_deployed_graph_learns_within_the_context(net, inputs):
    with fake_quantised(net), tf.GradientTape() as tape:
        loss = tf.reduce_sum(net(inputs)["stress"] ** 2)
    kernels = [v for v in net.trainable_variables if v.path.endswith("/kernel")]
    used = [v for v in kernels if "interference_queries" not in v.path]
    gradients = tape.gradient(loss, [v.value for v in used])
    assert len(used) > 5
    assert all(gradient is not None and np.any(np.array(gradient)) for gradient in gradients)
