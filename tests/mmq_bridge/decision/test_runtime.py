# SPDX-License-Identifier: Apache-2.0
import contextlib

import numpy as np
import pytest
from mmq_bridge.decision.runtime import TFLiteModel, check_flatbuffer, check_runtime, dequantise, quantise
from mmq_bridge.errors import BridgeError


@pytest.fixture(scope="module")
def content(tiny_bundle):
    return {
        name: (tiny_bundle / f"model_{name}.tflite").read_bytes()
        for name in ("int8", "int8_float_io", "float32")
    }


@pytest.fixture(scope="module")
def windows(tiny):
    return tiny.windows(tiny.front_end(), 40, seed=3)


def test_float_logits_are_the_keras_models(content, tiny, windows):
    presence = windows.presence.astype(np.float32)
    network = tiny.network(tiny.front_end())
    wanted = [
        np.asarray(network([windows.features[i : i + 1], presence[i : i + 1]])["stress"])[0]
        for i in range(40)
    ]
    got = TFLiteModel(content["float32"]).predict_many(windows.features, presence)
    np.testing.assert_allclose(got["stress"], wanted, atol=1e-5)


def test_int8_is_near_float_and_float_io_equals_it(content, windows):
    models = {name: TFLiteModel(value) for name, value in content.items()}
    logits = {
        name: m.predict_many(windows.features, windows.presence)["stress"] for name, m in models.items()
    }
    scale, _ = models["int8"].output_details["stress"]["quantization"]
    assert np.abs(logits["int8"] - logits["float32"]).max() < 6 * scale
    assert np.abs(logits["int8"] - logits["int8_float_io"]).max() <= 1.01 * scale
    assert models["int8"].is_integer
    assert not models["int8_float_io"].is_integer


def test_one_window_equals_the_same_of_many(content, windows):
    model = TFLiteModel(content["int8"])
    many = model.predict_many(windows.features, windows.presence)["stress"]
    np.testing.assert_array_equal(model.predict(windows.features[7], windows.presence[7])["stress"], many[7])


def test_what_the_core_quantised_gives_the_same_logits(content, windows):
    model = TFLiteModel(content["int8"])
    coded = [
        quantise(array[0].astype(np.float32), model.input_details[name])
        for name, array in (("features", windows.features), ("presence", windows.presence))
    ]
    assert set(np.unique(coded[1])) <= {-128, 127}
    wanted = model.predict(windows.features[0], windows.presence[0])
    np.testing.assert_array_equal(model.predict_i8(*coded)["stress"], wanted["stress"])
    with pytest.raises(BridgeError, match="expected int8"):
        model.predict_i8(coded[0].astype(np.float32), coded[1])
    with pytest.raises(BridgeError, match="floats"):
        TFLiteModel(content["float32"]).predict_i8(*coded)


def test_quantise_rounds_halves_away_from_zero_and_saturates():
    detail = {"dtype": np.int8, "quantization": (0.5, 3)}
    values = np.array([0.0, 0.25, -0.25, 0.24, 1e9, -1e9], np.float32)
    np.testing.assert_array_equal(quantise(values, detail), [3, 4, 2, 3, 127, -128])
    np.testing.assert_array_equal(dequantise(np.array([3, 5], np.int8), detail), np.array([0, 1], np.float32))


def test_positions_name_every_input_and_output(content):
    model = TFLiteModel(content["int8"])
    assert sorted(model.input_positions.values()) == [0, 1]
    assert model.output_positions == {"stress": 0}


@pytest.mark.parametrize("shape", [(4, 26), (2, 5, 26), (2, 4, 25)])
def test_a_wrong_shape_is_refused_with_both_shapes(content, shape):
    model = TFLiteModel(content["int8"])
    with pytest.raises(BridgeError, match=r"features: expected shape \[N, 4, 26\], got"):
        model.predict_many(np.zeros(shape, np.float32), np.zeros((2, 4, 4), np.float32))


def test_numbers_that_are_not_finite_are_refused(content):
    model = TFLiteModel(content["int8"])
    features = np.full((1, 4, 26), np.nan, np.float32)
    with pytest.raises(BridgeError, match="finite"):
        model.predict_many(features, np.ones((1, 4, 4), np.float32))


def test_every_truncation_is_refused_before_the_interpreter(content):
    whole = content["int8"]
    for length in [*range(0, len(whole) // 2, 97), len(whole) // 2]:
        with pytest.raises(BridgeError, match="tflite"):
            check_flatbuffer(whole[:length])


def test_scrambled_offsets_never_escape_as_another_error(content):
    rng = np.random.default_rng(0)
    whole = bytearray(content["int8"])
    for _ in range(150):
        broken = bytearray(whole)
        for at in rng.integers(8, len(whole), 8):
            broken[at] = rng.integers(256)
        with contextlib.suppress(BridgeError):
            check_flatbuffer(bytes(broken))


@pytest.mark.parametrize("content", [b"", b"TFL3" * 100, b"\x00" * 4096, b"PK\x03\x04" * 200])
def test_other_files_are_refused(content):
    with pytest.raises(BridgeError, match="model_int8.tflite: .*export again"):
        TFLiteModel(content, "model_int8.tflite")


@pytest.mark.parametrize(
    ("found", "is_right"), [("2.0.2", False), ("2.1.2", False), ("2.1.3", True), ("1.4.0", True)]
)
def test_runtimes_with_the_batch_matmul_fault_are_refused(monkeypatch, found, is_right):
    monkeypatch.setattr("importlib.metadata.version", lambda name: found)
    if is_right:
        assert check_runtime() == found
    else:
        with pytest.raises(BridgeError, match="2.1.3 or newer"):
            check_runtime()
