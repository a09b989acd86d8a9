# SPDX-License-Identifier: Apache-2.0
"""`complete_bundle`: a bundle without code gets the C sources that this installation writes for it."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.signature import Sign
from mmq_bridge.bundle.sources import code_of, is_code, own_version
from mmq_bridge.decision.manifest import Manifest, file_entry
from mmq_bridge.decision.runtime import check_runtime

from mmq_export import card
from mmq_export.errors import ExportError
from mmq_export.folder import BUNDLE, write_folder


def complete_bundle(folder: Path, out: Path, sign: Sign | None = None) -> Manifest:
    """Write the bundle in `folder` to `out` with all of its code.

    Models, front end, golden vectors and card stay as they are; the README is written anew. A signature does
    not go along: give `sign` to make one.

    Returns
    -------
    Manifest
        Of the new bundle; as version of mmq-tf it names the one that wrote the code.

    Raises
    ------
    BridgeError, ExportError
        When the bundle is broken, or `out` cannot be written or holds something else than a bundle.
    """
    BUNDLE.check(out)
    if out.resolve() == folder.resolve():
        raise ExportError(f"{out}: this is the bundle itself; name another --out.")
    check_runtime()
    manifest = Manifest.load(folder)
    bundle = open_bundle(folder, manifest, read_files(folder, manifest))
    files = {name: content for name, content in bundle.files.items() if not is_code(name)} | code_of(bundle)
    entries = {name: file_entry(content) for name, content in sorted(files.items())}
    whole = manifest.model_copy(
        update={"files": entries, "versions": {**manifest.versions, "mmq-tf": own_version()}}
    )
    files["README.md"] = card.render("README.md.j2", whole, bundle.front_end).encode("utf-8")
    entries["README.md"] = file_entry(files["README.md"])
    write_folder(out, files, whole, sign)
    return whole
