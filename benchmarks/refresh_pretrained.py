# SPDX-License-Identifier: Apache-2.0
"""Write anew what follows from the rest of a shipped bundle; models, golden samples, tokens and logits stay.

``frontend.json`` gets its filters' coefficients, the network's plan and the golden decisions are made again
from the int8 model, the README is rendered again, and the card names the licence of the weights and what the
whole costs. Run it in this folder: ``python -m refresh_pretrained ../mmq_tf/pretrained/wrist-stress``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmq_bridge.bundle.golden import npy_bytes
from mmq_bridge.bundle.golden_decisions import DECISIONS_FILE, golden_decisions
from mmq_bridge.bundle.network_files import network_plan
from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.sources import FOLDER, code_of, part_of
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE, read_front_end
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest, file_entry
from mmq_bridge.targets.whole_cost import BundleCost, bundle_cost
from mmq_export import card
from mmq_export.folder import BUNDLE

DATA_LICENCE = "| licence of the training data |"
MACS = "| multiply-accumulates |"
MODEL_LICENCE = "| licence of this model | Apache-2.0: its weights and the C sources beside it |\n"


def refresh(folder: Path) -> None:
    """Write the bundle in `folder` anew, in place."""
    manifest = Manifest.load(folder)
    files = read_files(folder, manifest)
    front_end = read_front_end(manifest, folder).without_filters().with_filters()
    files["frontend.json"] = front_end.to_json().encode("utf-8")
    files["README.md"] = card.render("README.md.j2", manifest, front_end).encode("utf-8")
    files |= network_plan(files[MODEL_FILES["int8"]], list(manifest.decision.tasks))
    bundle = open_bundle(folder, manifest, files)
    store, plan, decision = bundle.golden, files[NETWORK_FILE], manifest.decision
    files[DECISIONS_FILE] = npy_bytes(golden_decisions(store.front_end, store.signals, decision, plan))
    code = part_of(code_of(bundle), FOLDER)
    cost = bundle_cost(code, store.front_end, store.signals, decision.every_tokens, plan)
    files["MODEL_CARD.md"] = _card(files["MODEL_CARD.md"].decode("utf-8"), cost).encode("utf-8")
    entries = {name: file_entry(content) for name, content in sorted(files.items())}
    manifest = manifest.model_copy(update={"files": entries})
    BUNDLE.write(folder, {**files, MANIFEST_NAME: manifest.to_json().encode("utf-8")})


def _card(text: str, cost: BundleCost) -> str:
    """Return a card with the licence of the weights, and with the rows of what the bundle costs as C."""
    if MODEL_LICENCE not in text:
        text = text.replace(DATA_LICENCE, MODEL_LICENCE + DATA_LICENCE)
    lines = [
        line for line in text.splitlines(True) if not line.startswith((card.NETWORK_ROW, card.WHOLE_ROW))
    ]
    at = next(number for number, line in enumerate(lines) if line.startswith(MACS))
    return "".join([*lines[:at], card.cost_rows(cost), *lines[at:]])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        refresh(Path(name))
