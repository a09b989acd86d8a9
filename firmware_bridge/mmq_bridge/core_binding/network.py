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


class CRunner(ctypes.Structure):
    """`mmq_runner_t`, field by field."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("run", "context", "features", "presence", "logits")),
        ("running", ctypes.c_uint32),
    ]  # fmt: skip


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
    where : str
        Its name for error messages.

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

    def __init__(self, plan: bytes, where: str = "network") -> None:
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
            raise_status(status, where)
        facts = CNetwork.from_address(self._network.value or 0)
        self.arena_bytes = int(facts.arena_bytes)
        self.inputs = _ports(facts.inputs, facts.n_inputs)
        self.outputs = _ports(facts.outputs, facts.n_outputs)
        self.arena = self.new_arena()
        self._state = CNetworkState()

    def new_arena(self) -> np.ndarray:
        """Return memory for a run beside other runs."""
        return np.zeros(self.arena_bytes + -self.arena_bytes % 4, np.int8)

    def job(self, budget: int = 0, arena: np.ndarray | None = None) -> CNetworkJob:
        """Return what `mmq_network_job` takes, which `mmq_step` calls; network and arena must outlive it."""
        arena = self.arena if arena is None else arena
        return CNetworkJob(self._network.value, arena.ctypes.data, arena.size, budget)

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
            name: to_int8(
                np.asarray(values, np.float32), self.inputs[name].scale, self.inputs[name].zero_point
            )
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


class Runner:
    """A network as `mmq_step` runs it, whole, in an arena of its own.

    Parameters
    ----------
    network : Network
        With the inputs ``features`` and ``presence``.
    """

    def __init__(self, network: Network) -> None:
        self._network, self._arena = network, network.new_arena()
        self._job = network.job(arena=self._arena)
        self._logits = np.zeros(sum(port.count for port in network.outputs.values()), np.int8)
        begin = self._arena.ctypes.data
        self._struct = CRunner(
            ctypes.cast(library().mmq_network_job, ctypes.c_void_p).value,
            ctypes.addressof(self._job),
            *(begin + network.inputs[name].at for name in ("features", "presence")),
            self._logits.ctypes.data,
            0,
        )

    @property
    def given(self) -> ctypes._Pointer:
        """What `mmq_step` takes."""
        return ctypes.pointer(self._struct)


def to_int8(values: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Return float32 numbers as int8, rounded as the C core rounds: halves go away from zero.

    Examples
    --------
    >>> to_int8(np.array([0.25, -0.25, 0.2, 99.0], np.float32), 0.5, -1).tolist()
    [0, -2, -1, 127]
    """
    steps = values.astype(np.float32) / np.float32(scale)
    coded = np.trunc(steps + np.copysign(np.float32(0.5), steps)) + np.float32(zero_point)
    return np.clip(coded, -128, 127).astype(np.int8)


def _ports(tensors: ctypes._Pointer, count: int) -> dict[str, NetworkPort]:
    found = (tensors[index] for index in range(count))
    return {
        tensor.name.decode("utf-8", "replace"): NetworkPort(
            int(tensor.at), int(tensor.count), float(tensor.scale), int(tensor.zero_point)
        )
        for tensor in found
    }
