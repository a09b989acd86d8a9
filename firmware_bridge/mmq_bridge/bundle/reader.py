# SPDX-License-Identifier: Apache-2.0
"""`open_bundle`: the content of a bundle folder, every file checked before any interpreter sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.bundle.deployable_ops import check_ops
from mmq_bridge.bundle.golden_store import GoldenStore, load_golden
from mmq_bridge.decision.bundle_files import MODEL_FILES, read_front_end
from mmq_bridge.decision.fit_together import check_fits
from mmq_bridge.decision.head_file import read_head_file
from mmq_bridge.decision.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables
from mmq_bridge.tflite.check import check_model


@dataclass(frozen=True)
class OpenedBundle:
    """The checked content of a bundle; `files` by path inside it, `models` by the names of `MODEL_FILES`."""

    folder: Path
    manifest: Manifest
    files: dict[str, bytes]
    front_end: FrontEnd
    models: dict[str, TFLiteModel]
    golden: GoldenStore
    head: HeadTables | None = None


def read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Read every file of the manifest with its digest; nothing else may lie in the folder.

    Raises
    ------
    BridgeError
        When a file is absent or was changed.
    BridgeError
        When the manifest does not name a file that is there.
    """
    files = {name: manifest.read(folder, name) for name in manifest.files}
    found = {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if not path.is_dir()}
    unknown = sorted(found - set(manifest.files) - {MANIFEST_NAME, SIGNATURE_NAME})
    if unknown:
        raise BridgeError(
            f"{folder / unknown[0]}: the manifest does not name this file; remove it or export again."
        )
    return files


def open_bundle(folder: Path, manifest: Manifest, files: dict[str, bytes]) -> OpenedBundle:
    """Open models, front end and golden vectors from files that `read_files` returned.

    Raises
    ------
    BridgeError
        When a file is absent, is not what its name says, or does not fit the others.
    """
    missing = sorted({*MODEL_FILES.values(), "frontend.json", "golden/golden.json"} - set(files))
    if missing:
        raise BridgeError(f"{folder / missing[0]}: a bundle needs this file; export again.")
    front_end = read_front_end(manifest, folder)
    for file in MODEL_FILES.values():  # every file before any interpreter
        check_model(files[file], str(folder / file))
        check_ops(files[file])
    store = load_golden(folder, files, front_end, manifest.decision.tasks)
    models = {name: TFLiteModel(files[file], str(folder / file)) for name, file in MODEL_FILES.items()}
    for model in models.values():
        check_fits(front_end, model, manifest.decision)
    head = read_head_file(manifest, folder, front_end)
    return OpenedBundle(folder, manifest, files, front_end, models, store, head)
