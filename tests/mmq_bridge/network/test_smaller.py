# SPDX-License-Identifier: Apache-2.0
"""What makes a network smaller changes no number: summands, cut softmax tables, biases, tables that shift."""

import numpy as np
import pytest
from mmq_bridge.core_binding.network import Network
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.fixed_point import softmax_exponentials, softmax_parts
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.outer_sum import outer_sum
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.network.source import network_source


def test_a_constant_of_summed_rows_is_its_summands():
    rng = np.random.default_rng(0)
    slow, fast = rng.normal(0, 30, (12, 8)), rng.normal(0, 20, (4, 8))
    whole = np.clip(np.rint(slow[:, None] + fast), -128, 127).astype(np.int8).reshape(48, 8)
    found = outer_sum(whole)
    assert found is not None
    assert (found.slow.shape, found.fast.shape, found.period) == ((12, 8), (4, 8), 4)
    again = (found.slow[:, None].astype(int) + found.fast) >> 7
    np.testing.assert_array_equal(again.reshape(48, 8), whole)


def test_a_constant_that_is_no_sum_stays():
    rng = np.random.default_rng(1)
    whole = rng.integers(-128, 128, (48, 8)).astype(np.int8)
    assert outer_sum(whole) is None
    assert outer_sum(whole[:6]) is None
    assert outer_sum(whole[:7]) is None


@pytest.mark.parametrize("scale", [0.001, 0.02, 0.07, 0.3, 5.0])
def test_what_softmax_leaves_out_is_no_share_and_adds_nothing(scale):
    whole = softmax_exponentials(scale).astype(np.int64)
    exact, small = softmax_parts(whole.astype(np.int32))
    rest = whole[len(exact) :]
    np.testing.assert_array_equal(exact, whole[: len(exact)])
    assert rest.max(initial=0) < 1 << 22 <= exact[-1]
    added = (rest + 2048) >> 12
    np.testing.assert_array_equal(np.pad(small, (0, len(rest) - len(small))), added)
    assert not len(small) or small[-1]


@pytest.mark.parametrize(("largest", "kind"), [(0, "NULL"), (32_767, "int16_t"), (32_768, "int32_t")])
def test_a_bias_takes_what_it_needs(nets, largest, kind):
    pytest.importorskip("tflite_micro")
    rng, options = np.random.default_rng(2), nets.schema.FullyConnectedOptionsT()
    weights = rng.integers(-127, 128, (5, 6)).astype(np.int8)
    bias = np.array([largest, 0, -largest, 1 if largest else 0, 0], np.int32)
    tensors = [nets.tensor([3, 5], 3.0), nets.tensor([3, 6], 0.05, 7), nets.tensor([5, 6], 0.01, 0, weights)]
    tensors.append(nets.tensor([5], np.float32(0.05) * np.float32(0.01), 0, bias))
    content = nets.one_operation("FULLY_CONNECTED", tensors, [1], options)
    windows = [{"in1": rng.integers(-128, 128, [3, 6]).astype(np.int8)} for _ in range(20)]
    nets.check_same(content, windows)
    source = network_source(plan_network(content))
    assert [f"static const {one} table" in source for one in ("int16_t", "int32_t")] == [
        kind == "int16_t",
        kind == "int32_t",
    ]


@pytest.mark.parametrize(("scale", "kernel"), [(0.1, "multiply"), (0.13, "lookup")])
def test_a_table_that_only_shifts_is_none(nets, scale, kernel):
    pytest.importorskip("tflite_micro")
    tensors = [nets.tensor([256], 0.1, 3), nets.tensor([256], scale, -20)]
    content = nets.one_operation("QUANTIZE", tensors, [1])
    assert [step.kernel for step in plan_network(content).steps] == [kernel]
    nets.check_same(content, [{"in1": np.arange(-128, 128, dtype=np.int8)}])


def test_the_shipped_network_is_small(nets):
    planned = plan_network(nets.shipped)
    assert len(plan_file(planned)) < 32_768
    assert planned.arena_bytes <= 4096
    assert {"outer", "multiply"} <= {step.kernel for step in planned.steps}


def test_too_many_rows_are_refused_by_name(nets):
    tensors = [nets.tensor([70_000, 1], 1 / 128), nets.tensor([70_000, 1], 0.1)]
    content = nets.one_operation("TANH", tensors, [1])
    with pytest.raises(BridgeError, match=r"network: TANH has rows, or elements of a row, beyond 65535"):
        plan_network(content)


def test_a_plan_of_version_1_is_refused(nets):
    content = bytearray(plan_file(plan_network(nets.shipped)))
    assert content[4] == 2
    content[4] = 1
    with pytest.raises(BridgeError, match="it is no plan that this core knows: export again"):
        Network(bytes(content))
