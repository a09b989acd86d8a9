# SPDX-License-Identifier: Apache-2.0
"""`pack_bundle`: a bundle as a package of one kind, written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.sources import FOLDER, code_of, own_version
from mmq_bridge.decision.bundle_files import read_front_end
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.decision.runtime import check_runtime
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modalities import CORE_KINDS
from mmq_bridge.gatt.source import HEADER as GATT_HEADER
from mmq_bridge.output_folder import OutputFolder
from mmq_bridge.packing.contents import DEFAULT_PREFIX, Contents, check_prefix, contents_of
from mmq_bridge.packing.kinds import KINDS, Kind
from mmq_bridge.packing.web import web_files, web_words
from mmq_bridge.source_files import SOURCES

TEMPLATES = Path(__file__).parent / "templates"
PACKAGE = OutputFolder("package", "mmq_package.txt", BridgeError)
"""A package's folder; its mark is a file of every package."""

MOBILE = SOURCES / "mobile"
QUEUE_S = 1.0
_PLACE = re.compile(r"@([A-Z_]+)@")
_NO_CONTRACTION = (
    b"/* No fused multiply-add, whatever the build says: the same bits on every target. */\n"
    b"#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n"
    b'#elif defined(__GNUC__)\n#pragma GCC optimize("fp-contract=off")\n#endif\n'
)


def pack_bundle(
    folder: Path, out: Path, kinds: tuple[str, ...] = (), prefix: str = DEFAULT_PREFIX
) -> list[Path]:
    """Write packages of a bundle.

    Parameters
    ----------
    folder
        The bundle, with or without its C code.
    out
        Folder of the package; of more than one kind, the folder that gets one folder a kind.
    kinds
        Names of `KINDS`; all where none is named.
    prefix
        Of files, symbols, macros and targets that are the bundle's own, so that one program may hold two.

    Returns
    -------
    list of Path
        The folders written.

    Raises
    ------
    BridgeError
        When the bundle is broken, its model has no network in C, a package for phones or the web is to have a
        prefix, or a folder cannot be written or holds something else than a package.
    """
    check_prefix(prefix)
    chosen = [KINDS[name] for name in kinds or tuple(KINDS)]
    if prefix != DEFAULT_PREFIX and (without := [kind.name for kind in chosen if not kind.example]):
        raise BridgeError(
            f"prefix: {' and '.join(without)} packages have none; name the other kinds by --for."
        )
    places = [out] if len(kinds) == 1 else [out / kind.name for kind in chosen]
    for place in places:
        PACKAGE.check(place)
    manifest = Manifest.load(folder)
    words = words_of(manifest, read_front_end(manifest, folder), prefix)
    contents = _contents(folder, manifest, prefix) if any(kind.sources for kind in chosen) else None
    for kind, place in zip(chosen, places, strict=True):
        if contents is not None and kind.sources:
            files = package_files(kind, contents, words)
        else:
            files = web_files(folder, manifest)
            files |= _common(kind, {**words, **web_words(files)})
        PACKAGE.write(place, files)
    return places


def _contents(folder: Path, manifest: Manifest, prefix: str) -> Contents:
    """Return the C files, once everything in a bundle was looked at."""
    check_runtime()
    bundle = open_bundle(folder, manifest, read_files(folder, manifest))
    code = {
        name.removeprefix(f"{FOLDER}/"): content
        for name, content in code_of(bundle).items()
        if name.startswith(f"{FOLDER}/")
    }
    code["include/mmq_gatt.h"] = GATT_HEADER.read_bytes()
    return contents_of(code, prefix)


