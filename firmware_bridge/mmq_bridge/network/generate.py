# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an int8 .tflite to a network that is ready to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mmq_bridge.errors import BridgeError
from mmq_bridge.network.graph import read_network
from mmq_bridge.network.lower import lower
from mmq_bridge.network.schedule import Planned, plan


def plan_network(content: bytes, *, outputs: Sequence[str] | None = None, fused: bool = True) -> Planned:
    """Read an int8 .tflite and plan it for the core's kernels.

    Parameters
    ----------
    content : bytes
        The file.
    outputs : sequence of str, optional
        The order of the outputs: a decision's tasks. The model's own by default.
    fused : bool
        If not, every operation is on its own and every tensor is kept: to compare all of them.

    Raises
    ------
    BridgeError
        If it is no such file, or has anything whose bits the kernels would not give: named in one sentence.

    Notes
    -----
    `mmq_bridge.network.plan_file.plan_file` writes it as a plan, `mmq_bridge.network.source.network_source`
    as C.
    """
    graph = read_network(content)
    if outputs is not None:
        if sorted(outputs) != sorted(graph.outputs):
            raise BridgeError(
                f"network: the model's outputs are {', '.join(graph.outputs)}, not {', '.join(outputs)}."
            )
        graph = replace(graph, outputs={name: graph.outputs[name] for name in outputs})
    return plan(graph, lower(graph), fused=fused)
