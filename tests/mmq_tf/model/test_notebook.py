# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net as a Keras model in a notebook: summary, compile, fit, save, export; and from a preset."""

import importlib.util
from typing import Any

import keras
import numpy as np
import pytest
from mmq_bridge.decision.runtime import TFLiteModel

from mmq_tf import pretrained
from mmq_tf.errors import MMQError
from mmq_tf.model.ensemble import Ensemble
from mmq_tf.model.keras_names import ops
from mmq_tf.model.mmqnet import MMQNet

pytestmark = pytest.mark.slow

SIZES = {"ppg": 3, "eda": 2}


def make(seed=0):
    return MMQNet.from_size("nano", 6, SIZES, {"stress": 2}, seed=seed)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 96)
    features = rng.normal(size=(96, 6, 5)).astype("float32") + 2 * label[:, None, None].astype("float32")
    return {"features": features, "presence": np.ones((96, 6, 2), "float32")}, label


def logits(model, inputs) -> Any:
    return ops.convert_to_numpy(model(inputs)["stress"])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # of what the interference losses alone train
def test_compile_and_fit_as_any_keras_model(data, tmp_path):
    inputs, label = data
    net = make()
    lines = []
    net.summary(print_fn=lines.append)
    assert "category_queries" in "\n".join(lines)
    net.compile(
        "adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = net.fit(inputs, label, epochs=8, batch_size=16, validation_split=0.25, verbose="0")
    assert {"accuracy", "val_accuracy"} <= set(history.history)
    assert history.history["val_accuracy"][-1] > 0.8
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(logits(again, inputs), logits(net, inputs))


@pytest.mark.parametrize("ensemble", [False, True])
def test_export_writes_a_saved_model_for_any_number_of_windows(data, tmp_path, ensemble):
    inputs, _ = data
    net = Ensemble([make(0), make(1)]) if ensemble else make()
    net.export(tmp_path / "saved", verbose=False)
    served = keras.layers.TFSMLayer(tmp_path / "saved", call_endpoint="serve")
    for count in (1, 7):
        few = {name: values[:count] for name, values in inputs.items()}
        np.testing.assert_allclose(ops.convert_to_numpy(served(few)["stress"]), logits(net, few), atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("tf2onnx") is None, reason="needs the extra onnx")
@pytest.mark.filterwarnings("ignore::FutureWarning")  # tf2onnx looks for a NumPy 1 name
def test_export_writes_onnx(data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    inputs, _ = data
    net = make()
    net.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(["stress"], {name: values[:9] for name, values in inputs.items()})
    np.testing.assert_allclose(
        found, logits(net, {name: values[:9] for name, values in inputs.items()}), atol=1e-5
    )


def test_a_pretrained_network_computes_what_its_bundle_computes():
    net = MMQNet.from_preset("wrist-stress")
    rng = np.random.default_rng(1)
    features = rng.normal(size=(40, net.n_tokens, net.n_features)).astype("float32")
    presence = (rng.random((40, net.n_tokens, net.n_modalities)) < 0.8).astype("float32")
    file = pretrained.path("wrist-stress") / "model_float32.tflite"
    expected = TFLiteModel(file.read_bytes(), file.name).predict_many(features, presence)["stress"]
    np.testing.assert_allclose(logits(net, {"features": features, "presence": presence}), expected, atol=1e-5)


def test_a_configuration_gives_a_fresh_network_and_never_weights_it_has_not():
    net = MMQNet.from_preset("stress-predict", load_weights=False)
    assert (net.n_tokens, list(net.feature_sizes)) == (12, ["ppg", "eda", "temp", "acc"])
    with pytest.raises(MMQError, match="is a configuration, which has no weights"):
        MMQNet.from_preset("stress-predict")
    with pytest.raises(MMQError, match="expected one of wrist-stress; got 'no-such-model'"):
        MMQNet.from_preset("no-such-model")
