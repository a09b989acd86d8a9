# SPDX-License-Identifier: Apache-2.0
"""Each operation alone, with random scales: every bit is TFLite Micro's."""

import math

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network

pytest.importorskip("tflite_micro")
ALL = np.arange(-128, 128, dtype=np.int8)
EVERY_PAIR = [grid.reshape(-1).astype(np.int8) for grid in np.meshgrid(ALL, ALL)]


def drawn(rng: np.random.Generator, low: float = -6, high: float = 0) -> tuple[float, int]:
    return float(np.float32(math.exp(rng.uniform(low, high)))), int(rng.integers(-128, 128))


def random_windows(rng, count, **shapes):
    return [
        {name: rng.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("activation", [0, 1, 3])
def test_every_pair_of_numbers(nets, name, activation):
    """RELU6 (3) cuts above where the scale is large enough."""
    rng = np.random.default_rng([activation, len(name), ord(name[0])])
    for _ in range(10):
        (a, a_zero), (b, b_zero) = drawn(rng), drawn(rng)
        whole = 256 * a * b if name == "MUL" else a + b
        out = whole * rng.uniform(0.4, 1.5)
        options = getattr(nets.schema, f"{name.capitalize()}OptionsT")()
        options.fusedActivationFunction = activation
        tensors = [nets.tensor([65536], out, int(rng.integers(-128, 128)))]
        tensors += [nets.tensor([65536], a, a_zero), nets.tensor([65536], b, b_zero)]
        content = nets.one_operation(name, tensors, [1, 2], options)
        window = {"in1": EVERY_PAIR[0], "in2": EVERY_PAIR[1]}
        assert nets.check_same(content, [window]) == 65536


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shapes", [
    ([1, 5, 7], [1, 1, 7]), ([1, 1, 7], [1, 5, 7]), ([1, 5, 7], [1, 5, 1]), ([1, 5, 7], [7]),
    ([1, 5, 7], [1]), ([], [1, 5, 7]), ([1, 1, 1], [1, 1, 1]), ([3, 5, 7], [1, 5, 7]),
    ([3, 5, 7], [3, 1, 1]), ([1], [1]),
])  # fmt: skip
def test_operands_of_other_shapes(nets, name, shapes):
    rng = np.random.default_rng(len(shapes[0]))
    out = max(shapes, key=math.prod)
    (a, a_zero), (b, b_zero) = drawn(rng, -4), drawn(rng, -4)
    tensors = [nets.tensor(out, 256 * a * b if name == "MUL" else a + b, 3)]
    tensors += [nets.tensor(shapes[0], a, a_zero), nets.tensor(shapes[1], b, b_zero)]
    options = getattr(nets.schema, f"{name.capitalize()}OptionsT")()
    content = nets.one_operation(name, tensors, [1, 2], options)
    nets.check_same(content, random_windows(rng, 20, in1=shapes[0], in2=shapes[1]))


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("side", [1, 2])
def test_a_constant_of_one_element_makes_a_table(nets, name, side):
    rng = np.random.default_rng(side)
    for _ in range(20):
        scales = {side: drawn(rng), 3 - side: drawn(rng)}
        number = rng.integers(-128, 128, [1]).astype(np.int8)
        whole = scales[1][0] * scales[2][0] * 256 if name == "MUL" else scales[1][0] + scales[2][0]
        tensors = [nets.tensor([256], whole * rng.uniform(0.05, 1.5), int(rng.integers(-128, 128)))]
        for place in (1, 2):
            shape, data = ([1], number) if place == side else ([256], None)
            tensors.append(nets.tensor(shape, *scales[place], data))
        options = getattr(nets.schema, f"{name.capitalize()}OptionsT")()
        content = nets.one_operation(name, tensors, [3 - side], options)
        assert [step.kernel for step in plan_network(content).steps] == ["lookup"]
        nets.check_same(content, [{f"in{3 - side}": ALL}])


@pytest.mark.parametrize("name", ["RELU", "QUANTIZE", "TANH"])
def test_tables(nets, name):
    rng = np.random.default_rng(3)
    for _ in range(60):
        scale, zero_point = drawn(rng)
        out = (1 / 128, 0) if name == "TANH" else (scale * rng.uniform(0.3, 3), int(rng.integers(-128, 128)))
        content = nets.one_operation(
            name, [nets.tensor([256], *out), nets.tensor([256], scale, zero_point)], [1]
        )
        nets.check_same(content, [{"in1": ALL}])


