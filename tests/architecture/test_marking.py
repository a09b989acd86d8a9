# SPDX-License-Identifier: Apache-2.0
"""What decides a test's markers, and that ``--quick`` cannot load TensorFlow."""

import subprocess
import sys

import marking
import pytest


def lazily():
    import keras

    return keras


def through_this_project():
    from mmq_tf.model.mmqnet import MMQNet

    return MMQNet


def lightly():
    from mmq_tf.errors import MMQError

    return MMQError


@pytest.mark.parametrize(
    ("fixtures", "module", "function", "found"),
    [
        (["tmp_path"], "mmq_tf/errors.py", lightly, set()),
        (["board", "mmq_data"], "mmq_tf/errors.py", lightly, {"emulator", "recordings"}),
        ([], "mmq_tf/model/mmqnet.py", lightly, {"tensorflow"}),
        ([], "mmq_tf/errors.py", lazily, {"tensorflow"}),
        ([], "mmq_tf/errors.py", through_this_project, {"tensorflow"}),
    ],
)
def test_facts_decide_the_markers(fixtures, module, function, found):
    assert marking.needs(fixtures, marking.ROOT / module, [function]) == found


@pytest.mark.parametrize("loaded", ["", "sys.modules['keras'] = 1; "])
def test_quick_refuses_tensorflow(loaded):
    code = f"import sys; {loaded}import marking; marking.refuse_tensorflow(); import json, keras"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=marking.__file__.rpartition("/")[0],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"ImportError: --quick runs without keras" in done.stderr
