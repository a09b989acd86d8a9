# SPDX-License-Identifier: Apache-2.0
"""Whether front end, model and decision settings belong together."""

from __future__ import annotations

import math

from mmq_bridge.decision.manifest import DecisionSettings
from mmq_bridge.decision.model import DecisionModel, NetworkModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd


def check_fits(front_end: FrontEnd, model: DecisionModel, decision: DecisionSettings) -> None:
    """Raise unless front end, model and decision settings belong together.

    Raises
    ------
    BridgeError
        When shapes, tasks, classes or quantisation disagree, or the front end is not normalised.
    """
    wanted = (front_end.tokens, front_end.n_features, len(front_end.modality_names))
    got = (*model.feature_shape, model.n_modalities)
    if wanted != got:
        raise BridgeError(
            f"model: expected (tokens, features, modalities) {wanted} of the front end, got {got}."
        )
    classes = model.classes
    named = {task: len(names) for task, names in decision.tasks.items()}
    swapped = isinstance(model, NetworkModel) and tuple(classes) != tuple(named)
    if classes != named or swapped:
        raise BridgeError(
            f"model: expected the outputs {named} of the manifest, got {classes}; export again."
        )
    if decision.next_sensor is not None and len(decision.next_sensor[0]) != len(front_end.modality_names):
        raise BridgeError(
            f"next_sensor: expected gains of {len(front_end.modality_names)} modalities, got "
            f"{len(decision.next_sensor[0])}; export again."
        )
    if front_end.normalisation is None:
        raise BridgeError(
            "front end: expected a normalisation, got none; take frontend.json from a trained run."
        )
    if model.is_integer:
        _check_quantisation(front_end, model)


def _check_quantisation(front_end: FrontEnd, model: DecisionModel) -> None:
    given = front_end.quantisation
    scale, zero_point = model.quantisation("features")
    if given is None or not math.isclose(given.scale, scale, rel_tol=1e-6) or given.zero_point != zero_point:
        raise BridgeError(
            f"front end: expected the int8 model's scale {scale:g} and zero point {zero_point}, got "
            f"{given}; export again."
        )
    scale, zero_point = model.quantisation("presence")
    if not math.isclose(scale, 1.0 / 255.0, rel_tol=1e-4) or zero_point != -128:
        raise BridgeError(
            f"model: expected presence with scale 1/255 and zero point -128, got {scale:g} and {zero_point}."
        )
