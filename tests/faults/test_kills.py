# SPDX-License-Identifier: Apache-2.0
"""Commands killed in the middle: the whole old or the whole new is there, and the next one goes on.

A handful. With ``MMQ_FAULTS=1``, or by ``python benchmarks/fault_campaign.py``, each command is killed at
every file operation.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "fault_campaign.py"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def campaign(*arguments):
    done = subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_handful_of_kills_loses_nothing():
    said = campaign("--only", "simulate", "--only", "get", "--every", 5, "--random", 2)
    assert said.count("lost 0, half 0") == 2


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.skipif(not os.environ.get("MMQ_FAULTS"), reason="takes half an hour: MMQ_FAULTS=1")
def test_no_kill_of_any_command_loses_anything():
    assert campaign().count("lost 0, half 0") == 6