def test_softmax(nets):
    rng = np.random.default_rng(4)
    options = nets.schema.SoftmaxOptionsT()
    options.beta = 1.0
    for count in (1, 2, 12, 48, 108, 255, 256, 300):
        for _ in range(8):
            scale, zero_point = drawn(rng, -9, 2)
            tensors = [nets.tensor([3, count], 1 / 256, -128), nets.tensor([3, count], scale, zero_point)]
            content = nets.one_operation("SOFTMAX", tensors, [1], options)
            spread = rng.uniform(1, 60)
            rows = [
                np.clip(rng.normal(rng.uniform(-90, 90), spread, (3, count)), -128, 127) for _ in range(6)
            ]
            nets.check_same(content, [{"in1": row.astype(np.int8)} for row in rows])


@pytest.mark.parametrize("depth", [1, 3, 4, 6, 45, 64])
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_fully_connected(nets, depth, outputs):
    rng = np.random.default_rng([depth, outputs])
    for bias in (False, True):
        for rows in (1, 2, 7):
            scale, zero_point = drawn(rng, -5, -2)
            options = nets.schema.FullyConnectedOptionsT()
            options.fusedActivationFunction = int(rng.integers(0, 2))
            weights = rng.integers(-127, 128, (outputs, depth)).astype(np.int8)
            first = rng.integers(-5000, 5000, outputs).astype(np.int32)
            out = scale * 0.004 * 60 * math.sqrt(depth)
            tensors = [nets.tensor([rows, outputs], out, int(rng.integers(-128, 128)))]
            tensors += [nets.tensor([rows, depth], scale, zero_point)]
            tensors += [nets.tensor([outputs, depth], 0.004, 0, weights)]
            tensors.append(
                nets.tensor([outputs], np.float32(scale) * np.float32(0.004), 0, first) if bias else None
            )
            content = nets.one_operation("FULLY_CONNECTED", tensors, [1], options)
            nets.check_same(content, random_windows(rng, 10, in1=[rows, depth]))


@pytest.mark.parametrize("depth", [1, 3, 4, 6, 48])
@pytest.mark.parametrize("by_rows", [True, False])
@pytest.mark.parametrize("batches", [1, 3])
def test_batch_products(nets, depth, by_rows, batches):
    rng = np.random.default_rng([depth, by_rows, batches])
    for rows, outputs in ((1, 1), (2, 4), (5, 7), (48, 32)):
        (a, a_zero), (b, b_zero) = drawn(rng, -5, -3), drawn(rng, -5, -3)
        options = nets.schema.BatchMatMulOptionsT()
        options.adjY = by_rows
        right = [batches, outputs, depth] if by_rows else [batches, depth, outputs]
        tensors = [nets.tensor([batches, rows, outputs], a * b * 120 * 60 * math.sqrt(depth), 5)]
        tensors += [nets.tensor([batches, rows, depth], a, a_zero), nets.tensor(right, b, b_zero)]
        content = nets.one_operation("BATCH_MATMUL", tensors, [1, 2], options)
        nets.check_same(content, random_windows(rng, 5, in1=[batches, rows, depth], in2=right))


def discriminating(a: np.float32, b: np.float32, out: np.float32) -> list[int]:
    """Sums that are rounded otherwise where the scales are multiplied in float32."""
    from mmq_bridge.network.fixed_point import quantise_multiplier

    sums = np.arange(-int(128 * out / (a * b)), int(128 * out / (a * b)), dtype=np.int64)
    results = []
    for real in (float(a * b) / float(out), float(a) * float(b) / float(out)):
        multiplier, exponent = quantise_multiplier(real)
        y = (sums * multiplier + (1 << 30)) >> 31
        results.append((y + (1 << (-exponent - 1)) - (y < 0)) >> -exponent)
    return sums[results[0] != results[1]].tolist()


def row_of(total: int, weights: np.ndarray) -> np.ndarray:
    """An int8 row whose product with weights, 127 and behind them 1, is a number."""
    row, (many, few) = np.zeros(len(weights), np.int64), divmod(total, 127)
    for place in range(len(weights)):
        part = many if weights[place] == 127 else few
        row[place] = min(max(part, -128), 127)
        if weights[place] == 127:
            many -= row[place]
        else:
            few -= row[place]
    assert int(row @ weights.astype(np.int64)) == total
    return row.astype(np.int8)


def test_scales_are_multiplied_in_double_precision(nets):
    """Sums for which float32 would give another bit: too rare for random windows to meet."""
    rng, met = np.random.default_rng(0), 0
    weights = np.full(4096, 127, np.int8)
    weights[-256:] = 1
    while met < 12:
        a, b, out = (np.float32(rng.uniform(*span)) for span in ((0.01, 0.03), (0.001, 0.005), (0.08, 0.4)))
        sums = discriminating(a, b, out)[:4]
        tensors = [
            nets.tensor([1, 1], out),
            nets.tensor([1, 4096], a),
            nets.tensor([1, 4096], b, 0, weights[None]),
        ]
        content = nets.one_operation("FULLY_CONNECTED", tensors, [1], nets.schema.FullyConnectedOptionsT())
        nets.check_same(content, [{"in1": row_of(total, weights)} for total in sums])
        met += len(sums)


