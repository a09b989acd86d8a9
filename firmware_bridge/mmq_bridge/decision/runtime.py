# SPDX-License-Identifier: Apache-2.0
"""`TFLiteModel`: a checked .tflite run by LiteRT, float arrays in and float logits out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from mmq_bridge.core_binding.network import to_int8
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.apart import ApartModel
from mmq_bridge.tflite.check import check_head
from mmq_bridge.tflite.model_file import FileTensor

SAFE_LITERT = (2, 1, 3)
PRESENCE_SCALE = 1.0 / 255.0
PRESENCE_ZERO_POINT = -128
_NOT_INSTALLED = "ai-edge-litert is not installed; run: pip install 'ai-edge-litert>=2.1.3'."
_INPUTS = ("features", "presence")


def litert_schema() -> Any:
    """Return LiteRT's own reader of .tflite flatbuffers.

    Raises
    ------
    BridgeError
        When LiteRT is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise BridgeError(_NOT_INSTALLED) from error
    return schema


def check_flatbuffer(content: bytes, where: str = "model") -> None:
    """Raise unless `content` is a whole TensorFlow Lite flatbuffer.

    Every offset, vector and string is followed in Python, so that a truncated or scrambled file is refused
    before any native code reads it.

    Raises
    ------
    BridgeError
        When the identifier is wrong, the size impossible, an offset leads outside, or LiteRT is not
        installed.
    """
    check_head(content, where)
    schema = litert_schema()
    try:
        model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
        _check_model(model)
    except (
        struct.error,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BridgeError(f"{where}: not a whole .tflite flatbuffer ({reason}); export again.") from error


def _check_model(model: Any) -> None:
    """Raise ValueError where an index of the unpacked model points nowhere."""
    if not model.subgraphs or not model.operatorCodes or not model.buffers:
        raise ValueError("no graph, operators or buffers")
    for graph in model.subgraphs:
        tensors = graph.tensors or []
        for tensor in tensors:
            if not 0 <= tensor.buffer < len(model.buffers):
                raise ValueError(f"tensor {tensor.name!r} has no buffer {tensor.buffer}")
        lists = [graph.inputs, graph.outputs]
        for operator in graph.operators or []:
            if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
                raise ValueError(f"operator code {operator.opcodeIndex} does not exist")
            lists += [operator.inputs, operator.outputs]
        for indices in lists:
            if any(not -1 <= int(i) < len(tensors) for i in (indices if indices is not None else ())):
                raise ValueError("a tensor index points outside the graph")


def check_runtime() -> str:
    """Return LiteRT's version; raise where it is one known to compute int8 batch matmul wrongly.

    Raises
    ------
    BridgeError
        For LiteRT 2.0.2 to 2.1.2, or when it is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("ai-edge-litert")
    except PackageNotFoundError as error:
        raise BridgeError(_NOT_INSTALLED) from error
    parts = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in found.split(".")[:3])
    if (2, 0, 0) <= parts < SAFE_LITERT:
        raise BridgeError(
            f"ai-edge-litert {found} computes int8 batch matmul wrongly; install 2.1.3 or newer."
        )
    return found


class TFLiteModel:
    """One model in LiteRT, with static batch 1; inputs `features` and `presence`, one logits tensor a task.

    Integer models are fed and read through their own scales and zero points, so the caller sees floats only.
    A model is compared with what export writes and run in a process of its own: it is somebody else's.

    Parameters
    ----------
    content : bytes
        The .tflite file.
    where : str
        Its name for error messages.
    own : bool
        Whether this process has just converted it: then it runs here, and may hold what no bundle may.

    Attributes
    ----------
    input_details, output_details : dict
        Shape, type and quantisation by input name and by task name.
    input_positions, output_positions : dict of str to int
        Where the graph lists each input and each task: runtimes without signatures count positions.

    Raises
    ------
    BridgeError
        When the content is no .tflite that export writes, LiteRT refuses it or ends on it, or it has other
        inputs.
    """

    def __init__(self, content: bytes, where: str = "model", *, own: bool = False) -> None:
        check_runtime()
        self._where = where
        run = self._opened_here(content) if own else self._opened_apart(content)
        self._run: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = run
        self._check_signature()

    def _opened_apart(self, content: bytes) -> Any:
        model = ApartModel("litert", content, self._where)
        self.input_details = {name: _detail(tensor) for name, tensor in sorted(model.inputs.items())}
        self.output_details = {name: _detail(tensor) for name, tensor in sorted(model.outputs.items())}
        self.input_positions = {name: list(model.inputs).index(name) for name in self.input_details}
        self.output_positions = {name: list(model.outputs).index(name) for name in self.output_details}
        return model.run

    def _opened_here(self, content: bytes) -> Any:
        check_flatbuffer(content, self._where)
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=bytes(content), num_threads=1)
            self._interpreter.allocate_tensors()
            runner = cast(Any, self._interpreter.get_signature_runner())
        except (ValueError, RuntimeError) as error:
            raise BridgeError(f"{self._where}: LiteRT refused it ({_line(error)}); export again.") from error
        self.input_details: dict[str, dict[str, Any]] = dict(runner.get_input_details())
        self.output_details: dict[str, dict[str, Any]] = dict(runner.get_output_details())
        self.input_positions = _positions(self.input_details, self._interpreter.get_input_details())
        self.output_positions = _positions(self.output_details, self._interpreter.get_output_details())

        def run(coded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            rows = [
                runner(**{name: values[index : index + 1] for name, values in coded.items()})
                for index in range(len(coded["features"]))
            ]
            return {task: np.concatenate([row[task] for row in rows]) for task in self.output_details}

        return run

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(self.output_details)

    @property
    def classes(self) -> dict[str, int]:
        """How many logits each task has."""
        return {task: int(detail["shape"][-1]) for task, detail in self.output_details.items()}

    @property
    def feature_shape(self) -> tuple[int, int]:
        """(tokens T, features F) the model expects."""
        _, tokens, features = self.input_details["features"]["shape"]
        return int(tokens), int(features)

    @property
    def n_modalities(self) -> int:
        """Modalities M the model expects."""
        return int(self.input_details["presence"]["shape"][2])

    @property
    def is_integer(self) -> bool:
        """Whether inputs are int8."""
        return self.input_details["features"]["dtype"] == np.int8

    def quantisation(self, name: str = "features") -> tuple[float, int]:
        """Scale and zero point of an input."""
        scale, zero_point = self.input_details[name]["quantization"]
        return float(scale), int(zero_point)

    def predict(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return logits [classes] by task of one window: features [T, F], presence [T, M] (0/1 or bool)."""
        many = self.predict_many(np.asarray(features)[None], np.asarray(presence)[None])
        return {task: logits[0] for task, logits in many.items()}

    def predict_many(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return float32 logits [N, classes] by task of features [N, T, F] and presence [N, T, M].

        Raises
        ------
        BridgeError
            When a shape is not the model's or a feature is not finite.
        """
        given = {
            "features": np.asarray(features, dtype=np.float32),
            "presence": np.asarray(presence, dtype=np.float32),
        }
        for name, value in given.items():
            wanted = tuple(int(n) for n in self.input_details[name]["shape"][1:])
            if value.ndim != 3 or value.shape[1:] != wanted or len(value) != len(given["features"]):
                raise BridgeError(f"{name}: expected shape [N, {wanted[0]}, {wanted[1]}], got {value.shape}.")
            if not np.isfinite(value).all():
                raise BridgeError(f"{name}: expected finite numbers, got NaN or infinity.")
        coded = {name: quantise(value, self.input_details[name]) for name, value in given.items()}
        return self._predict_coded(coded)

    def predict_i8(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return logits [classes] by task of one window that the C core quantised: int8 [T, F] and [T, M].

        Raises
        ------
        BridgeError
            When the model's inputs are not int8 or a shape is not the model's.
        """
        if not self.is_integer:
            raise BridgeError(f"{self._where}: its inputs are floats; call predict.")
        coded = {"features": np.asarray(features)[None], "presence": np.asarray(presence)[None]}
        for name, value in coded.items():
            if value.dtype != np.int8 or value.shape != tuple(self.input_details[name]["shape"]):
                raise BridgeError(
                    f"{name}: expected int8 of the model's shape, got {value.dtype} {value.shape[1:]}."
                )
        return {task: logits[0] for task, logits in self._predict_coded(coded).items()}

    def _predict_coded(self, coded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not len(coded["features"]):
            return {task: np.zeros((0, count), np.float32) for task, count in self.classes.items()}
        found = self._run(coded)
        return {
            task: np.asarray(dequantise(found[task], detail), np.float32)
            for task, detail in self.output_details.items()
        }

    def _check_signature(self) -> None:
        if tuple(sorted(self.input_details)) != _INPUTS:
            raise BridgeError(
                f"{self._where}: expected inputs features and presence, got "
                f"{', '.join(self.input_details)}; export again."
            )
        shapes = {name: tuple(detail["shape"]) for name, detail in self.input_details.items()}
        first, second = shapes["features"], shapes["presence"]
        if len(first) != 3 or len(second) != 3 or first[:2] != second[:2] or first[0] != 1:
            raise BridgeError(
                f"{self._where}: expected features [1, T, F] and presence [1, T, M], got {first} and "
                f"{second}."
            )
        details = [*self.input_details.items(), *self.output_details.items()]
        for name, detail in details:
            if detail["dtype"] not in (np.float32, np.int8):
                raise BridgeError(f"{self._where}: expected {name} of int8 or float32; export again.")
        for task, detail in self.output_details.items():
            if len(detail["shape"]) != 2 or detail["shape"][0] != 1:
                raise BridgeError(f"{self._where}: expected logits [1, classes] of {task}; export again.")


def quantise(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Return `values` as the tensor wants them: unchanged for float, ``round(x / scale) + zero`` for int8.

    Halves go away from zero, in float32, as the C core rounds: both quantise to the same bits.
    """
    if detail["dtype"] == np.float32:
        return np.ascontiguousarray(values, dtype=np.float32)
    scale, zero_point = detail["quantization"]
    return to_int8(values, scale, zero_point)


def dequantise(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Return ``(q - zero) * scale`` as float32, or float values unchanged."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero_point = detail["quantization"]
    return ((values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)).astype(np.float32)


def _detail(tensor: FileTensor) -> dict[str, Any]:
    """Return a tensor's facts under the names that LiteRT gives them."""
    quantisation = (tensor.scales[0], (*tensor.zero_points, 0)[0]) if tensor.scales else (0.0, 0)
    dtype = {"float32": np.float32, "int8": np.int8}.get(tensor.dtype, np.int32)
    return {"shape": tensor.shape, "dtype": dtype, "quantization": quantisation}


def _positions(named: Mapping[str, Any], ordered: Any) -> dict[str, int]:
    """Return where each named tensor stands in the graph's own list."""
    order = [int(detail["index"]) for detail in ordered]
    return {name: order.index(int(detail["index"])) for name, detail in named.items()}


def _line(error: Exception) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
