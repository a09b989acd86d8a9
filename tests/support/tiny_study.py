# SPDX-License-Identifier: Apache-2.0
"""A SIMULATED cohort of four and a configuration that trains on it in seconds."""

from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

MODALITIES = ("eda", "temp")


def tiny_config(modalities: tuple[str, ...] = MODALITIES, **changes: Any) -> str:
    """Text of the configuration; `changes` names keys or, as a dict, keys of a section."""
    config: dict[str, Any] = {
        "name": "tiny",
        "seeds": [3],
        "data": {"dataset": "simulated", "task": "stress"},
        "front_end": {
            "token_s": 5,
            "tokens": 4,
            "modalities": {name: {"sampling_rate_hz": 4} for name in modalities},
        },
        "normalisation": {"mode": "enrolment", "enrolment_s": 60},
        "windows": {"stride_s": 20},
        "artefacts": {"variants": 1},
        "split": {"folds": 2},
        "training": {"epochs": 2, "batch_size": 16},
    }
    for name, value in changes.items():
        config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
    return tomli_w.dumps(config)


def write_tiny_study(folder: Path, modalities: tuple[str, ...] = MODALITIES, **changes: Any) -> Path:
    """Write `cohort` and `tiny.toml` into a folder, and return it."""
    write_cohort(folder / "cohort", 4, Settings(minutes=7, modalities=modalities))
    (folder / "tiny.toml").write_text(tiny_config(modalities, **changes))
    return folder


def train_quickly(patch: pytest.MonkeyPatch, baselines: Container[str]) -> None:
    """Train step by step, which here takes less than tracing a step, and beside few of the baselines.

    For runs in the test's own process that are only read, or that are compared with one another.
    """
    from mmq_tf.baselines import BASELINES
    from mmq_tf.training import fold, run

    for module in (fold, run):
        patch.setattr(module, "fit_network", partial(module.fit_network, run_eagerly=True))
    whole = dict(BASELINES)
    for name in reversed(whole):  # all, and in this order, so that undoing it keeps theirs
        patch.delitem(BASELINES, name)
    for name in whole:
        if name in baselines:
            patch.setitem(BASELINES, name, whole[name])
