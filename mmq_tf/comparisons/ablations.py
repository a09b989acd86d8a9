# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net with one part taken out in turn, trained by the run's own training spec: what each part is worth.

Everything else stays: the same folds, windows, seeds, epochs, augmentation and choice of the epoch, and the
parts that remain start from the same weights. Like neural baselines they train as long as the network itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

from mmq_tf.comparisons.estimator import Changes, NetworkComparison

MOTION = "acc"
"""The modality that may tell what someone does instead of how they feel."""

ONLY_MOTION = f"only_{MOTION}"
"""A network of the accelerometer alone: how much of a result is only that people moved."""

CHANGES: Mapping[str, Changes] = MappingProxyType(
    {
        "without_modality_queries": {"model": {"queries": ("category", "interference")}},
        "without_category_queries": {"model": {"queries": ("modality", "interference")}},
        "without_interference_queries": {"model": {"queries": ("modality", "category")}},
        "without_learned_mask": {"model": {"learned_mask": False}},
        "without_rebuilt_penalty": {"model": {"rebuilt_penalty": 0.0}},
        "without_rebuild_losses": {"losses": {"rebuild_tokens": 0.0, "rebuild_features": 0.0}},
        "without_orthogonality_loss": {"losses": {"orthogonality": 0.0}},
        "without_no_label_loss": {"losses": {"no_label": 0.0}},
        "without_consistency_loss": {"losses": {"consistency": 0.0}},
        "without_interference_teaching": {"losses": {"interference": 0.0}},
        "without_missing_in_training": {"missing": {"complete_share": 1.0}},
        # With nothing corrupted to show there is nothing to name either.
        "without_artefacts_in_training": {"artefacts": {"used_share": 0.0}, "losses": {"interference": 0.0}},
    }
)
"""What each ablation changes in a run's training spec, by its name in the results."""

LINE_CHANGES: Mapping[str, Changes] = MappingProxyType(
    {
        "without_line": {"model": {"line": False}},
        "only_line": {"model": {"network_share": 0.0}},
        "quality_as_evidence": {"model": {"quality": "evidence"}},
    }
)
"""What takes apart a network beside a line: the queries alone, the line alone, and quality let in."""

WITHOUT: Mapping[str, str] = MappingProxyType({f"without_{name}": name for name in SUPPORTED_MODALITIES})
"""The sensor that a network never had, by the ablation's name.

Beside it stands the whole network from which that sensor is hidden: the difference is what failing costs,
apart from what the sensor knows.
"""

ABLATIONS: Mapping[str, NetworkComparison] = {
    **{
        name: NetworkComparison(name, changes=parts, calibrated=True)
        for name, parts in {**CHANGES, **LINE_CHANGES}.items()
    },
    **{name: NetworkComparison(name, without=(gone,), calibrated=True) for name, gone in WITHOUT.items()},
    ONLY_MOTION: NetworkComparison(ONLY_MOTION, only=(MOTION,), calibrated=True),
}
"""Every ablation by its name in the results."""


def ablations_of(modality_names: Collection[str], *, line: bool = False) -> tuple[str, ...]:
    """Name the ablations of a network of these sensors, with a line beside it or not.

    Those of a sensor need it, and another one.
    """
    several = len(modality_names) > 1
    needed = {**WITHOUT, ONLY_MOTION: MOTION}
    return tuple(
        name
        for name in ABLATIONS
        if (line or name not in LINE_CHANGES)
        and (name not in needed or (several and needed[name] in modality_names))
    )
