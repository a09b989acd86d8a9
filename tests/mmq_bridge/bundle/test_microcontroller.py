# SPDX-License-Identifier: Apache-2.0
"""TFLite Micro: arena, inputs by name, refusals."""

from typing import Any

import keras
import mmq_export.convert
import numpy as np
import pytest
from mmq_bridge.bundle import microcontroller
from mmq_bridge.bundle.flatbuffer import TensorFacts, count_macs, list_ops
from mmq_bridge.bundle.microcontroller import MicroModel, arena_bytes, dequantise, quantise
from mmq_bridge.errors import BridgeError
from mmq_export.convert import convert
from mmq_export.recipes import RECIPES


@pytest.fixture(scope="module")
def small() -> tuple[keras.Model, bytes]:
    """Return a model of two inputs that must not be swapped, and its int8 file."""
    presence: Any = keras.Input(batch_shape=(1, 2, 1), name="presence")
    features: Any = keras.Input(batch_shape=(1, 2, 3), name="features")
    flat = keras.layers.Reshape((6,))(features * presence)
    fixed: Any = keras.initializers.GlorotUniform(seed=0)
    model = keras.Model(
        [presence, features], {"stress": keras.layers.Dense(2, kernel_initializer=fixed)(flat)}
    )
    rng = np.random.default_rng(0)
    calibration = [
        {"features": rng.uniform(-1, 1, (1, 2, 3)), "presence": rng.integers(0, 2, (1, 2, 1))}
        for _ in range(60)
    ]
    return model, convert(model, calibration, RECIPES["int8"])


def test_it_predicts_what_the_model_predicts(small):
    model, content = small
    rng = np.random.default_rng(1)
    features = rng.uniform(-0.5, 0.5, (20, 2, 3)).astype("float32")  # well inside what was calibrated
    presence = rng.integers(0, 2, (20, 2, 1)).astype("float32")
    found = MicroModel(content).predict_many(features, presence)["stress"]
    expected = [
        np.array(model({"features": f[None], "presence": p[None]})["stress"])[0]
        for f, p in zip(features, presence, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_the_arena_it_counts_is_enough_and_no_more(small, tmp_path):
    needed = arena_bytes(small[1])
    assert 500 < needed < 8192
    path = tmp_path / "model.tflite"
    path.write_bytes(small[1])
    tried = [microcontroller.run_python(microcontroller._ALLOCATE, path, needed - less) for less in (0, 64)]
    assert [done.returncode != 0 for done in tried] == [False, True]


@pytest.mark.slow
def test_an_interpreter_that_ends_its_process_is_started_again(small, monkeypatch):
    """As seen after fifty arenas that were too small; here at the third try of every process."""
    needed = arena_bytes(small[1])
    dying = "import os\ntries = 0\n" + microcontroller._GROW.replace(
        '    print("tried"', '    tries += 1\n    tries == 3 and os.kill(os.getpid(), 11)\n    print("tried"'
    )
    monkeypatch.setattr(microcontroller, "_GROW", dying)
    assert arena_bytes(small[1]) == needed
    monkeypatch.setattr(microcontroller, "_GROW", "import os\nos.kill(os.getpid(), 11)")
    with pytest.raises(BridgeError, match="refuses the model"):
        arena_bytes(small[1])


def test_an_operation_the_interpreter_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(mmq_export.convert, "check_ops", lambda content: None)
    inputs = keras.Input(batch_shape=(1, 4), name="x")
    model = keras.Model([inputs], {"y": keras.ops.gelu(inputs)})
    content = convert(model, None, RECIPES["float32"])
    assert list_ops(content)["GELU"] == 1
    for refused in (arena_bytes, MicroModel):
        with pytest.raises(BridgeError, match="refuses the model"):
            refused(content)


def test_macs_are_counted(small):
    assert count_macs(small[1]) == 6 * 2


def test_what_is_no_model_is_refused():
    with pytest.raises(BridgeError, match="TFL3"):
        arena_bytes(b"nothing")
    with pytest.raises(BridgeError, match="TFL3"):
        MicroModel(b"nothing at all")


def test_quantise_rounds_saturates_and_leaves_float_alone():
    tensor = TensorFacts("x", "int8", (3,), (0.5,), (10,))
    codes = quantise(np.array([0.3, -1.0, 1e30], "float32"), tensor)
    assert codes.tolist() == [11, 8, 127]
    np.testing.assert_allclose(dequantise(codes, tensor), [0.5, -1.0, 58.5])
    plain = TensorFacts("x", "float32", (1,), (), ())
    assert quantise(np.array([0.3]), plain).dtype == np.float32
