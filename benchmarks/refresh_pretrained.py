# SPDX-License-Identifier: Apache-2.0
"""Write anew what follows from the rest of a shipped bundle; models, golden vectors and decisions stay.

``frontend.json`` gets its filters' coefficients, the README is rendered again, and the card names the licence
of the weights. Run it in this folder: ``python -m refresh_pretrained ../mmq_tf/pretrained/wrist-stress``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmq_bridge.bundle.reader import read_files
from mmq_bridge.decision.bundle_files import read_front_end
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest, file_entry
from mmq_export import card
from mmq_export.folder import write_folder

DATA_LICENCE = "| licence of the training data |"
MODEL_LICENCE = "| licence of this model | Apache-2.0: its weights and the C sources beside it |\n"


def refresh(folder: Path) -> None:
    """Write the bundle in `folder` anew, in place."""
    manifest = Manifest.load(folder)
    files = read_files(folder, manifest)
    front_end = read_front_end(manifest, folder).without_filters().with_filters()
    files["frontend.json"] = front_end.to_json().encode("utf-8")
    files["README.md"] = card.render("README.md.j2", manifest, front_end).encode("utf-8")
    said = files["MODEL_CARD.md"].decode("utf-8")
    if MODEL_LICENCE not in said:
        said = said.replace(DATA_LICENCE, MODEL_LICENCE + DATA_LICENCE)
    files["MODEL_CARD.md"] = said.encode("utf-8")
    entries = {name: file_entry(content) for name, content in sorted(files.items())}
    manifest = manifest.model_copy(update={"files": entries})
    write_folder(folder, {**files, MANIFEST_NAME: manifest.to_json().encode("utf-8")})


if __name__ == "__main__":
    for name in sys.argv[1:]:
        refresh(Path(name))
