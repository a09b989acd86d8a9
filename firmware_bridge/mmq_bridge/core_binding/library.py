# SPDX-License-Identifier: Apache-2.0
"""Find and load the compiled C core."""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from mmq_bridge.core_binding.spec_struct import CModality, CSpec
from mmq_bridge.errors import BridgeError

OK, LATE, NO_TOKEN, NOT_READY, ENROLLING, UNHELPFUL = 0, 6, 7, 8, 9, 23


class CClock(ctypes.Structure):
    """`mmq_clock_t`, field by field."""

    _fields_ = [
        ("ticks_per_s", ctypes.c_double),
        ("total", ctypes.c_int64),
        ("last", ctypes.c_uint32),
        ("started", ctypes.c_uint32),
    ]


def library_path() -> Path:
    """Find the compiled core beside this file or in the installed package.

    Raises
    ------
    BridgeError
        When it was never built.
    """
    name = {"win32": "mmq_bridge.dll", "darwin": "libmmq_bridge.dylib"}.get(sys.platform, "libmmq_bridge.so")
    places = [Path(__file__).parents[1], Path(sysconfig.get_path("platlib")) / "mmq_bridge"]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise BridgeError(
        f"{name} was not found in {places[0]} or {places[1]}: build it with `pip install ./firmware_bridge`"
    )


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Load the compiled core once and declare its functions."""
    path = library_path()
    try:
        core = ctypes.CDLL(str(path))
        _declare(core)
    except (OSError, AttributeError) as error:
        raise BridgeError(
            f"{path} cannot be loaded ({error}): build it again with `pip install .`"
        ) from error
    return core


def _declare(core: ctypes.CDLL) -> None:
    spec, pointer = ctypes.POINTER(CSpec), ctypes.c_void_p
    core.mmq_bridge_size.argtypes, core.mmq_bridge_size.restype = [spec], ctypes.c_size_t
    core.mmq_bridge_init.argtypes = [pointer, ctypes.c_size_t, spec, ctypes.POINTER(pointer)]
    core.mmq_bridge_push.argtypes = [pointer, ctypes.c_uint32, pointer, ctypes.c_uint32, ctypes.c_double]
    core.mmq_bridge_push_counted.argtypes = [
        pointer, ctypes.c_uint32, pointer, ctypes.c_uint32, ctypes.c_uint32
    ]  # fmt: skip
    core.mmq_bridge_rate.argtypes = [pointer, ctypes.c_uint32, ctypes.POINTER(ctypes.c_float)]
    core.mmq_bridge_lead_off.argtypes = [pointer, ctypes.c_uint32, ctypes.c_uint64]
    core.mmq_bridge_reasons.argtypes = [pointer, ctypes.c_int64, pointer]
    core.mmq_spatial.argtypes = [ctypes.POINTER(CModality), pointer, ctypes.c_uint32, pointer]
    core.mmq_clock_s.argtypes = [ctypes.POINTER(CClock), ctypes.c_uint32]
    core.mmq_clock_s.restype = ctypes.c_double
    core.mmq_bridge_advance.argtypes = [pointer, ctypes.c_double]
    core.mmq_bridge_token.argtypes = [pointer, pointer, pointer, ctypes.POINTER(ctypes.c_int64)]
    core.mmq_bridge_window.argtypes = [pointer, pointer, pointer]
    core.mmq_bridge_window_i8.argtypes = [pointer, pointer, pointer]
    core.mmq_bridge_window_at.argtypes = [pointer, ctypes.c_int64, pointer, pointer]
    core.mmq_bridge_window_i8_at.argtypes = [pointer, ctypes.c_int64, pointer, pointer]
    core.mmq_bridge_beats.argtypes = [
        pointer, ctypes.c_uint32, pointer, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
    ]  # fmt: skip
    core.mmq_bridge_closed.argtypes, core.mmq_bridge_closed.restype = [pointer], ctypes.c_int64
    core.mmq_bridge_enrolment_left.argtypes = [pointer]
    core.mmq_bridge_enrolment_left.restype = ctypes.c_int64
    core.mmq_bridge_enrolment.argtypes = [pointer, ctypes.c_int64, pointer, pointer, pointer]
    core.mmq_state_size.argtypes, core.mmq_state_size.restype = [spec], ctypes.c_size_t
    core.mmq_state_save.argtypes = [pointer, pointer, ctypes.c_size_t]
    core.mmq_state_load.argtypes = [pointer, pointer, ctypes.c_size_t]
    core.mmq_normalise_stream.argtypes = [spec, pointer, pointer, ctypes.c_uint32, pointer]
    core.mmq_head_init.argtypes = [pointer, pointer]
    core.mmq_head_reset.argtypes, core.mmq_head_reset.restype = [pointer], None
    core.mmq_head_summary.argtypes = [pointer, pointer, pointer, pointer]
    core.mmq_adapt.argtypes = [pointer, pointer, pointer]
    core.mmq_head_correction.argtypes = [pointer, pointer, pointer]
    core.mmq_head_correction.restype = ctypes.c_float
    marked = [ctypes.c_float, ctypes.c_uint32, ctypes.c_uint32]
    core.mmq_mark_summary.argtypes = [pointer, pointer, pointer, *marked]
    core.mmq_mark.argtypes = [pointer, pointer, pointer, pointer, *marked]
    core.mmq_head_apply.argtypes = [pointer, pointer, pointer, pointer, ctypes.c_float]
    core.mmq_head_apply.restype = ctypes.c_float
    core.mmq_head_size.argtypes, core.mmq_head_size.restype = [pointer, pointer], ctypes.c_size_t
    core.mmq_head_save.argtypes = [pointer, pointer, pointer, ctypes.c_size_t]
    core.mmq_head_load.argtypes = [pointer, pointer, pointer, ctypes.c_size_t]
    core.mmq_decider_init.argtypes = [pointer, pointer, pointer]
    core.mmq_decider_personal.argtypes = [pointer, pointer, pointer, ctypes.c_uint32]
    core.mmq_decision_due.argtypes = [pointer, pointer]
    core.mmq_decide.argtypes = [pointer, pointer, pointer]
    core.mmq_decide_i8.argtypes = [pointer, pointer, pointer]
    core.mmq_step.argtypes = [pointer, pointer, pointer]
    core.mmq_display_show.argtypes = [pointer, pointer, pointer, pointer]
    core.mmq_next_sensor.argtypes = [pointer, pointer, ctypes.c_uint32]
    core.mmq_abstention_name.argtypes = [ctypes.c_uint32]
    core.mmq_abstention_name.restype = ctypes.c_char_p
    for name in ("mmq_status_name", "mmq_status_sentence", "mmq_reason_name", "mmq_kind_name"):
        getattr(core, name).argtypes = [ctypes.c_uint32]
        getattr(core, name).restype = ctypes.c_char_p
    core.mmq_plan_size.argtypes, core.mmq_plan_size.restype = [pointer, ctypes.c_size_t], ctypes.c_size_t
    core.mmq_plan_load.argtypes = [
        pointer, ctypes.c_size_t, pointer, ctypes.c_size_t, ctypes.POINTER(pointer)
    ]  # fmt: skip
    core.mmq_network_run.argtypes = [pointer, pointer, ctypes.c_size_t]
    core.mmq_network_run_slice.argtypes = [pointer, pointer, pointer, ctypes.c_size_t, ctypes.c_uint32]
    core.mmq_network_job.argtypes = [pointer, pointer, pointer, pointer]
    core.mmq_network_cost.argtypes, core.mmq_network_cost.restype = [pointer], ctypes.c_uint32
    core.mmq_network_longest.argtypes, core.mmq_network_longest.restype = [pointer], ctypes.c_uint32


def raise_status(status: int, what: str) -> NoReturn:
    """Turn a status of the core into an error."""
    reason = library().mmq_status_sentence(status).decode("ascii")
    raise BridgeError(f"{what}: {reason or f'status {status}'}")
