# SPDX-License-Identifier: Apache-2.0
"""The process in which runtimes run models of others: it has little memory, writes no file, and may crash."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

MAX_MEMORY_BYTES = 4 << 30
"""Of addresses; most of it is what Python and the runtime reserve."""
MAX_MESSAGE_BYTES = 1 << 28
_ARENA_BYTES = 1 << 25
Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def limit_process() -> None:
    """Bound this process's memory, and let it write no file and leave no core dump, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, limit in (("RLIMIT_AS", MAX_MEMORY_BYTES), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        try:
            resource.setrlimit(getattr(resource, name), (limit, limit))
        except (ValueError, OSError):  # a lower one is set already, or it is not known here
            continue


def send(sink: BinaryIO, head: Mapping[str, Any], payload: bytes = b"") -> None:
    """Write one message: two lengths, JSON, bytes."""
    text = json.dumps(head).encode()
    sink.write(struct.pack("<II", len(text), len(payload)) + text + payload)
    sink.flush()


def receive(source: BinaryIO, most: int = MAX_MESSAGE_BYTES) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Raises
    ------
    EOFError
        Where the other side has gone.
    ValueError
        Where it is none, or has more than `most` bytes.
    """
    head_bytes, payload_bytes = struct.unpack("<II", _exactly(source, 8))
    if head_bytes > 1 << 20 or payload_bytes > most:
        raise ValueError("a message is too long")
    head = json.loads(_exactly(source, head_bytes))
    if not isinstance(head, dict):
        raise ValueError("a message has no head")
    return head, _exactly(source, payload_bytes)


def _exactly(source: BinaryIO, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        part = source.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Load models and run them as asked, until the other side goes."""
    models: dict[int, tuple[dict[str, Any], Run]] = {}
    while True:
        try:
            head, payload = receive(source)
        except EOFError:
            return
        try:
            if head["do"] == "load":
                models[head["id"]] = head, _loaders()[head["runtime"]](payload, head)
                send(sink, {})
            else:
                send(sink, {}, _run(*models[head["id"]], head["count"], payload))
        except (ValueError, RuntimeError, MemoryError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            send(sink, {"error": lines[0][:200]})


def _run(about: dict[str, Any], run: Run, count: int, payload: bytes) -> bytes:
    """Run windows that lie one after the other, by input; return outputs the same way."""
    given, at = {}, 0
    for name, (kind, shape) in about["inputs"].items():
        array = np.frombuffer(payload, kind, count * int(np.prod(shape)), at)
        given[name], at = array.reshape(count, *shape), at + array.nbytes
    rows = [
        run({name: values[index : index + 1] for name, values in given.items()}) for index in range(count)
    ]
    return b"".join(np.ascontiguousarray(row[name]).tobytes() for name in about["outputs"] for row in rows)


def _loaders() -> dict[str, Callable[[bytes, Mapping[str, Any]], Run]]:
    return {"litert": _litert, "micro": _micro}


def _litert(content: bytes, about: Mapping[str, Any]) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    runner: Any = interpreter.get_signature_runner()
    return lambda given: runner(**given)


def _micro(content: bytes, about: Mapping[str, Any]) -> Run:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ARENA_BYTES)
    inputs, outputs = list(about["inputs"]), list(about["outputs"])

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for place, name in enumerate(inputs):
            interpreter.set_input(given[name], place)
        interpreter.invoke()
        return {name: np.array(interpreter.get_output(place)) for place, name in enumerate(outputs)}

    return run


def main() -> None:
    """Serve what started this process over its standard streams, and keep runtimes from printing there."""
    limit_process()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdin.close()
    serve(source, sink)
