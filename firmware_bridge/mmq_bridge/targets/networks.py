# SPDX-License-Identifier: Apache-2.0
"""Networks as C on every target: the same outputs on the same windows, by hash."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import MODEL_FILES
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.network.source import network_header, network_source
from mmq_bridge.source_files import CORTEX_M
from mmq_bridge.targets.build import HERE, compile_objects, link, network_sources
from mmq_bridge.targets.expected import fnv
from mmq_bridge.targets.run import execute
from mmq_bridge.targets.table import Target

RUNS = HERE / "network"
DRAWN = 2000
_X86 = platform.machine().lower() in ("x86_64", "amd64")
WAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"clang-8": ("-msse4.1",) if _X86 else (), "wasm": ("-msimd128",)}
)
"""Flags by which a target's kernels go another way once more, by its name; the bits are the same."""


@dataclass(frozen=True)
class NetworkVector:
    """A model, and the windows it is run on.

    Attributes
    ----------
    name : str
        A C name.
    content : bytes
        The int8 .tflite.
    golden : numpy.ndarray
        int8 ``[n, bytes of all inputs]``: inputs by name in alphabetical order, side by side.
    drawn : int
        Further windows that each target draws alike.
    """

    name: str
    content: bytes
    golden: np.ndarray
    drawn: int = DRAWN


def draw_windows(sizes: Sequence[int], count: int) -> np.ndarray:
    """Return int8 ``[count, sum(sizes)]``: what `network_draw` of network_runs.c gives, from state 1 on."""
    state, total = 1, sum(sizes)
    words = np.empty(count * (total + 1), np.uint8)
    for index in range(len(words)):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        words[index] = state >> 24
    words = words.reshape(count, total + 1)
    rate, drawn = words[:, :1].astype(np.int32), words[:, 1:].astype(np.int32)
    values = drawn - 128
    number = np.arange(count)
    extremes = number % 4 == 1
    values[extremes] = np.where(drawn[extremes] < 128, -128, 127)
    hidden = number % 4 >= 2
    later = slice(sizes[0], total)
    values[hidden, later] = np.where(drawn[hidden, later] < rate[hidden], -128, 127)
    values[number % 16 == 7, later] = -128
    return values.astype(np.int8)


def all_windows(vector: NetworkVector) -> tuple[list[str], list[int], np.ndarray]:
    """Return the inputs' names and sizes, and the windows int8 ``[n, sum]`` of a vector."""
    inputs = plan_network(vector.content).inputs
    sizes = [tensor.size for tensor in inputs.values()]
    drawn = draw_windows(sizes, vector.drawn)
    return list(inputs), sizes, np.concatenate([vector.golden.reshape(-1, sum(sizes)), drawn])


def expected_line(vector: NetworkVector) -> str:
    """Return the line that a target prints of a network, as the library that Python loads computes it."""
    names, sizes, windows = all_windows(vector)
    network, outputs = Network(plan_file(plan_network(vector.content))), bytearray()
    for window in windows:
        parts = np.split(window, np.cumsum(sizes)[:-1])
        outputs += b"".join(
            out.tobytes() for out in network.run(dict(zip(names, parts, strict=True))).values()
        )
    return f"{vector.name} windows={len(windows)} hash={fnv(bytes(outputs)):016x}"


