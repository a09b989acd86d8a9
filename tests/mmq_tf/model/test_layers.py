# SPDX-License-Identifier: Apache-2.0
"""One harness for every layer of the model: shape, dtype, config, training, and int8 against float."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from mmq_bridge.bundle.microcontroller import MicroModel
from mmq_export.convert import convert
from mmq_export.recipes import RECIPES

from mmq_tf.errors import MMQError
from mmq_tf.model import (
    AbsorbedAttention,
    BlockDense,
    CategoryQueries,
    DyT,
    EncoderBlock,
    InterferenceQueries,
    ModalityQueries,
    TokenEmbedding,
)
from mmq_tf.model.attention import push_down

T, SIZES, DIM = 3, {"ppg": 3, "eda": 2}, 8
N = T * len(SIZES)


@dataclasses.dataclass
class Case:
    """A layer, its inputs (name, shape without batch, kind) and the shape of its output without batch."""

    layer: keras.layers.Layer
    inputs: dict
    output: tuple
    kinds: dict = dataclasses.field(default_factory=dict)


STREAM = {"tokens": (N, DIM)}
CASES = {
    "block_dense": Case(BlockDense([3, 2], [4, 0], seed=1), {"x": (T, 5)}, (T, 4)),
    "dyt": Case(DyT(0.7), {"x": (N, DIM)}, (N, DIM)),
    "dyt_plain": Case(DyT(affine=False), {"x": (N, DIM)}, (N, DIM)),
    "token_embedding": Case(
        TokenEmbedding(T, SIZES, DIM, seed=2),
        {"features": (T, 5), "presence": (T, 2)},
        (N, DIM),
        {"presence": "mask"},
    ),
    "self_attention": Case(
        AbsorbedAttention(DIM, 2, 6, seed=3), {**STREAM, "penalty": (1, N)}, (N, 6), {"penalty": "penalty"}
    ),
    "query_attention": Case(
        AbsorbedAttention(DIM, 2, 6, n_queries=3, seed=3), {**STREAM, "interference": (1, N)}, (3, 6)
    ),
    "encoder_block": Case(
        EncoderBlock(DIM, 2, 16, dropout=0.1, seed=4),
        {"x": (N, DIM), "penalty": (1, N)},
        (N, DIM),
        {"penalty": "penalty"},
    ),
    "modality_queries": Case(
        ModalityQueries(T, 2, DIM, 1, 16, seed=5),
        {**STREAM, "penalty": (1, N)},
        (N, DIM),
        {"penalty": "penalty"},
    ),
    "category_queries": Case(
        CategoryQueries(3, DIM, 2, seed=6),
        {"encoded": (N, DIM), "interference": (1, N)},
        (3, DIM),
    ),
    "interference_queries": Case(InterferenceQueries(3, DIM, seed=7), STREAM, (N,)),
}


def draw(case: Case, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    # Bounded, so that what int8 was calibrated on covers what it is asked.
    values = {
        name: rng.uniform(-2, 2, (batch, *shape)).astype("float32") for name, shape in case.inputs.items()
    }
    for name, kind in case.kinds.items():
        mask = (rng.random(values[name].shape) < 0.5).astype("float32")
        values[name] = mask * 16 if kind == "penalty" else mask
    return values


@pytest.mark.parametrize("name", CASES)
def test_shape_and_dtype(name):
    case = CASES[name]
    inputs = draw(case, 4)
    output = case.layer(**inputs)
    assert tuple(output.shape) == (4, *case.output)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    first = next(iter(inputs.values()))
    assert tuple(case.layer.compute_output_shape(first.shape)) == (4, *case.output)


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name):
    case = CASES[name]
    inputs = draw(case, 2)
    expected = case.layer(**inputs)
    config = keras.saving.serialize_keras_object(case.layer)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, keras.layers.Layer)
    assert again.get_config() == case.layer.get_config()
    again(**inputs)
    again.set_weights(case.layer.get_weights())
    np.testing.assert_array_equal(again(**inputs), expected)


@pytest.mark.parametrize("name", CASES)
def test_same_seed_same_weights(name):
    case = CASES[name]
    inputs = draw(case, 2)
    made = [type(case.layer).from_config(case.layer.get_config()) for _ in range(2)]
    np.testing.assert_array_equal(made[0](**inputs), made[1](**inputs))


@pytest.mark.parametrize("name", CASES)
def test_training_changes_every_weight(name):
    case = CASES[name]
    layer = type(case.layer).from_config(case.layer.get_config())
    inputs = {key: keras.Input(shape, name=key) for key, shape in case.inputs.items()}
    model = keras.Model(inputs, layer(**inputs))
    if isinstance(layer, InterferenceQueries):
        layer.attention.out.trainable = False  # `outputs` alone uses it: see test_training_model.py
    weights = layer.trainable_variables
    before = [np.array(w) for w in weights]
    model.compile(keras.optimizers.SGD(0.5), loss="mse", run_eagerly=True)
    target = np.random.default_rng(1).normal(size=(16, *case.output)).astype("float32")
    model.train_on_batch(draw(case, 16), target)
    same = [w.path for w, old in zip(weights, before, strict=True) if np.array_equal(w, old)]
    assert same == []


@pytest.fixture(scope="module")
def together() -> tuple[keras.Model, bytes]:
    """Return all layers side by side in one model, and that model in int8: one conversion for all."""
    inputs: dict[str, Any] = {}
    outputs = {}
    for name, case in CASES.items():
        own: dict[str, Any] = {
            key: keras.Input(batch_shape=(1, *shape), name=f"{name}__{key}")
            for key, shape in case.inputs.items()
        }
        inputs.update({tensor.name: tensor for tensor in own.values()})
        outputs[name] = case.layer(**own)
    model = keras.Model(list(inputs.values()), outputs)
    windows = [prefixed(1, seed) for seed in range(200)]
    return model, convert(model, windows, RECIPES["int8"])


def prefixed(batch: int, seed: int) -> dict[str, np.ndarray]:
    return {
        f"{name}__{key}": value
        for name, case in CASES.items()
        for key, value in draw(case, batch, seed).items()
    }


def run_litert(content: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    runner = Interpreter(model_content=content).get_signature_runner()
    ins, outs = runner.get_input_details(), runner.get_output_details()
    codes = {}
    for name, value in inputs.items():
        scale, zero = ins[name]["quantization"]
        codes[name] = np.clip(np.rint(value / scale) + zero, -128, 127).astype("int8")
    raw = runner(**codes)
    return {
        name: (value.astype("float32") - outs[name]["quantization"][1]) * outs[name]["quantization"][0]
        for name, value in raw.items()
    }


@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_int8_agrees_with_float(together, runtime):
    model, content = together
    micro = MicroModel(content)
    far = {}
    for seed in range(100, 110):
        inputs = prefixed(1, seed)
        expected = {name: np.array(value) for name, value in model(inputs).items()}
        found = run_litert(content, inputs) if runtime == "litert" else micro.run(inputs)
        for name, value in expected.items():
            error = np.abs(found[name] - value).max() / np.ptp(value)
            far[name] = max(far.get(name, 0.0), float(error))
    assert {name: round(error, 3) for name, error in far.items() if error > 0.05} == {}


def test_block_dense_is_one_dense_layer_a_block():
    layer = BlockDense([2, 3], [1, 2], seed=0)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    y = np.array(layer(x))
    kernel = np.array(layer.kernel)
    np.testing.assert_allclose(y[:, :1], x[:, :2] @ kernel[:2, :1], rtol=1e-5)
    np.testing.assert_allclose(y[:, 1:], x[:, 2:] @ kernel[2:, 1:], rtol=1e-5)
    assert kernel[:2, 1:].any() == 0
    assert kernel[2:, :1].any() == 0


def test_push_down_is_bounded_and_leaves_trusted_tokens_alone():
    scores = np.array([[[1.0, 1.0, 1.0, -1.0]]], "float32")
    interference = np.array([[[0.0, 3.0, 50.0, 0.0]]], "float32")
    np.testing.assert_allclose(push_down(scores, interference), [[[1.0, -1.0, -5.0, -2.0]]])


def test_attention_ignores_a_token_under_penalty():
    layer = AbsorbedAttention(DIM, 1, 4, n_queries=2)
    tokens = np.random.default_rng(0).normal(size=(1, N, DIM)).astype("float32")
    penalty = np.zeros((1, 1, N), "float32")
    penalty[..., 2:] = 16.0
    alone = layer(tokens[:, :2])
    np.testing.assert_allclose(layer(tokens, penalty=penalty), alone, atol=1e-4)


def test_an_absent_token_is_exactly_zero():
    layer = CASES["token_embedding"].layer
    inputs = draw(CASES["token_embedding"], 4)
    tokens = np.array(layer(**inputs)).reshape(4, T, 2, DIM)
    assert (tokens[inputs["presence"] == 0] == 0).all()
    assert (tokens[inputs["presence"] == 1] != 0).any(axis=-1).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BlockDense([1, 2], [1]), "equally long"),
        (lambda: BlockDense([1], [1]).build((None, 2)), "sum"),
        (lambda: AbsorbedAttention(0, 1, 1), "at least 1"),
        (lambda: AbsorbedAttention(4, 1, 4).build((None, 3, 5)), "wide"),
        (lambda: TokenEmbedding(3, {}, 8), "at least 1"),
    ],
)
def test_impossible_arguments_are_named(make, words):
    with pytest.raises(MMQError, match=words):
        make()
