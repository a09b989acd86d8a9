# SPDX-License-Identifier: Apache-2.0
"""What every command owes to a program that calls it."""

import os
import sys
from collections.abc import Iterator

import pytest

from mmq_tf.utils.backend_threads import THREADS


def _switches() -> dict[str, object]:
    """Switches of the process that a command sets: read by later trainings and by processes started later."""
    found: dict[str, object] = {name: os.environ.get(name) for name in (*THREADS, "TF_DETERMINISTIC_OPS")}
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import config

        found["deterministic"] = config.is_op_determinism_enabled()
    return found


@pytest.fixture(scope="module", autouse=True)
def _switches_are_put_back() -> Iterator[None]:
    """Check that the commands of a module's tests left the process's switches as they were."""
    before = _switches()
    yield
    assert {"deterministic": False, **_switches()} == {"deterministic": False, **before}
