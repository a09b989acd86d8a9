# SPDX-License-Identifier: Apache-2.0
"""A fitted `MMQClassifier` becomes a bundle: its scaler goes into the network's first layer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_bridge.decision.manifest import Manifest
    from mmq_bridge.front_end.feature_layout import FeatureLayout
    from mmq_bridge.front_end.front_end import FrontEnd

UNSTATED = {
    "name": "array",
    "title": "Windows given to MMQClassifier",
    "licence": "not stated",
    "attribution": "not stated",
    "simulated": False,
    "label_kind": "not stated",
}
GOLDEN_MINUTES = 7.0


def write_classifier(
    classifier: Any,
    front_end: FrontEnd,
    out: Path,
    *,
    name: str,
    data: Mapping[str, Any] | None,
    golden: str | Path | None,
    max_drop: float,
    slim: bool,
) -> Manifest:
    """Write the bundle of a fitted classifier whose X came from this front end.

    Parameters
    ----------
    classifier : MMQClassifier

    Raises
    ------
    MMQError
        If the front end is not the one of its columns, or no group was held back to judge int8 on.
    ExportError
        If int8 loses too much, or `out` holds something else than a bundle.
    """
    from mmq_export.bundle import Windows, write_bundle
    from mmq_export.deployed_graph import deployed_model

    from mmq_tf.api.gate_rules import GATE_RULES
    from mmq_tf.training.fold import DECISION_DEFAULTS

    layout, held = classifier.layout_, classifier.validation_windows_
    if front_end.normalisation is None or _shape(front_end.feature_layout) != _shape(layout):
        raise MMQError(
            "to_bundle: the front end must be the normalised one that made X, with the modalities of the "
            "classifier in their order; give it as front_end."
        )
    if not len(held):
        raise MMQError(
            "to_bundle: no group was held back, so there is nothing to judge int8 on; fit with groups and "
            "validation_fraction above 0."
        )
    scaler = classifier.scaler_
    shown = held.features * scaler.scale_ + scaler.mean_
    net = deployed_model(
        with_scaler(classifier.net_, scaler.mean_, scaler.scale_),
        layout.tokens,
        layout.n_features,
        len(layout.modality_names),
    )
    signals, origin = _golden(front_end, golden)
    return write_bundle(
        out,
        deployed=net,
        front_end=front_end,
        decision={**classifier.decision_settings(), **DECISION_DEFAULTS},
        validation=Windows(
            layout.visible(shown.astype(np.float32), held.presence), held.presence, held.label[:, None]
        ),
        golden_signals=signals,
        golden_origin=origin,
        card_facts={
            "name": name,
            "data": {**UNSTATED, **(data or {})},
            "exported_model": f"MMQClassifier, epoch {classifier.best_epoch_}",
            "train_subjects": [str(one) for one in classifier.training_groups_],
            "validation_subjects": [str(one) for one in classifier.validation_groups_],
            "test_subjects": [],
        },
        gate_rules=GATE_RULES,
        code=not slim,
        max_drop=max_drop,
    )


def _shape(layout: FeatureLayout) -> tuple[int, list[tuple[str, int]]]:
    return layout.tokens, list(layout.feature_sizes.items())


def with_scaler(net: Any, mean: Any, scale: Any) -> Any:
    """Return a copy of a network that standardises its own features.

    What its embedding computes of ``(x - mean) / scale`` the copy computes of ``x``; an absent token gives 0
    in both.

    Parameters
    ----------
    net : MMQNet or Ensemble
    mean, scale : float ``[F]``
    """
    from mmq_tf.model.ensemble import members_of

    copy = type(net).from_config(net.get_config())
    copy.set_weights(net.get_weights())
    for member in members_of(copy):
        layer = member.embedding.features_in
        kernel, bias = layer.get_weights()
        kernel = kernel * layer.block_mask() / scale[:, None]
        layer.set_weights([kernel, bias - mean @ kernel])
    return copy


def _golden(front_end: FrontEnd, recording: str | Path | None) -> tuple[dict[str, Any], Any]:
    """Return golden samples at the front end's rates and whose they are: by default a SIMULATED person's."""
    from mmq_bridge.bundle.golden import GoldenOrigin
    from mmq_bridge.decision.whole_recordings import whole_signals

    if recording is not None:
        from mmq_tf.datasets import open_recording

        worn = open_recording(Path(recording))
    else:
        from mmq_tf.simulation.simulator import Settings, simulate

        worn, _ = simulate(Settings(minutes=GOLDEN_MINUTES, modalities=front_end.modality_names), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a rate is not the model's: here it need not be
        signals = whole_signals(front_end, worn)
    return dict(signals), GoldenOrigin(worn.source or "a recording", worn.simulated)
