# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf bench model` measures: a decision by our models and by others, side by side."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from mmq_bridge.bundle.flatbuffer import count_macs
from mmq_bridge.bundle.microcontroller import arena_if_there
from mmq_bridge.decision.runtime import check_runtime, quantise
from mmq_bridge.errors import BridgeError
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert_any, convert_each
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES
from threadpoolctl import threadpool_limits

from mmq_tf.api.model_cost.source import CostSource
from mmq_tf.baselines import Forest
from mmq_tf.errors import MMQError
from mmq_tf.metrics.interleaved_timing import Contender, time_rounds
from mmq_tf.model.eegnet import RATE_HZ, eegnet
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.transformer import Transformer

NUMBERS = ("int8", "float32")
TASK = "task"
SAME = 1e-3
"""Largest difference of a logit that counts as the same float32 model."""
REPEATS = 100
CALIBRATION = 64


@dataclass(frozen=True)
class ModelCost:
    """What one model costs.

    Attributes
    ----------
    name, condition : str
        ``mmqnet-nano`` and ``int8``, ...
    size_bytes : int
        Of its file.
    macs, arena : int or None
        Multiply-accumulates of a decision; bytes of TFLite Micro's arena. None where there is no such thing.
    seconds : numpy.ndarray
        Processor seconds of a decision, a round.
    """

    name: str
    condition: str
    size_bytes: int
    macs: int | None
    arena: int | None
    seconds: np.ndarray


class LiteRTCall:
    """One decision through LiteRT on one thread: inputs set, invoked, outputs read.

    Parameters
    ----------
    content : bytes
        The .tflite file.
    inputs : mapping of str to float array
        By the signature's names, with the batch axis; quantised here, once, where the file takes integers.
    """

    def __init__(self, content: bytes, inputs: Mapping[str, np.ndarray]):
        check_runtime()
        self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        runner: Any = self._interpreter.get_signature_runner()
        details = runner.get_input_details()
        self._inputs = [
            (detail["index"], quantise(np.asarray(inputs[name], "float32"), detail))
            for name, detail in details.items()
        ]
        self._outputs = [detail["index"] for detail in runner.get_output_details().values()]

    def __call__(self) -> list[np.ndarray]:
        """Return the outputs, in the model's own numbers."""
        for index, values in self._inputs:
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


@dataclass(frozen=True)
class _Model:
    """A file that LiteRT runs, and the inputs of one decision."""

    name: str
    condition: str
    content: bytes
    inputs: Mapping[str, np.ndarray]


def measure_models(source: CostSource, sizes: Sequence[str], rounds: int) -> list[ModelCost]:
    """Make every model, check that each file computes what its network does, then time all in turn.

    Parameters
    ----------
    source : CostSource
        Shapes and windows.
    sizes : sequence of str
        Names in `SIZES`; the first one's int8 file is what the others are compared with.
    rounds : int

    Returns
    -------
    list of ModelCost
        The first is ours in int8.

    Raises
    ------
    MMQError
        When a float32 file does not compute what its network does: then nothing is timed.
    """
    models = [model for size in sizes for model in _networks(source, size)]
    models += _eegnet(source)
    forest = Forest().fit(
        source.features, source.presence, source.labels, source.layout.feature_slices, 0, source.classes
    )
    features, presence = source.features[:1], source.presence[:1]
    entries = [
        Contender(model.name, model.condition, LiteRTCall(model.content, model.inputs), REPEATS)
        for model in models
    ]
    entries.append(
        Contender("forest", "scikit-learn", lambda: forest.predict_proba(features, presence), repeats=1)
    )
    with threadpool_limits(1):
        time_rounds(entries, 1)  # the first calls set memory up
        taken = time_rounds(entries, rounds)
    costs = [
        ModelCost(
            model.name,
            model.condition,
            len(model.content),
            count_macs(model.content),
            _arena(model.content),
            taken[:, column],
        )
        for column, model in enumerate(models)
    ]
    kept = len(pickle.dumps(forest.estimator, protocol=pickle.HIGHEST_PROTOCOL))
    return [*costs, ModelCost("forest", "scikit-learn", kept, None, None, taken[:, -1])]


def _networks(source: CostSource, size: str) -> list[_Model]:
    """Return MMQ-Net and the zero-fill transformer of a size, each in int8 and float32."""
    layout, sizes = source.layout, source.layout.feature_sizes
    shape = (layout.tokens, sizes, {TASK: source.classes})
    inputs = {"features": source.features[:1], "presence": source.presence[:1].astype("float32")}
    calibration = calibration_windows(source.features, source.presence, CALIBRATION)
    models = []
    if source.files and size == source.size:
        models += [_Model(f"mmqnet-{size}", numbers, source.files[numbers], inputs) for numbers in NUMBERS]
        nets = {}
    else:
        nets = {"mmqnet": MMQNet.from_size(size, *shape)}
    nets["zero_fill"] = Transformer.from_size(size, *shape)
    for name, net in nets.items():
        deployed = deployed_model(_shaken(net), layout.tokens, layout.n_features, len(sizes))
        contents = convert_each(deployed, calibration, [RECIPES[numbers] for numbers in NUMBERS])
        for numbers, content in zip(NUMBERS, contents, strict=True):
            models.append(_Model(f"{name}-{size}", numbers, content, inputs))
        _check_same(models[-1], deployed)
    return models


def _shaken(net: Any) -> Any:
    """Move every weight a little: the converter drops and shares those that are all 0 or 1."""
    rng = np.random.default_rng(0)
    net.set_weights([value + 0.02 * rng.random(value.shape, "float32") for value in net.get_weights()])
    return net


def _eegnet(source: CostSource) -> list[_Model]:
    """Return EEGNet on the same seconds of raw EEG, where there is EEG."""
    if "eeg" not in source.front_end.modalities:
        return []
    channels = len(source.front_end.modalities["eeg"].channels)
    net = _shaken(eegnet(channels, round(source.front_end.window_s * RATE_HZ), source.classes))
    draws = np.random.default_rng(0).standard_normal((CALIBRATION, *net.inputs[0].shape)).astype("float32")
    windows = [{"samples": draw} for draw in draws]
    models = [
        _Model("eegnet", numbers, convert_any(net, windows, RECIPES[numbers]), windows[0])
        for numbers in NUMBERS
    ]
    _check_same(models[-1], net)
    return models


def _check_same(model: _Model, net: keras.Model) -> None:
    """Raise where a float32 file does not give its network's logits."""
    (expected,) = net([model.inputs[tensor.name] for tensor in net.inputs], training=False).values()
    (found,) = LiteRTCall(model.content, model.inputs)()
    difference = float(np.abs(found - keras.ops.convert_to_numpy(expected)).max())
    if not difference <= SAME:
        raise MMQError(
            f"{model.name}: LiteRT's logits differ from the network's by {difference:.3g}: nothing was timed."
        )


def _arena(content: bytes) -> int | None:
    """Return the arena's bytes, or None where TFLite Micro does not run the model."""
    try:
        return arena_if_there(content)
    except BridgeError:
        return None
