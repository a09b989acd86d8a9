# SPDX-License-Identifier: Apache-2.0
"""Whether an installed mmq-bridge decides as a bundle's golden decisions say, bit for bit.

It needs numpy, pydantic and click alone, so it also runs where LiteRT cannot.

    python firmware_bridge/wheels/check.py mmq_tf/pretrained/wrist-stress
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from mmq_bridge.bundle.golden_decisions import DueDecisions, network_logits
from mmq_bridge.bundle.golden_store import load_golden
from mmq_bridge.bundle.reader import read_files
from mmq_bridge.core_binding.library import library_path
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import NETWORK_FILE, read_front_end
from mmq_bridge.decision.deciding import core_rules
from mmq_bridge.decision.manifest import Manifest


def main() -> int:
    """Replay the golden samples; 1 where a decision differs in any bit."""
    folder = Path(sys.argv[1])
    manifest = Manifest.load(folder)
    files = read_files(folder, manifest)
    store = load_golden(folder, files, read_front_end(manifest, folder), manifest.decision.tasks)
    network = Network(files[NETWORK_FILE])
    due = DueDecisions(store.front_end, store.signals, core_rules(manifest.decision, network.outputs))
    found = due.finish(network_logits(network, due))
    same = store.decisions is not None and found.tobytes() == store.decisions.tobytes()
    where = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    said = "the same bits" if same else "NOT THE SAME"
    sys.stdout.write(f"{where}, {library_path().name}: {len(found)} golden decisions, {said}\n")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
