# SPDX-License-Identifier: Apache-2.0
"""A model of each kind that can be exported, with random weights, through the real export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.model import MMQNet
from mmq_tf.model.ensemble import Ensemble, member_seeds
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.tokens import feature_owner

TOKENS = 12
WRIST = MappingProxyType({"ppg": 12, "eda": 8, "temp": 4, "acc": 8})
EEG = MappingProxyType({"eeg": 40})
NINE = MappingProxyType(
    {"eeg": 20, "ecg": 8, "ppg": 12, "eda": 8, "temp": 4, "acc": 8, "eog": 6, "emg": 7, "resp": 5}
)
STRESS = MappingProxyType({"stress": 2})
AFFECT = MappingProxyType({"valence": 2, "arousal": 3})
LINE: Mapping[str, Any] = MappingProxyType({"line": True, "quality": (3, 4, 5)})
GATED: Mapping[str, Any] = MappingProxyType({**LINE, "line_gate": True})
PARTS = ("modality", "category", "interference")


def _net(
    size: str = "nano", sensors: Mapping[str, int] = WRIST, tasks: Mapping[str, int] = STRESS, **own: Any
) -> Callable[[], tuple[Any, Mapping[str, int]]]:
    return lambda: (MMQNet.from_size(size, TOKENS, sensors, tasks, seed=1, **own), sensors)


def _mhacl(size: str = "nano", sensors: Mapping[str, int] = WRIST) -> Callable[[], tuple[Any, Any]]:
    return lambda: (MHACL.from_size(size, TOKENS, sensors, STRESS, seed=1), sensors)


def _several(make: Callable[..., Any], members: int, **own: Any) -> Callable[[], tuple[Any, Any]]:
    seeds = member_seeds(1, members)
    return lambda: (
        Ensemble([make("nano", TOKENS, WRIST, STRESS, seed=seed, **own) for seed in seeds]),
        WRIST,
    )


def _without(part: str, **own: Any) -> Callable[[], tuple[Any, Any]]:
    return _net(queries=tuple(kept for kept in PARTS if kept != part), **own)


MODELS: Mapping[str, Callable[[], tuple[Any, Mapping[str, int]]]] = MappingProxyType(
    {
        "nano": _net(),
        "small": _net("small"),
        "base": _net("base"),
        "nano-line": _net(**LINE),
        "nano-line-gate": _net(**GATED),
        "nano-line-evidence": _net(line=True),
        "nano-line-steps": _net(**LINE, line_steps=True),
        "small-line": _net("small", **LINE),
        "base-line": _net("base", **LINE),
        "two-tasks": _net(tasks=AFFECT),
        "two-tasks-line": _net(tasks=AFFECT, **LINE),
        "one-sensor": _net(sensors=EEG),
        "one-sensor-line": _net(sensors=EEG, line=True),
        "one-sensor-line-steps": _net(sensors=EEG, line=True, line_steps=True),
        "nine-sensors-line": _net(sensors=NINE, line=True, quality=(30, 40)),
        **{f"without-{part}": _without(part) for part in PARTS},
        **{f"without-{part}-line": _without(part, **LINE) for part in PARTS},
        "without-learned-mask": _net(learned_mask=False),
        "without-learned-mask-line": _net(learned_mask=False, **LINE),
        "without-rebuilt-penalty": _net(rebuilt_penalty=0.0),
        "without-rebuilt-penalty-line": _net(rebuilt_penalty=0.0, **LINE),
        "without-queries": _net(queries=()),
        "without-queries-line": _net(queries=(), **LINE),
        "ensemble": _several(MMQNet.from_size, 3),
        "ensemble-line": _several(MMQNet.from_size, 2, **GATED),
        "mhacl": _mhacl(),
        "mhacl-small": _mhacl("small"),
        "mhacl-base": _mhacl("base"),
        "mhacl-one-sensor": _mhacl(sensors=EEG),
        "mhacl-ensemble": _several(MHACL.from_size, 2),
    }
)
"""Every kind by name: sizes, ablations, with and without a line, several tasks, sensors and members."""


def random_model(name: str) -> bytes:
    """Return the int8 .tflite of a kind, its weights random and calibrated on random windows."""
    return convert(*random_deployed(name), RECIPES["int8"])


def random_deployed(name: str) -> tuple[Any, list[dict[str, np.ndarray]]]:
    """Return the deployed graph of a kind with random weights, and random windows to calibrate it on."""
    net, sensors = MODELS[name]()
    rng = np.random.default_rng(0)
    net.set_weights([_drawn(value, rng) for value in net.get_weights()])
    shape = (200, TOKENS, len(sensors))
    presence = (rng.random(shape) >= rng.uniform(0, 0.9, (200, 1, 1))).astype("float32")
    drawn = rng.normal(size=(200, TOKENS, sum(sensors.values())))
    features = (np.clip(drawn, -5, 5) * (presence @ feature_owner(sensors))).astype("float32")
    deployed = deployed_model(net, TOKENS, features.shape[2], len(sensors))
    return deployed, calibration_windows(features, presence, 60)


def _drawn(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return random weights: the initial ones, moved a little; of size 0.5 where they are 0, as of a line."""
    if value.any():
        return value + 0.02 * rng.random(value.shape, "float32")
    return 0.5 * rng.standard_normal(value.shape, "float32")
