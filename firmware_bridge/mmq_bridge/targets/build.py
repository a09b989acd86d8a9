# SPDX-License-Identifier: Apache-2.0
"""Write the golden vectors as C and scripts, and build the replay for a target."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from mmq_bridge.bundle.head_source import head_sources
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.errors import BridgeError
from mmq_bridge.source_files import CORTEX_M, SOURCES
from mmq_bridge.targets.script import MAX_PUSH_SAMPLES, encode
from mmq_bridge.targets.table import (
    COMMON_FLAGS,
    NEWLIB_FLAGS,
    WASM_LINK_FLAGS,
    Target,
)
from mmq_bridge.targets.vectors import Vector

HERE = Path(__file__).parent
CORE = SOURCES / "core"
WASM = HERE / "wasm"
MAX_WARNING = 400
SLICE = 20_000
"""What a call of a network costs at most, as in a bundle's example."""
COMPLAINTS = ("error", "undefined", "cannot", "overflowed", "will not fit")


def core_sources() -> list[Path]:
    """List the core's C files."""
    return sorted((CORE / "src").glob("*.c"))


def network_sources() -> list[Path]:
    """List the C files of the network's kernels."""
    return sorted((CORE / "src" / "network").glob("*.c"))


def write_vectors(vectors: Sequence[Vector], folder: Path) -> Path:
    """Write each vector's ``mmq_spec.h``, head, network and script, and the table ``vectors.h``/``.c``.

    Returns
    -------
    Path
        The folder, to be searched for headers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("vector_*.c"):
        old.unlink()
    for vector in vectors:
        (folder / vector.name).mkdir(exist_ok=True)
        (folder / vector.name / "mmq_spec.h").write_text(spec_header(vector.front_end), encoding="utf-8")
        (folder / f"{vector.name}.bin").write_bytes(encode(vector.operations))
        (folder / f"vector_{vector.name}.c").write_text(
            f'#include "{vector.name}/mmq_spec.h"\n\n#include "vectors.h"\n\n'
            f"const mmq_spec_t *spec_{vector.name}(void) {{ return &mmq_spec; }}\n",
            encoding="utf-8",
        )
        for name, content in head_sources(vector.head).items():
            (folder / vector.name / name).write_bytes(content)
        (folder / f"vector_{vector.name}_head.c").write_text(
            f'#define mmq_head mmq_head_{vector.name}\n#include "{vector.name}/mmq_head.c"\n\n'
            '#include "vectors.h"\n\n'
            f"const mmq_head_t *head_{vector.name}(void) {{ return &mmq_head; }}\n",
            encoding="utf-8",
        )
        for name, text in vector.deployed.sources(vector.name).items() if vector.deployed else ():
            (folder / name).write_text(text, encoding="utf-8")
    (folder / "vectors.h").write_text(_vectors_header(vectors), encoding="utf-8")
    rows = "".join(
        f'    {{"{v.name}", spec_{v.name}, head_{v.name}, '
        + (f"&mmq_network_{v.name}, &mmq_rules_{v.name}}},\n" if v.deployed else "NULL, NULL},\n")
        for v in vectors
    )
    (folder / "vectors.c").write_text(
        f'#include "vectors.h"\n\nconst replay_vector_t replay_vectors[REPLAY_VECTORS] = {{\n{rows}}};\n',
        encoding="utf-8",
    )
    return folder


def _vectors_header(vectors: Sequence[Vector]) -> str:
    ends = [vector.front_end for vector in vectors]
    sizes = {
        "VECTORS": len(vectors),
        # With other lanes than this machine's library the state is somewhat larger.
        "STATE_BYTES": max(3 * Bridge(end).state_bytes // 2 for end in ends),
        "SAVED_BYTES": max(Bridge(end).saved_bytes for end in ends),
        "SAMPLES": MAX_PUSH_SAMPLES,
        "FEATURES": max(end.n_features for end in ends),
        "WINDOW": max(end.tokens * end.n_features for end in ends),
        "WINDOW_PRESENCE": max(end.tokens * len(end.modalities) for end in ends),
        "SCRIPT_BYTES": max(len(encode(vector.operations)) for vector in vectors),
        "ARENA_BYTES": max([4, *(v.deployed.arena_bytes for v in vectors if v.deployed)]),
        "SLICE": SLICE,
    }
    defines = "".join(f"#define REPLAY_{name} {value}u\n" for name, value in sizes.items())
    specs = "".join(
        f"const mmq_spec_t *spec_{v.name}(void);\nconst mmq_head_t *head_{v.name}(void);\n" for v in vectors
    )
    specs += "".join(
        f"extern const mmq_network_t mmq_network_{v.name};\nextern const mmq_rules_t mmq_rules_{v.name};\n"
        for v in vectors
        if v.deployed
    )
    return (
        "/* vectors.h: written by the build: the golden vectors and sizes that fit them all. */\n"
        f'#ifndef MMQ_VECTORS_H\n#define MMQ_VECTORS_H\n\n#include "replay.h"\n\n{defines}\n{specs}\n'
        "extern const replay_vector_t replay_vectors[REPLAY_VECTORS];\n\n#endif\n"
    )


def run_tool(command: Sequence[str], folder: Path, what: str) -> str:
    """Run a compiler or one of its tools and return what it prints.

    Raises
    ------
    BridgeError
        With its first complaint.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "collect2" not in line]
        said = next((line for line in lines if any(mark in line for mark in COMPLAINTS)), "no reason given")
        raise BridgeError(f"{what}: {command[0]} failed: {said[:MAX_WARNING]}")
    return done.stdout


