# SPDX-License-Identifier: Apache-2.0
"""Pruning: which weights, how many, and that they stay 0 whatever the optimiser does."""

import keras
import numpy as np
import pytest
from mmq_export.errors import ExportError
from mmq_export.sparsity import MIN_KERNEL, Pruning, prunable_kernels, zero_share

from mmq_tf.model.mmqnet import MMQNet


@pytest.fixture
def dense():
    """A net with one kernel of 16 x 32 different weights and one that is too small to prune."""
    net = keras.Sequential([keras.Input((16,)), keras.layers.Dense(32), keras.layers.Dense(2)])
    weights = np.random.default_rng(0).permutation(np.arange(1.0, 513.0)).reshape(16, 32)
    net.layers[0].set_weights([weights, np.ones(32)])
    return net


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (3, 1), (50, 2)])
def test_the_smallest_weights_of_a_kernel_become_zero(dense, steps, epochs):
    before, bias = dense.layers[0].get_weights()
    small = dense.layers[1].get_weights()[0]
    pruning = Pruning(dense, 0.75, steps, epochs)
    assert 1 <= pruning.first_whole_epoch <= epochs
    for step in range(steps * pruning.first_whole_epoch):
        pruning.on_train_batch_end(step)
    kernel = dense.layers[0].get_weights()[0]
    np.testing.assert_array_equal(kernel, np.where(before > 384, before, 0))
    np.testing.assert_array_equal(dense.layers[0].get_weights()[1], bias)
    np.testing.assert_array_equal(dense.layers[1].get_weights()[0], small)
    assert zero_share(dense) == 0.75


def test_the_share_rises_fast_then_slowly_and_then_rests(dense):
    pruning = Pruning(dense, 0.5, 40, 1)
    shares = []
    for step in range(40):
        pruning.on_train_batch_end(step)
        shares.append(zero_share(dense))
    rises = np.diff(shares)
    assert (rises >= 0).all()
    assert rises[:5].sum() > 5 * rises[15:20].sum()
    assert shares[9] == pytest.approx(0.5 * (1 - (1 - 10 / 20) ** 3), abs=0.002)
    assert shares[19:] == [0.5] * 21


def test_zeros_stay_zeros_while_the_optimiser_pushes(dense):
    pruning = Pruning(dense, 0.5, 4, 3)
    dense.compile(keras.optimizers.AdamW(0.1), "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    before = dense.layers[0].get_weights()[0]
    dense.fit(rng.normal(size=(32, 16)), rng.normal(size=(32, 2)), 8, 3, verbose=0, callbacks=[pruning])
    kernel = dense.layers[0].get_weights()[0]
    assert zero_share(dense) == 0.5
    assert (kernel[kernel != 0] != before[kernel != 0]).all()


def test_of_a_block_diagonal_kernel_only_the_blocks_count():
    net = MMQNet(4, {"eda": 6, "temp": 6}, {"stress": 2}, dim=32)
    kernels = {kernel.variable.path.partition("/")[2]: kernel for kernel in prunable_kernels(net)}
    blocks = kernels["embedding/features_in/kernel"]
    assert (blocks.variable.shape, len(blocks.index)) == ((12, 64), 2 * 6 * 32)
    assert all(name.endswith("/kernel") and len(k.index) >= MIN_KERNEL for name, k in kernels.items())
    others = {v.path: np.array(v) for v in net.variables if v.path.partition("/")[2] not in kernels}
    pruning = Pruning(net, 0.5, 1, 1)
    pruning.on_train_batch_end(0)
    kernel = np.array(blocks.variable)
    assert np.count_nonzero(kernel.reshape(-1)[blocks.index]) == 192
    assert np.count_nonzero(kernel) == 192
    assert others
    for variable in net.variables:
        if variable.path in others:
            np.testing.assert_array_equal(np.array(variable), others[variable.path])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_share_is_refused(dense, share):
    with pytest.raises(ExportError, match="above 0 and below 1"):
        Pruning(dense, share, 1, 1)


def test_a_net_without_a_larger_kernel_is_refused():
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(ExportError, match="no dense kernel"):
        Pruning(net, 0.5, 1, 1)
