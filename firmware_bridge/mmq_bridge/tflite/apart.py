# SPDX-License-Identifier: Apache-2.0
"""`ApartModel`: a checked model run by LiteRT or TFLite Micro in a process of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.check import check_model, work
from mmq_bridge.tflite.model_file import FileTensor
from mmq_bridge.tflite.worker import receive, send

RUNTIMES = {"litert": "LiteRT", "micro": "TFLite Micro"}
START_S = 60.0
"""So long may a runtime take to be imported and to load a model."""
RUN_S = 10.0
WORK_PER_S = 1e7
"""A run may take `RUN_S`, and a second more per so many multiplications, which a slow machine does."""


class WorkerProcess(Protocol):
    """What `start_worker` returns: a `subprocess.Popen`, or whatever is used like one."""

    stdin: Any
    stdout: Any

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended."""
        ...


def start_worker() -> WorkerProcess:
    """Start the process in which models run; nothing is imported from the folder it is started in."""
    code = "from mmq_bridge.tflite.worker import main; main()"
    command = [sys.executable, "-P", "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


class _Worker:
    """The one such process of this one; it is started anew after a model ended it."""

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self.starts = 0

    def ask(
        self, head: Mapping[str, Any], payload: bytes, limit_s: float, answer_bytes: int
    ) -> bytes | str | None:
        """Return the answer, words where the runtime refused, or None where it took too long.

        Raises
        ------
        EOFError
            With how the process ended.
        """
        process = self.running()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit_s, end)
        timer.daemon = True
        with self._lock:
            timer.start()
            try:
                send(process.stdin, head, payload)
                said, answer = receive(process.stdout, answer_bytes)
            except (OSError, EOFError, ValueError) as error:
                status = self.stop()
                if late.is_set():
                    return None
                raise EOFError(_ended(status)) from error
            finally:
                timer.cancel()
        if "error" in said:
            return str(said["error"])
        return answer

    def running(self) -> WorkerProcess:
        """Return the process, started where there is none; one of a parent before a fork is not ours."""
        if self._process is None or self._owner != os.getpid():
            self._process, self._owner = start_worker(), os.getpid()
            self._lock = threading.Lock()
            self.starts += 1
        return self._process

    def stop(self) -> int:
        """End the process where there is one; return how it ended."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return 0
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what it was not sent any more
                stream.close()
        try:
            return process.wait(0.5)  # it may be writing how it ends
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


_WORKER = _Worker()
atexit.register(_WORKER.stop)


def stop_worker() -> None:
    """End the process in which models run; the next model starts another."""
    _WORKER.stop()


class ApartModel:
    """One model in the other process. A crash, a hang or too much memory there is an error here.

    Parameters
    ----------
    runtime : {"litert", "micro"}
    content : bytes
        The .tflite.
    where : str
        Its name for error messages.

    Attributes
    ----------
    inputs, outputs : dict of str to FileTensor
        As the file says, in the graph's order.

    Raises
    ------
    BridgeError
        When export could not have written it, or the runtime refuses it or ends on it.
    """

    _count = 0

    def __init__(self, runtime: str, content: bytes, where: str = "model") -> None:
        model = check_model(content, where)
        self.inputs, self.outputs = model.inputs, model.outputs
        self._runtime, self._content, self._where = runtime, bytes(content), where
        self._work, self._start, self._id = work(model), 0, 0
        self._load()

    def run(self, coded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run windows ``[N, ...]`` by input, in the tensors' own numbers; return outputs ``[N, ...]``.

        Raises
        ------
        BridgeError
            When the runtime ends on it, takes too long, or refuses it.
        """
        arrays = [
            np.ascontiguousarray(coded[name], tensor.dtype).reshape(-1, *tensor.shape[1:])
            for name, tensor in self.inputs.items()
        ]
        count = len(arrays[0])
        self._load()
        head = {"do": "run", "id": self._id, "count": count}
        size = count * sum(_bytes(tensor) for tensor in self.outputs.values())
        payload = b"".join(array.tobytes() for array in arrays)
        answer = self._ask(head, payload, RUN_S + count * self._work / WORK_PER_S, size)
        if len(answer) != size:
            raise BridgeError(f"{self._where}: {RUNTIMES[self._runtime]} computes outputs of another size.")
        found, at = {}, 0
        for name, tensor in self.outputs.items():
            part = np.frombuffer(answer, tensor.dtype, count * tensor.size, at)
            found[name], at = part.reshape(count, *tensor.shape[1:]).copy(), at + part.nbytes
        return found

    def _load(self) -> None:
        _WORKER.running()
        if self._start == _WORKER.starts:
            return
        ApartModel._count += 1
        self._id = ApartModel._count
        head = {"do": "load", "runtime": self._runtime, "id": self._id}
        head["inputs"] = {name: [t.dtype, list(t.shape[1:])] for name, t in self.inputs.items()}
        head["outputs"] = list(self.outputs)
        self._ask(head, self._content, START_S, 0)
        self._start = _WORKER.starts

    def _ask(self, head: Mapping[str, Any], payload: bytes, limit_s: float, answer_bytes: int) -> bytes:
        name = RUNTIMES[self._runtime]
        try:
            answer = _WORKER.ask(head, payload, limit_s, answer_bytes)
        except EOFError as error:
            raise BridgeError(f"{self._where}: {name} ended on it ({error}); do not use it.") from error
        if answer is None:
            raise BridgeError(f"{self._where}: {name} did not finish in {limit_s:.0f} s; do not use it.")
        if isinstance(answer, str):
            raise BridgeError(f"{self._where}: {name} refused it ({answer}); export again.")
        return answer


def _bytes(tensor: FileTensor) -> int:
    return tensor.size * np.dtype(tensor.dtype).itemsize


def _ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
