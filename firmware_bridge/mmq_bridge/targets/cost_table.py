# SPDX-License-Identifier: Apache-2.0
"""`python -m mmq_bridge.targets.cost_table`: README.md's cost table from results/core_cost.json."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmq_bridge.errors import BridgeError
from mmq_bridge.source_files import SOURCES
from mmq_bridge.targets.flash import PARTS, WHOLE, WINDOWS

README = SOURCES / "README.md"
RESULTS = Path("results/core_cost.json")
_BETWEEN = re.compile(r"(<!-- cost:[^\n]*-->\n)(.*?)(<!-- end of cost -->)", re.DOTALL)
_LEVEL = "-Os"


def cost_table(results: Mapping[str, Any]) -> str:
    """Return the cost of each set of sensors as a Markdown table.

    Parameters
    ----------
    results : mapping
        The content of ``core_cost.json``, which `mmq-tf bench core` writes.

    Raises
    ------
    BridgeError
        When a number is missing.
    """
    found = {(row["method"], row["condition"], row["metric"]): row["mean"] for row in results["rows"]}

    def number(method: str, condition: str, metric: str) -> str:
        if (method, condition, metric) not in found:
            raise BridgeError(
                f"core_cost.json: expected {metric} of {method}, {condition}: run mmq-tf bench core again"
            )
        return f"{found[method, condition, metric]:,.0f}"

    lines = [
        f"Counted on a Cortex-M4F in QEMU, `{_LEVEL}`, SIMULATED signals (`mmq-tf bench core`):",
        "",
        "| sensors | state, bytes | instructions a second | a token | longest push |",
        "|---|---:|---:|---:|---:|",
    ]
    methods = dict.fromkeys(row["method"] for row in results["rows"] if row["metric"] == "arena_bytes")
    for method in methods:
        cells = [number(method, "state, 32-bit", "arena_bytes")]
        cells += [
            number(method, f"{of} {_LEVEL}", "instructions") for of in ("second", "token", "longest push")
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    linked = {
        row["method"].removeprefix("linked: "): f"{row['mean']:,.0f}"
        for row in results["rows"]
        if row["method"].startswith("linked: ") and row["condition"] == _LEVEL
    }
    code = number(f"linked: {WINDOWS}", _LEVEL, "bytes")
    whole = number(f"linked: {WHOLE}", _LEVEL, "bytes")
    library = number("drawn in of libgcc", _LEVEL, "bytes")
    stack = number("stack, deepest use", _LEVEL, "bytes")
    lines += [
        "",
        f"A linker keeps {code} bytes of code for int8 windows of all nine kinds (`-ffunction-sections`, "
        f"`--gc-sections`), and {library} of the compiler's library; stack {stack} bytes. With all parts "
        f"{whole} bytes; each by itself adds:",
        "",
        "| part | bytes |",
        "|---|---:|",
        *(f"| {part} | {linked[part]} |" for part in PARTS if part in linked),
    ]
    return "\n".join(lines) + "\n"


def fill(text: str, table: str) -> str:
    """Put a table between the marks of a text."""
    if not _BETWEEN.search(text):
        raise BridgeError(f"{README}: expected the marks of the cost table, found none: put them back")
    return _BETWEEN.sub(lambda match: match[1] + table + match[3], text)


def main() -> int:
    """Rewrite README.md; exit code 2 where the results cannot be read."""
    try:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        README.write_text(fill(README.read_text(encoding="utf-8"), cost_table(results)), encoding="utf-8")
    except (OSError, ValueError, BridgeError) as error:
        sys.stderr.write(f"cost_table: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
