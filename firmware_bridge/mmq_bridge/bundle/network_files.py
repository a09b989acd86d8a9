# SPDX-License-Identifier: Apache-2.0
"""The network of a bundle as a plan and as C, and whether it computes what TFLite Micro and LiteRT do."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from mmq_bridge.bundle.microcontroller import micro_there
from mmq_bridge.bundle.reader import OpenedBundle
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.model import NetworkModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.network.schedule import Planned
from mmq_bridge.network.source import network_header, network_source
from mmq_bridge.tflite.apart import ApartModel

logger = logging.getLogger(__name__)

INT8_STEPS = 6
"""Kernels of LiteRT and of TFLite Micro differ by up to so many steps of the output."""


def _planned(content: bytes, tasks: Sequence[str]) -> Planned | None:
    """Return a model's network, or None where it has something the kernels do not know; that is logged."""
    try:
        return plan_network(content, outputs=tasks)
    except BridgeError as error:
        logger.warning("%s", error)
        return None


def network_plan(content: bytes, tasks: Sequence[str]) -> dict[str, bytes]:
    """Return the plan of an int8 model by its name in a bundle; nothing where the kernels do not know it."""
    planned = _planned(content, tasks)
    return {} if planned is None else {NETWORK_FILE: plan_file(planned)}


def network_sources(content: bytes, tasks: Sequence[str]) -> dict[str, bytes]:
    """Return ``mmq_network.h`` and ``mmq_network.c``; nothing where the kernels do not know the model."""
    planned = _planned(content, tasks)
    if planned is None:
        return {}
    return {
        "mmq_network.h": network_header(planned).encode(),
        "mmq_network.c": network_source(planned).encode(),
    }


def check_network(bundle: OpenedBundle, features: np.ndarray, presence: np.ndarray) -> str:
    """Run the plan beside TFLite Micro and LiteRT; say in which runs they agree.

    Parameters
    ----------
    bundle : OpenedBundle
        With a plan.
    features, presence : numpy.ndarray
        Windows float32 ``[N, T, F]`` and ``[N, T, M]``.

    Raises
    ------
    BridgeError
        Where the plan is not the model's, differs from TFLite Micro in any bit, or from LiteRT by more than
        `INT8_STEPS`.
    """
    place, name = bundle.folder / NETWORK_FILE, MODEL_FILES["int8"]
    network = NetworkModel(bundle.files[NETWORK_FILE], features.shape[1], str(place)).network
    windows = [network.quantised(*window) for window in zip(features, presence, strict=True)]
    outputs = [network.run(window) for window in windows]
    steps = _litert_steps(bundle, network, outputs, features, presence)
    if steps > INT8_STEPS:
        raise BridgeError(
            f"{place}: differs from LiteRT by {steps} steps, {INT8_STEPS} are allowed; export again."
        )
    said = f"within {steps} steps of LiteRT"
    if not micro_there():
        return f"{len(windows)} windows {said}; tflite-micro is not installed"
    micro = ApartModel("micro", bundle.files[name], str(bundle.folder / name))
    wanted = micro.run({key: np.stack([window[key] for window in windows]) for key in windows[0]})
    for number, output in enumerate(outputs):
        if any(not np.array_equal(output[task], rows[number]) for task, rows in wanted.items()):
            raise BridgeError(f"{place}: differs from TFLite Micro in window {number}; export again.")
    return f"{len(windows)} windows equal TFLite Micro, {said}"


def _litert_steps(
    bundle: OpenedBundle,
    network: Network,
    outputs: Sequence[dict[str, np.ndarray]],
    features: np.ndarray,
    presence: np.ndarray,
) -> int:
    logits, most = bundle.models["int8"].predict_many(features, presence), 0
    if set(logits) != set(network.outputs):
        raise BridgeError(
            f"{bundle.folder / NETWORK_FILE}: it has outputs {', '.join(network.outputs)}; export again."
        )
    for task, port in network.outputs.items():
        wanted = np.rint(logits[task] / port.scale) + port.zero_point
        got = np.stack([output[task] for output in outputs])
        if got.shape != wanted.shape:
            raise BridgeError(
                f"{bundle.folder / NETWORK_FILE}: {task} has {got.shape[1]} classes; export again."
            )
        apart = np.abs(got - wanted).max(initial=0)
        if not np.isfinite(apart):
            raise BridgeError(f"{bundle.folder / NETWORK_FILE}: {task} has no finite scale; export again.")
        most = max(most, int(apart))
    return most