def write_networks(vectors: Sequence[NetworkVector], folder: Path) -> Path:
    """Write each network as C, and the table ``networks.h``/``.c`` of them all with their golden windows."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("net_*.c"):
        old.unlink()
    rows, goldens, arena = "", "", 4
    for vector in vectors:
        planned, name = plan_network(vector.content), f"net_{vector.name}"
        arena = max(arena, planned.arena_bytes + -planned.arena_bytes % 4)
        (folder / f"{name}.h").write_text(network_header(planned, name), encoding="utf-8")
        (folder / f"{name}.c").write_text(network_source(planned, name), encoding="utf-8")
        golden = vector.golden.reshape(-1)
        numbers = ", ".join(map(str, golden.tolist())) or "0"
        goldens += f"static const int8_t golden_{vector.name}[] = {{{numbers}}};\n"
        total = sum(tensor.size for tensor in planned.inputs.values())
        count = f"{len(golden) // total}u, {vector.drawn}u"
        rows += f'    {{"{vector.name}", &{name}, golden_{vector.name}, {count}}},\n'
    includes = "".join(f'#include "net_{vector.name}.h"\n' for vector in vectors)
    (folder / "networks.h").write_text(
        "/* networks.h: written by the build. */\n"
        f'#include "network_runs.h"\n\n#define NETWORKS {len(vectors)}u\n'
        f"#define NETWORKS_ARENA_BYTES {arena}u\n\nextern const network_run_t networks[NETWORKS];\n",
        encoding="utf-8",
    )
    (folder / "networks.c").write_text(
        f'#include "networks.h"\n\n{includes}\n{goldens}\n'
        f"const network_run_t networks[NETWORKS] = {{\n{rows}}};\n",
        encoding="utf-8",
    )
    return folder


def compile_networks(
    target: Target, folder: Path, build: Path, entry: Path, flags: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Compile the networks in a folder written by `write_networks`, their kernels and a C file with ``main``.

    Raises
    ------
    BridgeError
        With the compiler's first complaint.
    """
    sources = [*network_sources(), *sorted(folder.resolve().glob("net_*.c")), folder.resolve() / "networks.c"]
    return compile_objects(
        target, [*sources, RUNS / "network_runs.c", entry], (folder.resolve(), RUNS), build, flags
    )


def build_networks(
    target: Target, folder: Path, build: Path, entry: Path | None = None, flags: Sequence[str] = ()
) -> Path:
    """Build a program of the networks in a folder; return it.

    Parameters
    ----------
    target : Target
    folder, build : Path
    entry : Path, optional
        The C file with ``main``; what prints the hashes by default.
    flags : sequence of str
        More for the compiler, of kernels and networks alike.

    Raises
    ------
    BridgeError
        With the compiler's first complaint.
    """
    if entry is None:
        entry = RUNS / ("network_exports.c" if target.runner == "node" else "network_main.c")
    objects = compile_networks(target, folder, build, entry, flags)
    if target.runner == "qemu":
        objects += compile_objects(target, [CORTEX_M / "startup.c"], (), build / "startup")
    suffix = {"host": "", "user": ".exe", "qemu": ".elf", "node": ".wasm"}[target.runner]
    return link(target, objects, build / f"networks{suffix}", flags)


def run_networks(target: Target, folder: Path, build: Path, wanted: Sequence[str]) -> list[str]:
    """Build and run the networks for a target, in each of its `WAYS`; a sentence for each line not as wanted.

    Raises
    ------
    BridgeError
        When it does not compile, or does not end.
    """
    problems = []
    for flag in ("", *WAYS.get(target.name, ())):
        program = build_networks(target, folder, build / flag.lstrip("-"), flags=(flag,) if flag else ())
        code, text = execute(target, program, folder, script=RUNS / "network_run.mjs")
        lines, what = text.splitlines(), f"{target.name}{flag and f' {flag}'}: the networks"
        problems += [f"{what}: ended with exit code {code}"] if code else []
        problems += [f"{what}: {line.split()[0]}: its outputs differ" for line in wanted if line not in lines]
    return problems


def random_network() -> NetworkVector:
    """Return a small model of two tasks with random weights, a line and a gate."""
    return NetworkVector("random", (RUNS / "random.tflite").read_bytes(), np.zeros(0, np.int8))


def bundle_network(folder: Path) -> NetworkVector:
    """Return a bundle's network with its golden windows.

    Raises
    ------
    BridgeError
        When a file is not there.
    """
    name = "".join(mark if mark.isascii() and mark.isalnum() else "_" for mark in folder.resolve().name)
    try:
        content = (folder / MODEL_FILES["int8"]).read_bytes()
        parts = [np.load(folder / "golden" / f"window_{part}_i8.npy") for part in ("features", "presence")]
    except (OSError, ValueError) as error:
        raise BridgeError(f"{folder}: cannot be read as a bundle ({error})") from error
    golden = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return NetworkVector(f"of_{name}", content, golden)


def run_all(
    targets: Sequence[Target], vectors: Sequence[NetworkVector], build: Path
) -> tuple[list[str], list[str]]:
    """Run networks on targets, one after the other; return the wanted lines, and what differs.

    Raises
    ------
    BridgeError
        When something does not compile.
    """
    wanted = [expected_line(vector) for vector in vectors]
    folder = write_networks(vectors, build / "networks")
    problems = [
        problem
        for target in targets
        for problem in run_networks(target, folder, build / target.name / "networks", wanted)
    ]
    return wanted, problems
