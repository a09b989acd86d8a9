# SPDX-License-Identifier: Apache-2.0
"""The folder of a bundle, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmq_bridge.bundle.signature import Sign
from mmq_bridge.decision.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest
from mmq_bridge.output_folder import OutputFolder

from mmq_export.errors import ExportError

BUNDLE = OutputFolder("bundle", MANIFEST_NAME, ExportError)


def write_folder(out: Path, files: Mapping[str, bytes], manifest: Manifest, sign: Sign | None) -> None:
    """Write a bundle's files, its manifest, and its signature where there is a key.

    Raises
    ------
    ExportError
        When `out` holds something else, or cannot be written; nothing is changed then.
    """
    content = manifest.to_json().encode("utf-8")
    signature = {} if sign is None else {SIGNATURE_NAME: sign(content)}
    BUNDLE.write(out, {**files, MANIFEST_NAME: content, **signature})
