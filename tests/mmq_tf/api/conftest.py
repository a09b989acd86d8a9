# SPDX-License-Identifier: Apache-2.0
"""One SIMULATED study, trained once for all tests of the Python API."""

import pytest
from tiny_study import train_quickly, write_tiny_study

import mmq_tf

KEPT_BASELINES = {"majority", "logistic"}
"""Enough to see that they are there; the others would only take time."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with `cohort`, `tiny.toml` and a feature cache of its own."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMQ_CACHE", str(folder / "cache"))
        train_quickly(patch, KEPT_BASELINES)
        yield write_tiny_study(folder)


@pytest.fixture(scope="module")
def run(study):
    """A finished run of the study."""
    return mmq_tf.train(study / "tiny.toml", study / "cohort", out=study / "run", final=False)
