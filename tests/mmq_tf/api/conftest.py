# SPDX-License-Identifier: Apache-2.0
"""One SIMULATED study, trained once for all tests of the Python API."""

import pytest
from tiny_study import write_tiny_study

import mmq_tf


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with `cohort`, `tiny.toml` and a feature cache of its own."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMQ_CACHE", str(folder / "cache"))
        yield write_tiny_study(folder)


@pytest.fixture(scope="module")
def run(study):
    """A finished run of the study."""
    return mmq_tf.train(study / "tiny.toml", study / "cohort", out=study / "run", final=False)