def compile_objects(
    target: Target, sources: Sequence[Path], includes: Sequence[Path], folder: Path, flags: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Compile C files into object files in a folder, every warning an error.

    Raises
    ------
    BridgeError
        With the compiler's first complaint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    search = [f"-I{CORE / 'include'}", f"-I{HERE}", *(f"-I{place}" for place in includes)]
    command = [target.compiler, *COMMON_FLAGS, *target.flags, *flags, *search, "-c", *map(str, sources)]
    run_tool(command, folder.resolve(), target.name)
    return tuple(folder / f"{source.stem}.o" for source in sources)


def link(target: Target, objects: Sequence[Path], output: Path, flags: Sequence[str] = ()) -> Path:
    """Link object files for a target; bare metal with newlib's semihosting and this folder's board.

    Raises
    ------
    BridgeError
        With the linker's first complaint.
    """
    runner: tuple[str, ...] = ("-lm",)
    if target.runner == "qemu":
        runner = (*NEWLIB_FLAGS, f"-L{CORTEX_M}", f"-T{target.linker_script}", "-lm")
    elif target.runner == "node":
        runner = WASM_LINK_FLAGS
    names = [str(place.resolve()) for place in objects]
    command = [target.compiler, *target.flags, *names, "-o", str(output.resolve()), *flags, *runner]
    run_tool(command, output.parent.resolve(), target.name)
    return output


def build_replay(target: Target, vectors: Path, folder: Path) -> Path:
    """Build the replay of the vectors in a folder written by `write_vectors` and return the program.

    Raises
    ------
    BridgeError
        With the compiler's first complaint.
    """
    sources = [*core_sources(), *network_sources()]
    core = compile_objects(target, sources, (), folder / "core")
    entry = {
        "host": [HERE / "main.c"],
        "user": [HERE / "main.c"],
        "qemu": [HERE / "main.c"],
        "node": [WASM / "exports.c"],
    }
    sources = [HERE / "replay.c", *entry[target.runner], vectors / "vectors.c"]
    sources = [source.resolve() for source in [*sources, *sorted(vectors.glob("vector_*.c"))]]
    rest = compile_objects(target, sources, (vectors.resolve(),), folder / "harness")
    if target.runner == "qemu":
        rest += compile_objects(target, [CORTEX_M / "startup.c"], (), folder / "startup")
    suffix = {"host": "", "user": ".exe", "qemu": ".elf", "node": ".wasm"}[target.runner]
    return link(target, [*core, *rest], folder / f"replay{suffix}")
