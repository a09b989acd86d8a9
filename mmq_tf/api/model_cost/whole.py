# SPDX-License-Identifier: Apache-2.0
"""What a bundle costs on a microcontroller as a whole: front end, network and decision."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.sources import FOLDER, code_of, part_of
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest
from mmq_bridge.targets.whole_cost import LEVEL, BundleCost, bundle_cost

from mmq_tf.metrics.results_table import ResultRow

CONDITION = f"M4F {LEVEL}"


def whole_cost(folder: Path) -> BundleCost | None:
    """Return what a bundle costs; None where the folder is none.

    Raises
    ------
    BridgeError
        When the bundle is broken, or its code does not build.
    """
    if not (folder / MANIFEST_NAME).is_file():
        return None
    manifest = Manifest.load(folder)
    bundle = open_bundle(folder, manifest, read_files(folder, manifest))
    code, plan = part_of(code_of(bundle), FOLDER), bundle.files.get(NETWORK_FILE)
    golden = bundle.golden
    return bundle_cost(code, golden.front_end, golden.signals, manifest.decision.every_tokens, plan)


def whole_lines(cost: BundleCost) -> list[tuple[str, str, float]]:
    """Return what is known: what it is, the metric of the results contract, and the number."""
    lines: list[tuple[str, str, float]] = []
    if cost.counted:
        whole = cost.counted
        lines += [
            ("whole, a decision", "instructions", whole.per_decision),
            ("whole, an hour of signal", "instructions", whole.per_hour),
            ("front end, a token", "instructions", whole.token),
            ("window, network, decision", "instructions", whole.step),
            ("network alone", "instructions", whole.network),
            ("longest push", "instructions", whole.longest_push),
            ("longest step in slices", "instructions", whole.longest_slice),
            ("whole, flash", "bytes", whole.flash_bytes),
            ("whole, RAM", "bytes", whole.ram_bytes),
            ("state", "bytes", whole.state_bytes),
            ("whole", "stack_bytes", whole.stack_bytes),
        ]
    if cost.known:
        lines += [
            ("weights and tables", "bytes", cost.known.tables_bytes),
            ("network in C", "arena_bytes", cost.known.arena_bytes),
        ]
    return lines


def whole_rows(cost: BundleCost) -> list[ResultRow]:
    """Return the same as rows of a results file."""
    return [
        ResultRow(method=name, condition=CONDITION, metric=metric, mean=round(value), n=1)
        for name, metric, value in whole_lines(cost)
    ]