@pytest.mark.parametrize("name", ["REDUCE_MAX", "MEAN"])
@pytest.mark.parametrize("axes", [[0], [1], [2], [1, 2], [-1]])
def test_reductions(nets, name, axes):
    rng = np.random.default_rng(5)
    for trial in range(12):
        shape = [1, *rng.integers(1, 13, 2).tolist()]
        left = [size for axis, size in enumerate(shape) if axis not in [a % 3 for a in axes]]
        scale, zero_point = drawn(rng)
        out = (scale, zero_point)
        if name == "MEAN" and trial % 2:
            out = scale * math.exp(rng.uniform(-2.5, 0.5)), int(rng.integers(-128, 128))
        options = nets.schema.ReducerOptionsT()
        axis = nets.tensor([len(axes)], None, 0, np.array(axes, np.int32))
        tensors = [nets.tensor(left, *out), nets.tensor(shape, scale, zero_point), axis]
        content = nets.one_operation(name, tensors, [1], options)
        nets.check_same(content, random_windows(rng, 10, in1=shape))


@pytest.mark.parametrize("order", [[0, 2, 1], [2, 0, 1], [1, 0, 2], [2, 1, 0]])
def test_transpose(nets, order):
    rng, shape = np.random.default_rng(6), [2, 5, 3]
    by = nets.tensor([3], None, 0, np.array(order, np.int32))
    tensors = [nets.tensor([shape[axis] for axis in order], 0.1, 3), nets.tensor(shape, 0.1, 3), by]
    nets.check_same(nets.one_operation("TRANSPOSE", tensors, [1]), random_windows(rng, 3, in1=shape))


@pytest.mark.parametrize(("cut", "out"), [
    (([0, 0, 0], [1, 5, 2], [1, 1, 1]), [1, 5, 2]), (([0, 1, 1], [1, 4, 3], [1, 1, 1]), [1, 3, 2]),
    (([0, 0, 0], [1, 5, 3], [1, 2, 2]), [1, 3, 2]), (([0, -2, 1], [1, 5, 3], [1, 1, 1]), [1, 2, 2]),
])  # fmt: skip
def test_strided_slice(nets, cut, out):
    rng, shape = np.random.default_rng(7), [1, 5, 3]
    parts = [nets.tensor([3], None, 0, np.array(part, np.int32)) for part in cut]
    tensors = [nets.tensor(out, 0.1, 3), nets.tensor(shape, 0.1, 3), *parts]
    content = nets.one_operation("STRIDED_SLICE", tensors, [1], nets.schema.StridedSliceOptionsT())
    nets.check_same(content, random_windows(rng, 3, in1=shape))


@pytest.mark.parametrize(("axis", "shapes", "out"), [
    (-1, ([1, 3], [1, 4]), [1, 7]), (1, ([2, 3, 2], [2, 1, 2]), [2, 4, 2]), (0, ([2, 3], [1, 3]), [3, 3]),
])  # fmt: skip
def test_concatenation(nets, axis, shapes, out):
    rng, options = np.random.default_rng(8), nets.schema.ConcatenationOptionsT()
    options.axis = axis
    tensors = [nets.tensor(out, 0.1, 3), *(nets.tensor(shape, 0.1, 3) for shape in shapes)]
    content = nets.one_operation("CONCATENATION", tensors, [1, 2], options)
    nets.check_same(content, random_windows(rng, 3, in1=shapes[0], in2=shapes[1]))


def test_what_is_not_known_is_refused_by_name(nets):
    schema, ten, out = nets.schema, nets.tensor([1, 10], 0.1), nets.tensor([1, 10], 0.2)
    fused = schema.AddOptionsT()
    fused.fusedActivationFunction = 4
    weights = nets.tensor([2, 10], 0.1, 4, np.ones((2, 10), np.int8))
    dense = [nets.tensor([1, 2], 1.0), ten, weights, None]
    for sentence, name, tensors, given, options in (
        (r"network: the operation LOGISTIC is not known; deploy", "LOGISTIC", [out, ten], [1], None),
        (
            "MUL scales by 0.5: from",
            "MUL",
            [out, ten, nets.tensor([1], 1.0)],
            [1, 2],
            None,
        ),
        ("ADD has the fused activation number 4", "ADD", [out, ten, ten], [1, 2], fused),
        ("the model computes nothing", "RESHAPE", [nets.tensor([10], 0.1), ten], [1], None),
        ("RESHAPE changes the scale", "RESHAPE", [nets.tensor([10], 0.2), ten], [1], None),
        (r"FULLY_CONNECTED has weights \[2, 10\] with zero point 4", "FULLY_CONNECTED", dense, [1], None),
    ):
        content = nets.one_operation(name, tensors, given, options)
        with pytest.raises(BridgeError, match=sentence):
            plan_network(content)
