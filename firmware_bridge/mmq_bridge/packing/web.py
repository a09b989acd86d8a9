# SPDX-License-Identifier: Apache-2.0
"""What a page, a worker or Node.js takes of a bundle, and the npm package that holds it."""

from __future__ import annotations

import gzip
from pathlib import Path

from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import NETWORK_FILE, read_front_end
from mmq_bridge.decision.head_file import HEAD_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest, read_manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.source_files import SOURCES

WEB = SOURCES / "web"
"""The npm package `mmq-bridge`, and the page in `companion/`, which is built on it."""
WASM = WEB / "core.wasm"
HEADER = "mmq_bridge/mmq_spec.h"
CARD = "MODEL_CARD.md"
READ = ("frontend.json", HEADER, NETWORK_FILE, HEAD_FILE, CARD)
"""What is read of a bundle beside its manifest; not every model has a personal head."""


def header_of(manifest: Manifest, folder: Path) -> bytes:
    """Return the front end as C: a bundle's own file, or made from its front end where it has no code.

    Raises
    ------
    BridgeError
        When the file is absent or was changed.
    """
    if HEADER in manifest.files:
        return manifest.read(folder, HEADER)
    return spec_header(read_front_end(manifest, folder)).encode()


def check_runs_on_the_web(manifest: Manifest, folder: Path) -> None:
    """Raise where a bundle has no plan of its network.

    Raises
    ------
    BridgeError
        When it has none.
    """
    if NETWORK_FILE not in manifest.files:
        raise BridgeError(
            f"{folder}: it has no {NETWORK_FILE}, the network as the page runs it: export its run again."
        )


def web_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the npm package of a bundle by path, but for what its templates make.

    Raises
    ------
    BridgeError
        When a file is absent or was changed, or the bundle has no plan of its network.
    """
    check_runs_on_the_web(manifest, folder)
    files = {f"src/{path.name}": path.read_bytes() for path in sorted((WEB / "src").glob("*.js"))}
    files |= {"core.wasm": WASM.read_bytes(), "mmq-bridge.d.ts": (WEB / "index.d.ts").read_bytes()}
    files[f"bundle/{MANIFEST_NAME}"] = read_manifest(folder)
    for name in READ:
        if name == HEADER:
            files[f"bundle/{name}"] = header_of(manifest, folder)
        elif name in manifest.files:
            files[f"bundle/{name}"] = manifest.read(folder, name)
    return files


def web_words(files: dict[str, bytes]) -> dict[str, str]:
    """Return what the templates say of such a package: its files, and how many KB a program loads."""
    names = [name.removeprefix("bundle/") for name in files if name.startswith("bundle/")]
    unread = ("src/node.js", "mmq-bridge.d.ts", f"bundle/{CARD}")
    sent = sum(len(gzip.compress(text)) for name, text in files.items() if name not in unread)
    table = "\n".join(f'  "{name}": new URL("./bundle/{name}", import.meta.url),' for name in names)
    return {"FILES": table, "KB": str(-(-sent // 1000))}