def words_of(about: Manifest, front_end: FrontEnd, prefix: str) -> dict[str, str]:
    """Return what the templates say of a bundle, by the names they have for it."""
    modalities = front_end.modalities
    slug = re.sub(r"[^a-z0-9]+", "-", about.name.lower()).strip("-") or "model"
    fastest = max(modality.sampling_rate_hz for modality in modalities.values())
    queues, pointers = [], []
    for name, modality in modalities.items():
        frames = 1 << max(3, int(QUEUE_S * modality.sampling_rate_hz - 1e-9).bit_length())
        rate = f"{modality.sampling_rate_hz:g} Hz"
        queues.append(f"MMQ_SENSOR_QUEUE({name}_queue, {len(modality.channels)}, {frames}); /* {rate} */")
        pointers.append(f"&{name}_queue")
    widest = max(len(modality.channels) for modality in modalities.values())
    pascal = "".join(part.capitalize() for part in slug.split("-"))
    return {
        "PREFIX": prefix,
        "PREFIX_UPPER": prefix.upper(),
        "NAME": f"mmq-{slug}",
        "PASCAL": f"Mmq{pascal}",
        "MODEL": re.sub(r"[^A-Za-z0-9 _.,:;()+-]", "_", about.name),
        "LICENCE": re.sub(r"[^A-Za-z0-9 _.,:;()+-]", "_", about.data.licence),
        "SIMULATED": " SIMULATED recordings." if about.simulated else "",
        "VERSION": own_version(),
        "QUEUES": "\n".join(queues),
        "QUEUE_LIST": ", ".join(pointers),
        "CHANNELS": str(widest),
        "TICKS_PER_S": str(int(-(-fastest // 1))),
        "FIRST": next(iter(modalities)),
        "SENSORS": ", ".join(f"{name} {m.sampling_rate_hz:g} Hz" for name, m in modalities.items()),
        "KINDS": f"0x{sum(1 << CORE_KINDS[name] for name in modalities):x}u",
    }


def package_files(kind: Kind, contents: Contents, words: Mapping[str, str]) -> dict[str, bytes]:
    """Return all files of a package by path.

    Parameters
    ----------
    kind
        Of the package.
    contents
        The C files.
    words
        From `words_of`.
    """
    head = b"" if kind.sets_flags else _NO_CONTRACTION
    files = {f"{kind.headers}/{name}": text for name, text in contents.headers.items()}
    for name, text in contents.sources.items():
        files[f"{kind.sources}/{name}"] = head + text if name.endswith(".c") else text
    for name, text in contents.model.items():
        place = kind.model_headers if name.endswith(".h") else kind.model_sources
        files[f"{place}/{name}"] = text
    everything = {
        **words,
        "CORE_FILES": _listed(f"{kind.sources}/{name}" for name in contents.sources if name.endswith(".c")),
        "MODEL_FILES": _listed(
            f"{kind.model_sources}/{name}" for name in contents.model if name.endswith(".c")
        ),
        "PDSC_FILES": _pdsc(kind, contents, words["VERSION"]),
        "GUIDE": _template(TEMPLATES / "common" / "guide.md", words).decode().rstrip(),
    }
    if kind.wrappers:
        files |= _wrappers(kind, head)
    example = {"app.h": "app.h", "app.c": "app.c"} if kind.example else {}
    for name, template in (example | ({kind.sketch: "sketch.cpp"} if kind.sketch else {})).items():
        files[f"{kind.example}/{name}"] = _template(TEMPLATES / "common" / template, everything)
    return files | _common(kind, everything)


def _common(kind: Kind, words: Mapping[str, str]) -> dict[str, bytes]:
    """Return a kind's own files, licence and mark."""
    files, own = {}, TEMPLATES / kind.name
    for path in sorted(path for path in own.rglob("*") if path.is_file()):
        name = path.relative_to(own).as_posix().removesuffix(".template")
        files[_filled(name, words)] = _template(path, words)
    for name in ("LICENSE", "NOTICE"):
        files[name] = (SOURCES / name).read_bytes()
    files[PACKAGE.mark] = f"{kind.name} package, written by mmq-bridge pack {words['VERSION']}\n".encode()
    return files


def _wrappers(kind: Kind, head: bytes) -> dict[str, bytes]:
    """Return the C for other languages and what calls it; the accelerator's part stays in the bundle."""
    files = {
        f"{kind.headers}/mmq_device.h": (MOBILE / "mmq_device.h").read_bytes(),
        f"{kind.model_sources}/mmq_device.c": head + (MOBILE / "mmq_device.c").read_bytes(),
    }
    for pattern, folder in kind.wrappers:
        found = [path for path in sorted(MOBILE.glob(pattern)) if not path.name.lower().startswith("litert")]
        files |= {f"{folder}/{path.name}": path.read_bytes() for path in found}
    return files


def _listed(names: Iterable[str]) -> str:
    return "\n".join(f"  {name}" for name in sorted(names))


def _pdsc(kind: Kind, contents: Contents, version: str) -> str:
    lines = [f'        <file category="include" name="{kind.headers}/"/>']
    lines.append(f'        <file category="include" name="{kind.model_headers}/"/>')
    for folder, files in ((kind.sources, contents.sources), (kind.model_sources, contents.model)):
        names = sorted(name for name in files if name.endswith(".c"))
        lines += [
            f'        <file category="sourceC" name="{folder}/{name}" version="{version}"/>' for name in names
        ]
    return "\n".join(lines)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: words.get(match[1], match[0]), text)


def _template(path: Path, words: Mapping[str, str]) -> bytes:
    return _filled(path.read_text(encoding="utf-8"), words).encode()
