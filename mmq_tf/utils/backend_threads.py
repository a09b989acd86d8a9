# SPDX-License-Identifier: Apache-2.0
"""One thread per process for the training backend, so that processes side by side do not slow each other."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

THREADS = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
_DETERMINISM = "TF_DETERMINISTIC_OPS"


def one_thread_per_process() -> None:
    """Keep the training backend to one thread and the same numbers each time, as long as the process lives.

    For programs and worker processes, before the backend is imported; what the user set stays.
    """
    for name, value in (THREADS | {_DETERMINISM: "1"}).items():
        os.environ.setdefault(name, value)


@contextmanager
def one_thread_per_command() -> Iterator[None]:
    """Do the same until a command ends: a program that calls it then trains as it did before.

    TensorFlow reads how many threads it may start once, when it is loaded; that it computes the same numbers
    each time it reads once too, but there it can be told.
    """
    loaded = _tells_determinism()
    before = _is_on(os.environ.get(_DETERMINISM)) if loaded is None else loaded
    with set_if_unset(THREADS | {_DETERMINISM: "1"}):
        if loaded is not None:
            _tell_determinism(_is_on(os.environ[_DETERMINISM]))
        try:
            yield
        finally:
            if _tells_determinism() is not None:
                _tell_determinism(before)


@contextmanager
def set_if_unset(settings: Mapping[str, str]) -> Iterator[None]:
    """Set these variables of the environment, where they are not set, and take them away in the end."""
    added = settings.keys() - os.environ.keys()
    os.environ.update({name: settings[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true")


def _tells_determinism() -> bool | None:
    """Return whether TensorFlow must compute the same numbers each time; None where it is not loaded."""
    if "tensorflow" not in sys.modules:
        return None
    from tensorflow.python.framework import config

    return config.is_op_determinism_enabled()


def _tell_determinism(wanted: bool) -> None:
    from tensorflow.python.framework import config

    (config.enable_op_determinism if wanted else config.disable_op_determinism)()
