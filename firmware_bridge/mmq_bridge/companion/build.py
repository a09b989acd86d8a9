# SPDX-License-Identifier: Apache-2.0
"""Build `web/core.wasm`: core and network in C for browsers; committed, for users have no compiler."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.packing.web import WASM
from mmq_bridge.targets.build import (
    CORE,
    compile_objects,
    core_sources,
    link,
    network_sources,
    run_tool,
)
from mmq_bridge.targets.table import COMMON_FLAGS, TARGETS, WASM_LINK_FLAGS
from mmq_bridge.targets.tools import compiler_version

HERE = Path(__file__).parent
FUNCTIONS = (
    "mmq_bridge_size", "mmq_bridge_init", "mmq_bridge_push", "mmq_bridge_push_counted",
    "mmq_bridge_advance", "mmq_bridge_token",
    "mmq_bridge_reasons", "mmq_bridge_closed", "mmq_bridge_enrolment_left",
    "mmq_bridge_window_i8_at", "mmq_decider_init", "mmq_decision_due", "mmq_decide_i8", "mmq_display_show",
    "mmq_plan_size", "mmq_plan_load", "mmq_network_run",
    "mmq_next_sensor", "mmq_abstention_name", "mmq_reason_name", "mmq_status_sentence",
    "mmq_state_size", "mmq_state_save", "mmq_state_load", "mmq_bridge_enrolment", "mmq_decider_personal",
    "mmq_head_init", "mmq_head_reset", "mmq_mark_summary", "mmq_adapt", "mmq_head_correction",
    "mmq_head_size", "mmq_head_save", "mmq_head_load",
)  # fmt: skip
"""What the package calls."""

SECTION = b"mmq_source"
"""Custom section that says what the module was built from."""
_FLAGS = (*(f"-Wl,--export={name}" for name in FUNCTIONS), "-Wl,--export=__heap_base", "-Wl,--strip-all")
_FEATURES = ("-mbulk-memory", "-msign-ext")
"""Of every browser that has SIMD."""
_SMALL = ("-Oz", "-fno-inline", *_FEATURES)
_NETWORK = ("-Oz", "-msimd128", *_FEATURES)
"""For the kernels: a quarter of the time without vectors."""
_PLAN = "plan.c"
"""Of the network's files the one that is no kernel."""
_OPTIMISE = ("--enable-simd", "--enable-bulk-memory", "--enable-sign-ext", "-tnh", "--low-memory-unused")
_OPTIMISE += ("--flatten", "--rereloop", "-Oz", "-Oz", "--converge")
"""What wasm-opt does to the linked module: the same bits in fewer bytes. No correct run traps, and the linker
puts nothing below address 1024."""
_MAGIC = b"\0asm\1\0\0\0"


def source_digest() -> str:
    """SHA-256 (hex) of every source of the module and of the flags it is built with."""
    digest = hashlib.sha256(
        " ".join((*COMMON_FLAGS, *WASM_LINK_FLAGS, *_FLAGS, *_SMALL, *_NETWORK, *_OPTIMISE)).encode()
    )
    for path in (*core_sources(), *network_sources(), *sorted(CORE.rglob("*.h")), HERE / "core.c"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def recorded(module: bytes) -> tuple[str, str]:
    """Return what `build` wrote into a module: the digest of its sources, and the compiler; empty if nothing.

    Examples
    --------
    >>> recorded(_MAGIC + _section("abc clang 14.0.6, wasm-opt version 108"))
    ('abc', 'clang 14.0.6, wasm-opt version 108')
    """
    _, _, text = module.rpartition(SECTION)
    digest, _, compiler = text.decode("ascii").partition(" ") if SECTION in module else ("", "", "")
    return digest, compiler


def build(output: Path = WASM) -> Path:
    """Compile and link the module with clang for WebAssembly, and make it smaller with wasm-opt.

    Raises
    ------
    BridgeError
        With the first complaint of a tool, or when one is missing.
    """
    target = next(target for target in TARGETS if target.runner == "node")
    if shutil.which("wasm-opt") is None:
        raise BridgeError("wasm-opt is not installed: as root, apt install binaryen")
    with tempfile.TemporaryDirectory() as folder:
        kernels = [path for path in network_sources() if path.name != _PLAN]
        others = [path for path in network_sources() if path.name == _PLAN]
        small = [*core_sources(), *others, HERE / "core.c"]
        objects = compile_objects(target, small, (), Path(folder) / "core", _SMALL)
        objects += compile_objects(target, kernels, (), Path(folder) / "network", _NETWORK)
        linked = link(target, objects, Path(folder) / "core.wasm", _FLAGS)
        made = _optimised(linked).read_bytes()
    if not made.startswith(_MAGIC) or SECTION in made:
        raise BridgeError(f"{output.name}: clang made no plain module; install Debian's clang and lld.")
    output.write_bytes(
        made + _section(f"{source_digest()} {compiler_version(target.compiler)}, {_optimiser()}")
    )
    return output


def _optimiser() -> str:
    return " ".join(run_tool(["wasm-opt", "--version"], HERE, "core.wasm").split()[:3])


def _optimised(linked: Path) -> Path:
    smaller = linked.with_name("smaller.wasm")
    run_tool(["wasm-opt", *_OPTIMISE, str(linked), "-o", str(smaller)], linked.parent, "core.wasm")
    return smaller


def _section(text: str) -> bytes:
    """Write a custom section: id 0, its length, its name's length, name, content (all under 128 bytes)."""
    content = bytes([len(SECTION)]) + SECTION + text.encode("ascii")
    return b"\0" + bytes([len(content)]) + content
