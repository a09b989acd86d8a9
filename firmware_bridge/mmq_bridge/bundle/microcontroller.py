# SPDX-License-Identifier: Apache-2.0
"""Run a model in TFLite Micro's own interpreter: the check that a microcontroller would compute the same."""

import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mmq_bridge.bundle.flatbuffer import TensorFacts, read_graph
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.apart import ApartModel

logger = logging.getLogger(__name__)

_ROOMY = 4 << 20
_SMALLEST = re.compile(r"smallest arena (\d+)")
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_TRIED = re.compile(r"tried (\d+)")
_STEP = 64
_RESTARTS = 64
_TIME_S = 120.0
_LIMITED = """
from mmq_bridge.tflite.worker import limit_process
limit_process()
"""
_ALLOCATE = """
import sys
from pathlib import Path
from tflite_micro import runtime
content = Path(sys.argv[1]).read_bytes()
runtime.Interpreter.from_bytes(content, arena_size=int(sys.argv[2])).print_allocations()
"""
_GROW = """
import sys
from pathlib import Path
from tflite_micro import runtime
content, size, step = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
while True:
    print("tried", size, flush=True)
    try:
        runtime.Interpreter.from_bytes(content, arena_size=size)
    except RuntimeError:
        size += step
    else:
        break
print("smallest arena", size)
"""


def micro_there() -> bool:
    """Whether TFLite Micro's interpreter for Python (``tflite-micro``) is installed."""
    return find_spec("tflite_micro") is not None


def arena_if_there(content: bytes) -> int | None:
    """Return `arena_bytes`, or None where TFLite Micro is not installed."""
    return arena_bytes(content) if micro_there() else None


def arena_bytes(content: bytes) -> int:
    """Return the bytes of the smallest arena in which TFLite Micro runs a model, to the next 64.

    Counted on this 64-bit machine, whose pointers are twice as long: an upper bound for a 32-bit device. What
    the model keeps is counted in a roomy arena; from there the arena grows until its plan fits in as well.
    The interpreter runs in a child process, because it ends its process on some faulty models.

    Raises
    ------
    BridgeError
        If TFLite Micro refuses the model.
    """
    read_graph(content)
    with tempfile.TemporaryDirectory(prefix="mmq_arena_") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(content)
        kept = _number(_TOTAL, run_python(_ALLOCATE, path, _ROOMY))
        return _grow(path, kept + -kept % _STEP)


def _grow(path: Path, size: int) -> int:
    """Return the first size from `size` on that is enough.

    After many arenas that were too small the interpreter may end its process: a fresh one tries that size
    again, and one that ends at its very first try continues with the next.
    """
    for _ in range(_RESTARTS):
        done = run_python(_GROW, path, size, _STEP)
        tried = _TRIED.findall(done.stdout)
        if done.returncode >= 0 or not tried:
            break
        size = max(int(tried[-1]), size + _STEP * (len(tried) == 1))
    return _number(_SMALLEST, done)


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    command = [sys.executable, "-P", "-c", _LIMITED + code, *map(str, arguments)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIME_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BridgeError(f"arena_bytes: TFLite Micro did not finish in {_TIME_S:g} s.") from error


def _number(pattern: re.Pattern[str], done: subprocess.CompletedProcess[str]) -> int:
    """Return the number a child process printed."""
    found = pattern.search(done.stdout + done.stderr)
    if done.returncode or found is None:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BridgeError(f"arena_bytes: TFLite Micro refuses the model ({reason}); check its operations.")
    return int(found.group(1))


class MicroModel:
    """A model in TFLite Micro, in an arena far larger than any model here needs.

    Parameters
    ----------
    content : bytes
        The flatbuffer, int8 or float32.
    apart : bool
        Whether it is somebody else's: then it is compared with what export writes, and run in a process of
        its own.

    Raises
    ------
    BridgeError
        If the content is no model, or TFLite Micro refuses it.
    """

    def __init__(self, content: bytes, apart: bool = False):
        self._apart = ApartModel("micro", content) if apart else None
        self._graph = read_graph(content)
        if apart:
            return
        from tflite_micro import runtime

        try:
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ROOMY)
        except RuntimeError as error:
            raise BridgeError(f"MicroModel: TFLite Micro refuses the model ({error}).") from error

    @property
    def tasks(self) -> tuple[str, ...]:
        """The outputs' names."""
        return tuple(self._graph.outputs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once on float32 inputs by name, with or without the batch axis; return float32 outputs."""
        coded = {
            name: quantise(np.asarray(inputs[name], "float32").reshape(tensor.shape), tensor)
            for name, tensor in self._graph.inputs.items()
        }
        found = self._apart.run(coded) if self._apart else self._run_here(coded)
        return {name: dequantise(found[name], tensor) for name, tensor in self._graph.outputs.items()}

    def _run_here(self, coded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for index, name in enumerate(self._graph.inputs):
            self._interpreter.set_input(coded[name], index)
        self._interpreter.invoke()
        return {name: self._interpreter.get_output(index) for index, name in enumerate(self._graph.outputs)}

    def predict(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logits float32 ``[classes]`` by task of one window ``[T, F]``, ``[T, M]``."""
        return {
            task: logits[0] for task, logits in self.run({"features": features, "presence": presence}).items()
        }

    def predict_many(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logits float32 ``[N, classes]`` by task of windows ``[N, T, F]``, ``[N, T, M]``."""
        if self._apart:
            given = {"features": features, "presence": presence}
            coded = {name: quantise(given[name], tensor) for name, tensor in self._graph.inputs.items()}
            found = self._apart.run(coded)
            return {name: dequantise(found[name], tensor) for name, tensor in self._graph.outputs.items()}
        rows = [self.predict(*window) for window in zip(features, presence, strict=True)]
        return {task: np.stack([row[task] for row in rows]) for task in self.tasks}


def quantise(values: np.ndarray, tensor: TensorFacts) -> np.ndarray:
    """Return a tensor's own numbers of values: ``round(x / scale) + zero_point``, saturated; float stays."""
    if tensor.dtype != "int8":
        return values.astype("float32")
    steps = np.rint(np.asarray(values, "float64") / tensor.scales[0]) + tensor.zero_points[0]
    return np.clip(steps, -128, 127).astype("int8")


def dequantise(values: np.ndarray, tensor: TensorFacts) -> np.ndarray:
    """Return float32 values of a tensor's own numbers: ``(q - zero_point) * scale``; float stays."""
    if tensor.dtype != "int8":
        return np.array(values, "float32")
    return ((values.astype("int32") - tensor.zero_points[0]) * tensor.scales[0]).astype("float32")
