# SPDX-License-Identifier: Apache-2.0
"""The C part of a bundle: what goes in, and whether what lies there is that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np

from mmq_bridge.bundle import c_model, cortex_m4f, golden
from mmq_bridge.bundle.c_model import ModelAbout
from mmq_bridge.bundle.example_run import ExampleOutput, find_compiler, run_example
from mmq_bridge.bundle.golden_store import GoldenStore
from mmq_bridge.bundle.head_source import head_sources
from mmq_bridge.bundle.network_files import network_sources
from mmq_bridge.bundle.reader import OpenedBundle
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import MODEL_FILES
from mmq_bridge.decision.manifest import DataFacts, DecisionSettings, ModelFacts
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables
from mmq_bridge.source_files import CORTEX_M, SOURCES

FOLDER = "mmq_bridge"
CODE_FOLDERS = (FOLDER, "android", "ios")
DEVICE_FILES = ("mmq_device.h", "mmq_device.c")  # the bridge for languages that call C
EXAMPLE_FILES = ("main.c", "wearable.c", "CMakeLists.txt", "cortex_m4f/toolchain.cmake")
BOARD_FILES = (
    "startup.c",
    "sections.ld",
    "an386.ld",
)  # the emulated board's, shared with our own tests of it
Outcome = tuple[str, Literal["ok", "failed", "skipped"], str]


def core_sources() -> dict[str, bytes]:
    """Return the installed C core and the example by their path inside ``mmq_bridge/``.

    Raises
    ------
    BridgeError
        When a file is not there.
    """
    network = sorted((SOURCES / "core" / "src" / "network").glob("*.[ch]"))
    found = [
        *((path, f"include/{path.name}") for path in sorted((SOURCES / "core" / "include").glob("*.h"))),
        *((path, f"src/{path.name}") for path in sorted((SOURCES / "core" / "src").glob("*.[ch]"))),
        *((path, f"src/network/{path.name}") for path in network),
        (SOURCES / "README.md", "README.md"),
        *((SOURCES / "example" / name, name) for name in EXAMPLE_FILES),
        *((SOURCES / "mobile" / name, name) for name in DEVICE_FILES),
        *((CORTEX_M / name, f"cortex_m4f/{name}") for name in BOARD_FILES),
    ]
    return _read_all(found)


def phone_sources() -> dict[str, bytes]:
    """Return ``android/`` and ``ios/`` by path inside a bundle; they are the same in every one.

    Raises
    ------
    BridgeError
        When a file is not there.
    """
    package = SOURCES / "mobile"
    found = [path for folder in ("android", "ios") for path in sorted((package / folder).rglob("*.*"))]
    return _read_all([(path, path.relative_to(package).as_posix()) for path in found])


def _read_all(found: Sequence[tuple[Path, str]]) -> dict[str, bytes]:
    try:
        return {name: path.read_bytes() for path, name in found}
    except OSError as error:
        raise BridgeError(f"{error.filename}: the source is not there; install mmq-tf again.") from error


def generated_headers(
    front_end: FrontEnd,
    replay_end: FrontEnd,
    signals: Mapping[str, golden.GoldenSignal],
    network: bool = False,
) -> dict[str, bytes]:
    """Return the headers that follow from front end, golden samples, and whether there is a network."""
    header = c_model.golden_header(
        golden.golden_tables(replay_end, signals),
        enrolment_tokens=replay_end.enrolment_tokens,
        look_back_tokens=replay_end.look_back_tokens,
        steps=golden.golden_steps(replay_end, signals),
        step_s=golden.golden_step_s(replay_end),
        network=network,
    )
    return {"mmq_spec.h": spec_header(front_end).encode(), "mmq_golden.h": header.encode()}


def model_sources(
    content: bytes, model: TFLiteModel, decision: DecisionSettings, facts: ModelFacts, about: ModelAbout
) -> dict[str, bytes]:
    """Return the int8 model as C: the array, its sizes and scales, its operations, how it decides."""
    text = {
        "mmq_model.h": c_model.model_header(content, model, decision, facts.arena_bytes, about),
        "mmq_model.c": c_model.model_source(content),
        "mmq_rules.h": c_model.rules_header(model, decision),
        "mmq_ops.h": c_model.ops_header(facts.ops),
    }
    return {name: value.encode("utf-8") for name, value in text.items()}


def code_files(
    front_end: FrontEnd,
    replay_end: FrontEnd,
    signals: Mapping[str, golden.GoldenSignal],
    content: bytes,
    model: TFLiteModel,
    decision: DecisionSettings,
    facts: ModelFacts,
    about: ModelAbout,
    head: HeadTables | None = None,
) -> dict[str, bytes]:
    """Return all code of a bundle by path inside it: the installed sources, and what follows from the bundle.

    Parameters
    ----------
    front_end, replay_end
        Of the device, and of the golden replay (see `mmq_bridge.bundle.golden.golden_front_end`).
    signals
        The golden samples.
    content, model
        The int8 model, as bytes and opened.
    decision, facts
        Of the manifest.
    about
        Name, licence and more; see `about_model`.
    head
        Of the personal head, where the bundle has one.
    """
    network = network_sources(content, list(decision.tasks))
    bridge = {
        **core_sources(),
        **generated_headers(front_end, replay_end, signals, bool(network)),
        **model_sources(content, model, decision, facts, about),
        **network,
        **(head_sources(head) if head else {}),
    }
    return {f"{FOLDER}/{name}": text for name, text in bridge.items()} | phone_sources()


def about_model(name: str, data: DataFacts) -> ModelAbout:
    """Return what the C code says of a model of this name, trained on these data."""
    return ModelAbout(name, own_version(), data.licence, data.simulated)


def code_of(bundle: OpenedBundle) -> dict[str, bytes]:
    """Return all code of a bundle by path inside it, as this installation writes it."""
    return code_files(
        bundle.front_end,
        bundle.golden.front_end,
        bundle.golden.signals,
        bundle.files[MODEL_FILES["int8"]],
        bundle.models["int8"],
        bundle.manifest.decision,
        bundle.manifest.model,
        about_model(bundle.manifest.name, bundle.manifest.data),
        bundle.head,
    )


def is_code(name: str) -> bool:
    """Whether a path inside a bundle is one of its code."""
    return name.partition("/")[0] in CODE_FOLDERS


def check_sources(bundle: OpenedBundle) -> list[Outcome]:
    """Check the model's array, the source text, and what the compiled example computes here and on an M4F.

    The example is compiled only where its text is what this installation would write: a bundle's own code is
    never run. A bundle without code has nothing to check.
    """
    sources = {name: content for name, content in bundle.files.items() if is_code(name)}
    if not sources:
        return [("all", "skipped", "the bundle holds none (`mmq-tf export --slim`)")]
    outcomes: list[Outcome] = [_array(bundle.files)]
    wanted = code_of(bundle)
    changed = sorted(name for name in wanted if sources.get(name) != wanted[name])
    changed += sorted(set(sources) - set(wanted))
    made_by = bundle.manifest.versions.get("mmq-tf", "unknown")
    if changed and made_by != own_version():
        return [*outcomes, ("text", "skipped", f"written by mmq-tf {made_by}; not compiled")]
    if changed:
        detail = f"{changed[0]} is not what mmq-tf {made_by} writes; export again."
        return [*outcomes, ("text", "failed", detail)]
    outcomes.append(("text", "ok", f"{len(wanted)} files as mmq-tf {made_by} writes them"))
    bridge, samples = part_of(wanted, FOLDER), part_of(bundle.files, golden.FOLDER)
    return [*outcomes, _example(bridge, samples, bundle.golden), _cortex_m4f(bridge, samples, bundle.golden)]


def part_of(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """Return the files of one folder of the bundle by their path inside it."""
    inside = (name for name in files if name.startswith(f"{folder}/"))
    return {name.removeprefix(f"{folder}/"): files[name] for name in inside}


def own_version() -> str:
    """Return the installed version of mmq-bridge, which is that of the mmq-tf beside it."""
    try:
        return version("mmq-bridge")
    except PackageNotFoundError:
        return "unknown"


def _array(files: Mapping[str, bytes]) -> Outcome:
    text = files.get(f"{FOLDER}/mmq_model.c", b"")
    same = array_bytes(text) == files[MODEL_FILES["int8"]]
    detail = f"{FOLDER}/mmq_model.c holds " + ("the int8 model" if same else "another model; export again.")
    return "model array", "ok" if same else "failed", detail


def array_bytes(source: bytes) -> bytes:
    """Return the bytes that a C array's text spells.

    Examples
    --------
    >>> list(array_bytes(b"x[2] = { 0x01, 0xff, };"))
    [1, 255]
    """
    return bytes(int(word, 16) for word in re.findall(rb"\b0x([0-9a-f]{2})\b", source))


def _example(sources: Mapping[str, bytes], samples: Mapping[str, bytes], store: GoldenStore) -> Outcome:
    compiler = find_compiler()
    if compiler is None:
        return "example", "skipped", "no C compiler on this machine"
    try:
        return "example", "ok", _compare(run_example(sources, samples, compiler), store, Path(compiler).name)
    except BridgeError as error:
        return "example", "failed", str(error)


def _cortex_m4f(sources: Mapping[str, bytes], samples: Mapping[str, bytes], store: GoldenStore) -> Outcome:
    """Build with the bundle's own CMakeLists and toolchain file, run on the emulated board, compare."""
    missing = cortex_m4f.missing_tools()
    if missing:
        return "Cortex-M4F", "skipped", f"{', '.join(missing)} not found: {cortex_m4f.INSTALL}"
    try:
        printed = cortex_m4f.run_example(sources, samples)
        return "Cortex-M4F", "ok", _compare(printed, store, f"arm-none-eabi-gcc on {cortex_m4f.BOARD}")
    except BridgeError as error:
        return "Cortex-M4F", "failed", str(error)


def _compare(printed: ExampleOutput, store: GoldenStore, compiler: str) -> str:
    golden_arrays = {**vars(store.tokens), "decisions": store.decisions}
    for name, got in vars(printed).items():
        if golden_arrays[name] is None:  # of an older bundle
            continue
        wanted = np.ascontiguousarray(golden_arrays[name])
        if got is None or got.size != wanted.size or got.tobytes() != wanted.astype(got.dtype).tobytes():
            raise BridgeError(
                f"{FOLDER}/main.c compiled with {compiler} computes other {name} than golden/{name}.npy."
            )
    said = f"{len(printed.features)} tokens, {len(printed.window_tokens)} int8 windows"
    if store.decisions is None:
        return f"{compiler}: {said}, bit for bit; the bundle has no golden decisions"
    return f"{compiler}: {said} and {len(store.decisions)} decisions, bit for bit"
