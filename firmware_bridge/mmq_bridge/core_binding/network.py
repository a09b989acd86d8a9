# SPDX-License-Identifier: Apache-2.0
"""A network's plan run by the C core: int8 in, int8 out, the bits of a microcontroller."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmq_bridge.core_binding.library import OK, library, raise_status
from mmq_bridge.errors import BridgeError

BUSY = 18
WHOLE = 2**32 - 1


class CTensor(ctypes.Structure):
    """`mmq_tensor_t`, field by field."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("at", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    ]


class CNetwork(ctypes.Structure):
    """`mmq_network_t`, field by field."""

    _fields_ = [
        ("arena_bytes", ctypes.c_uint32),
        ("n_inputs", ctypes.c_uint32),
        ("n_outputs", ctypes.c_uint32),
        ("n_groups", ctypes.c_uint32),
        ("inputs", ctypes.POINTER(CTensor)),
        ("outputs", ctypes.POINTER(CTensor)),
        ("groups", ctypes.c_void_p),
        ("operations", ctypes.c_void_p),
    ]


class CNetworkState(ctypes.Structure):
    """`mmq_network_state_t`, field by field."""

    _fields_ = [("group", ctypes.c_uint32), ("operation", ctypes.c_uint32), ("row", ctypes.c_uint32)]


class CNetworkJob(ctypes.Structure):
    """`mmq_network_job_t`, field by field."""

    _fields_ = [
        ("network", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("arena_bytes", ctypes.c_size_t),
        ("budget", ctypes.c_uint32),
        ("state", CNetworkState),
    ]


@dataclass(frozen=True)
class NetworkPort:
    """An input or output: where it lies in the arena, how many int8 it has, how they are scaled."""

    at: int
    count: int
    scale: float
    zero_point: int


class Network:
    """A network from the bytes of a bundle's ``mmq_network.bin``.

    Parameters
    ----------
    plan : bytes

    Attributes
    ----------
    inputs, outputs : dict of str to NetworkPort
        In the model's order.
    arena_bytes : int
    arena : numpy.ndarray
        int8 ``[arena_bytes]``: what is computed lies there until it is overwritten.

    Raises
    ------
    BridgeError
        When the bytes are no plan that the core knows.
    """

    def __init__(self, plan: bytes) -> None:
        self._core = library()
        self._plan = (ctypes.c_uint32 * (len(plan) // 4 + 1))()
        ctypes.memmove(self._plan, plan, len(plan))
        need = int(self._core.mmq_plan_size(self._plan, len(plan)))
        self._memory = (ctypes.c_uint64 * (need // 8 + 1))()
        self._network = ctypes.c_void_p()
        size = ctypes.sizeof(self._memory)
        loaded = ctypes.byref(self._network)
        status = self._core.mmq_plan_load(self._plan, len(plan), self._memory, size, loaded)
        if status != OK:
            raise_status(status, "network")
        facts = CNetwork.from_address(self._network.value or 0)
        self.arena_bytes = int(facts.arena_bytes)
        self.inputs = _ports(facts.inputs, facts.n_inputs)
        self.outputs = _ports(facts.outputs, facts.n_outputs)
        self.arena = np.zeros(self.arena_bytes + -self.arena_bytes % 4, np.int8)
        self._state = CNetworkState()

    def job(self, budget: int = 0) -> CNetworkJob:
        """Return what `mmq_network_job` takes, which `mmq_step` can call; the network must outlive it."""
        return CNetworkJob(self._network.value, self.arena.ctypes.data, self.arena.size, budget)

    @property
    def cost(self) -> int:
        """What a run costs, and the unit of `run_slice`'s budget: roughly instructions of a Cortex-M."""
        return int(self._core.mmq_network_cost(self._network))

    @property
    def longest(self) -> int:
        """The cost of the longest part that is not interrupted."""
        return int(self._core.mmq_network_longest(self._network))

    def set_inputs(self, values: Mapping[str, np.ndarray]) -> None:
        """Write int8 inputs by name into the arena, and begin a new run.

        Raises
        ------
        BridgeError
            When one is missing, not int8, or of another size.
        """
        for name, port in self.inputs.items():
            if name not in values:
                raise BridgeError(f"network: the input {name} is missing.")
            given = np.asarray(values[name])
            if given.dtype != np.int8 or given.size != port.count:
                raise BridgeError(
                    f"network: {name} must be {port.count} int8, got {given.size} of {given.dtype}."
                )
            self.arena[port.at : port.at + port.count] = given.reshape(-1)
        self._state = CNetworkState()

    def quantised(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return a window's float features ``[T, F]`` and presence ``[T, M]`` as the inputs' own int8."""
        return {
            name: np.clip(
                np.rint(np.asarray(values, np.float64) / self.inputs[name].scale)
                + self.inputs[name].zero_point,
                -128,
                127,
            ).astype(np.int8)
            for name, values in (("features", features), ("presence", presence))
        }

    def run_slice(self, budget: int = 0) -> bool:
        """Do a part of the run, at least one; return whether it is finished."""
        status = self._core.mmq_network_run_slice(
            self._network, ctypes.byref(self._state), self.arena.ctypes.data, self.arena.size, budget
        )
        if status not in (OK, BUSY):
            raise_status(status, "network")
        return status == OK

    def get_outputs(self) -> dict[str, np.ndarray]:
        """Return the outputs of the last run, int8 ``[count]`` by name."""
        return {
            name: self.arena[port.at : port.at + port.count].copy() for name, port in self.outputs.items()
        }

    def run(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once on int8 inputs by name; return int8 outputs ``[count]`` by name.

        Raises
        ------
        BridgeError
            As `set_inputs`.
        """
        self.set_inputs(values)
        status = self._core.mmq_network_run(self._network, self.arena.ctypes.data, self.arena.size)
        if status != OK:
            raise_status(status, "network")
        return self.get_outputs()


def _ports(tensors: ctypes._Pointer, count: int) -> dict[str, NetworkPort]:
    found = (tensors[index] for index in range(count))
    return {
        tensor.name.decode("utf-8", "replace"): NetworkPort(
            int(tensor.at), int(tensor.count), float(tensor.scale), int(tensor.zero_point)
        )
        for tensor in found
    }
