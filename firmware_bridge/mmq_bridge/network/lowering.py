# SPDX-License-Identifier: Apache-2.0
"""The state of lowering a network, and what all of its parts check."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmq_bridge.network.fixed_point import quantise_multiplier
from mmq_bridge.network.graph import NetworkGraph, NetworkOp, NetworkTensor, refuse
from mmq_bridge.network.steps import NetworkStep, RowView, TensorPlace, Value

MAX_SHIFT = 22
MAX_16 = 65_535
RELU, RELU6 = 1, 3


class Lowering:
    """Steps so far, and where each tensor lies.

    Attributes
    ----------
    graph : NetworkGraph
    steps : list of NetworkStep
    places : dict of int to TensorPlace
        By the tensor's index in the file.
    """

    def __init__(self, graph: NetworkGraph) -> None:
        self.graph = graph
        self.steps: list[NetworkStep] = []
        self.places: dict[int, TensorPlace] = {}
        for name, tensor in graph.inputs.items():
            self.new(int8_of(tensor, f"input {name}"))
        for name, tensor in graph.outputs.items():
            int8_of(tensor, f"output {name}")

    def new(self, tensor: NetworkTensor) -> TensorPlace:
        """Return where a tensor that is computed lies: a value of its own."""
        place = TensorPlace(Value(tensor.size, None, tensor.name), 0)
        self.places[tensor.index] = place
        return place

    def place(self, tensor: NetworkTensor) -> TensorPlace:
        """Return where a tensor lies."""
        if tensor.data is not None and tensor.index not in self.places:
            data = np.ascontiguousarray(tensor.data, np.int8).reshape(-1)
            self.places[tensor.index] = TensorPlace(Value(data.size, data, tensor.name), 0)
        return self.places[tensor.index]

    def rows(self, tensor: NetworkTensor, width: int, offset: int = 0) -> RowView:
        """Return rows of a tensor that lie side by side."""
        place = self.place(tensor)
        return RowView(place.value, place.offset + offset, width, width)

    def whole(self, tensor: NetworkTensor, offset: int = 0, length: int | None = None) -> RowView:
        """Return a tensor, or a part, of which every row of a step reads all."""
        place = self.place(tensor)
        length = tensor.size if length is None else length
        return RowView(place.value, place.offset + offset, 0, length, whole=True)

    def add(self, op: NetworkOp, step: NetworkStep) -> None:
        """Take a step of an operation."""
        wide = [rows.width for rows in (step.output, *step.reads.values()) if step.rows > 1]
        if max(step.rows, step.fields.get("outputs", 0), *wide, 0) > MAX_16:
            raise refuse(f"{op.name} has rows, or elements of a row, beyond {MAX_16}")
        step.tensor = op.output.index
        self.steps.append(step)


def int8_of(tensor: NetworkTensor | None, what: str) -> NetworkTensor:
    """Return a tensor that must be int8 with one scale."""
    if tensor is None:
        raise refuse(f"{what} lacks an input")
    if tensor.dtype != "INT8" or tensor.scales != 1 or tensor.scale <= 0:
        raise refuse(
            f"{what} has a tensor of {tensor.dtype} with {tensor.scales} scales where int8 with one is known"
        )
    return tensor


def constant_of(tensor: NetworkTensor | None, what: str) -> np.ndarray:
    """Return what a tensor holds that must be constant."""
    if tensor is None or tensor.data is None:
        raise refuse(f"{what} computes its parameters (dynamic shapes)")
    return tensor.data


def requantised(real: float, zero_point: int, what: str) -> dict[str, int]:
    """Return multiplier, rounding and shift that scale by a real number and add a zero point."""
    multiplier, exponent = quantise_multiplier(real)
    shift = -exponent
    if not 1 <= shift <= MAX_SHIFT or multiplier == 0:
        raise refuse(f"{what} scales by {real:.4g}: from 2^-{MAX_SHIFT} to below 1/2 is known")
    return {"multiplier": multiplier, "shift": shift, "zero_point": zero_point}


def bounds_of(op: NetworkOp) -> tuple[int, int]:
    """Return the lowest and highest output of a fused activation."""
    activation = getattr(op.options, "fusedActivationFunction", 0)
    scale, zero_point = np.float32(op.output.scale), op.output.zero_point
    if activation == 0:
        return -128, 127
    if activation not in (RELU, RELU6):
        raise refuse(f"{op.name} has the fused activation number {activation}")
    if activation == RELU:
        return max(-128, zero_point), 127
    six = math.floor(float(np.float32(6.0) / scale) + 0.5)
    return max(-128, zero_point), min(127, zero_point + six)


def check_same_scale(op: NetworkOp, tensors: Sequence[NetworkTensor]) -> None:
    """Raise BridgeError where an operation that only picks or moves numbers changes their scale."""
    wanted = op.output.scale, op.output.zero_point
    if any((tensor.scale, tensor.zero_point) != wanted for tensor in tensors):
        raise refuse(f"{op.name} changes the scale")
