# SPDX-License-Identifier: Apache-2.0
"""Conversion of a whole net: operations, budget, agreement, and that what is absent cannot matter."""

import dataclasses
from typing import Any

import hypothesis
import keras
import mmq_export.convert
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmq_bridge.bundle.deployable_ops import ALLOWED_OPS, check_ops
from mmq_bridge.bundle.flatbuffer import count_macs, list_ops, read_graph
from mmq_bridge.bundle.microcontroller import MicroModel, arena_bytes
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import PER_TENSOR_SWITCH, convert, convert_any, convert_each
from mmq_export.deployed_graph import deployed_model
from mmq_export.errors import ExportError
from mmq_export.recipes import RECIPES, dynamic, float16

from mmq_tf.config.training_spec import DataConfig, ModelConfig, TrainingSpec
from mmq_tf.features.array_windows import plain_windows
from mmq_tf.model import MMQNet, MMQTraining
from mmq_tf.model.tokens import feature_owner
from mmq_tf.training.line import LineChoice, fit_line

T, FEATURES = 12, {"ppg": 12, "eda": 8, "temp": 4, "acc": 8}
M, F = len(FEATURES), sum(FEATURES.values())


def windows(count: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Windows whose class shifts ppg and eda, with tokens hidden at random rates and some corrupted."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    shift = np.zeros(F)
    shift[[0, 1, 2, 12, 13]] = 0.7
    full = rng.normal(size=(count, T, F)) + (2 * labels - 1)[:, None, None] * shift
    presence = (rng.random((count, T, M)) >= rng.uniform(0, 0.9, (count, 1, 1))).astype("float32")
    corrupted = presence * (rng.random((count, T, M)) < 0.15)
    shown = np.where(corrupted @ feature_owner(FEATURES) > 0, rng.normal(0, 3, full.shape), full)
    inputs = {
        "features": np.clip(shown, -5, 5) * (presence @ feature_owner(FEATURES)),
        "presence": presence,
        "features_full": np.clip(full, -5, 5),
        "presence_full": np.ones_like(presence),
        "corrupted": corrupted,
    }
    return {name: value.astype("float32") for name, value in inputs.items()}, labels.astype("int32")


@dataclasses.dataclass
class Converted:
    """A net trained for a moment, its int8 and float32 files, and windows it never saw."""

    net: MMQNet
    int8: bytes
    float32: bytes
    features: np.ndarray
    presence: np.ndarray
    float_logits: np.ndarray


def set_line(net: MMQNet, shown: dict[str, np.ndarray], labels: np.ndarray) -> None:
    """Fit the line beside a net, whatever features are named."""
    layout = FeatureLayout(T, FEATURES)
    data = DataConfig(dataset="simulated", task="stress")
    spec = TrainingSpec(layout=layout, data=data, model=ModelConfig(line=True))
    people = np.repeat(["a", "b"], len(labels) // 2)
    seen = plain_windows(shown["features"], shown["presence"] > 0, labels, people)
    fit_line(net, seen, None, spec, 0, LineChoice(1e-2, 0.0, 0.25, 1.0))


@pytest.fixture(scope="module", params=["queries", "queries beside a line"])
def nano(request) -> Converted:
    keras.utils.set_random_seed(1)
    line = {"line": True, "quality": (3, 4, 5)} if "line" in request.param else {}
    net = MMQNet.from_size("nano", T, FEATURES, {"stress": 2}, seed=1, **line)
    training = MMQTraining(net)
    training.compile(keras.optimizers.Adam(3e-3))
    shown, labels = windows(1000, 0)
    quiet: Any = 0
    training.fit(shown, {"stress": labels}, batch_size=50, epochs=3, verbose=quiet)
    if line:
        set_line(net, shown, labels)
    deployed = deployed_model(net, T, F, M)
    calibration = calibration_windows(shown["features"], shown["presence"], 200)
    fresh, _ = windows(250, 1)
    sparse = calibration_windows(fresh["features"], fresh["presence"], 100, seed=1)
    features = np.concatenate([fresh["features"], *[window["features"] for window in sparse]])
    presence = np.concatenate([fresh["presence"], *[window["presence"] for window in sparse]])
    int8, float32 = convert_each(deployed, calibration, [RECIPES["int8"], RECIPES["float32"]])
    return Converted(
        net,
        int8,
        float32,
        features,
        presence,
        np.array(net({"features": features, "presence": presence})["stress"]),
    )


class LiteRT:
    """One window at a time through LiteRT, by the signature's names."""

    def __init__(self, content: bytes):
        self.runner = Interpreter(model_content=content).get_signature_runner()
        self.inputs = self.runner.get_input_details()
        self.output = self.runner.get_output_details()["stress"]

    def __call__(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        given = {"features": features[None], "presence": presence[None]}
        codes = {name: self.code(value, self.inputs[name]) for name, value in given.items()}
        scale, zero = self.output["quantization"]
        raw = self.runner(**codes)["stress"][0]
        return (raw.astype("float32") - zero) * scale if scale else raw

    @staticmethod
    def code(value: np.ndarray, details: dict) -> np.ndarray:
        scale, zero = details["quantization"]
        if not scale:
            return value.astype("float32")
        return np.clip(np.rint(value.astype("float64") / scale) + zero, -128, 127).astype("int8")


def through(content: bytes, nano: Converted) -> np.ndarray:
    model = LiteRT(content)
    return np.stack([model(*window) for window in zip(nano.features, nano.presence, strict=True)])


def test_nano_keeps_its_budget(nano):
    assert len(nano.int8) <= 100_000
    assert arena_bytes(nano.int8) <= 32 * 1024
    assert sum(list_ops(nano.int8).values()) <= (95 if nano.net.line else 60)
    assert count_macs(nano.int8) < 2_000_000


def test_only_allowed_operations_and_int8_throughout(nano):
    graph = read_graph(nano.int8)
    assert {op.name for op in graph.ops} <= ALLOWED_OPS
    assert {tensor.dtype for op in graph.ops for tensor in op.outputs if tensor} == {"int8"}
    assert list(graph.outputs) == ["stress"]
    assert set(graph.inputs) == {"features", "presence"}
    assert graph.inputs["presence"].scales == pytest.approx((1 / 255,))
    assert graph.inputs["presence"].zero_points == (-128,)


def test_int8_agrees_with_float_in_litert(nano):
    logits = through(nano.int8, nano)
    spread = nano.float_logits.std()
    assert np.sqrt(np.mean((logits - nano.float_logits) ** 2)) < 0.08 * spread
    assert (logits.argmax(-1) == nano.float_logits.argmax(-1)).mean() >= 0.98


def test_tflite_micro_agrees_with_litert(nano):
    """Every operation of our graph lies on the way: one of them wrong in TFLite Micro would show here."""
    scale = read_graph(nano.int8).outputs["stress"].scales[0]
    some = slice(0, 350, 2)
    micro = MicroModel(nano.int8).predict_many(nano.features[some], nano.presence[some])["stress"]
    steps = np.abs(micro - through(nano.int8, nano)[some]) / scale
    assert steps.max() <= 10
    assert np.sqrt(np.mean(steps**2)) < 3


def test_float32_file_computes_what_the_net_computes(nano):
    np.testing.assert_allclose(through(nano.float32, nano), nano.float_logits, atol=2e-4)
    micro = MicroModel(nano.float32).predict_many(nano.features[:10], nano.presence[:10])["stress"]
    np.testing.assert_allclose(micro, nano.float_logits[:10], atol=2e-4)


@hypothesis.given(
    other=hnp.arrays("float32", (T, F), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    presence=hnp.arrays("bool", (T, M)),
)
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
def test_int8_features_of_absent_tokens_cannot_change_the_output(nano, other, presence):
    model = MicroModel(nano.int8) if not presence.any() else LiteRT(nano.int8)
    run = model if isinstance(model, LiteRT) else (lambda *window: model.predict(*window)["stress"])
    owned = np.repeat(presence, list(FEATURES.values()), axis=-1)
    plain = run(np.where(owned, nano.features[0], 0), presence)
    np.testing.assert_array_equal(run(np.where(owned, nano.features[0], other), presence), plain)
    assert np.isfinite(plain).all()


@pytest.mark.slow
def test_recipes_to_compare_with_compute_the_same_and_are_refused_for_a_bundle(nano):
    deployed = deployed_model(nano.net, T, F, M)
    half, mixed = (convert_any(deployed, None, recipe) for recipe in (float16(), dynamic()))
    assert len(nano.int8) < len(half) < len(nano.float32)
    assert len(mixed) < len(nano.float32)
    np.testing.assert_allclose(through(half, nano), nano.float_logits, atol=0.02)
    np.testing.assert_allclose(through(mixed, nano), nano.float_logits, atol=0.2)
    with pytest.raises(BridgeError, match="DEQUANTIZE"):
        check_ops(half)


def test_per_tensor_switch_exists_and_works(nano):
    """The switch is private to the converter: a TensorFlow that drops it must be noticed here."""
    assert hasattr(tf.lite.TFLiteConverter([]), PER_TENSOR_SWITCH)
    dense = [op for op in read_graph(nano.int8).ops if op.name == "FULLY_CONNECTED"]
    assert {len(op.inputs[1].scales) for op in dense if op.inputs[1]} == {1}


def test_a_lost_switch_is_refused(nano, monkeypatch):
    monkeypatch.setattr(mmq_export.convert, "PER_TENSOR_SWITCH", "_gone")
    one = [{"features": nano.features[:1], "presence": nano.presence[:1]}]
    with pytest.raises(ExportError, match="_gone"):
        convert(deployed_model(nano.net, T, F, M), one, RECIPES["int8"])


@pytest.mark.slow
def test_int8_inside_with_float_outside_and_other_recipes():
    net = MMQNet(2, {"ppg": 2, "eda": 1}, {"stress": 2, "load": 3}, dim=8, hidden=8, category_heads=1)
    rng = np.random.default_rng(0)
    calibration = calibration_windows(rng.normal(size=(20, 2, 3)), np.ones((20, 2, 2)), 20)
    deployed = deployed_model(net, 2, 3, 2)
    content = convert(deployed, calibration, RECIPES["int8_float_io"])
    graph = read_graph(content)
    assert {tensor.dtype for tensor in (*graph.inputs.values(), *graph.outputs.values())} == {"float32"}
    assert list_ops(content)["QUANTIZE"] == 2
    assert list_ops(content)["DEQUANTIZE"] == 2
    assert set(graph.outputs) == {"stress", "load"}
    inputs = calibration[5]
    runner = Interpreter(model_content=content).get_signature_runner()
    for task, logits in net(inputs).items():
        np.testing.assert_allclose(runner(**inputs)[task], logits, atol=0.1)
    wide = dataclasses.replace(RECIPES["int8"], per_tensor_dense=False, unfold_batch_matmul=True)
    ops = list_ops(convert(deployed, calibration, wide))
    assert ops["BATCH_MATMUL"] == 0


def test_int8_needs_calibration_by_name(nano):
    deployed = deployed_model(nano.net, T, F, M)
    with pytest.raises(ExportError, match="needs calibration"):
        convert(deployed, [], RECIPES["int8"])
    with pytest.raises(ExportError, match=r"dicts of \['features', 'presence'\]"):
        convert(deployed, [{"x": nano.features[:1]}], RECIPES["int8"])


def test_an_operation_that_breaks_int8_is_refused():
    inputs = keras.Input(batch_shape=(1, 4), name="x")
    model = keras.Model([inputs], {"y": keras.ops.exp(keras.layers.Dense(4)(inputs))})
    calibration = [{"x": np.random.default_rng(i).normal(size=(1, 4)).astype("float32")} for i in range(20)]
    with pytest.raises(BridgeError, match="EXP"):
        convert(model, calibration, RECIPES["int8"])


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 64, b"\x08\x00\x00\x00TFL3\xff\xff\xff\xff" * 3])
def test_what_is_no_model_is_refused(content):
    for function in (list_ops, count_macs, check_ops):
        with pytest.raises(BridgeError, match="model"):
            function(content)


def test_a_truncated_model_is_refused(nano):
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(BridgeError, match="damaged"):
            list_ops(nano.int8[: int(share * len(nano.int8))])
