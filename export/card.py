"""The texts of a bundle that people read, rendered from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from export.gate import GateRow
from firmware_bridge.frontend import FrontEnd
from firmware_bridge.manifest import Manifest


def render(
    template: str,
    manifest: Manifest,
    rows: Sequence[GateRow],
    front_end: FrontEnd,
    results: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Render one of ``export/templates``.

    Parameters
    ----------
    template
        File name of the template.
    manifest
        Its facts; the file list may still lack the documents.
    rows
        Float against int8, from `export.gate.compare`.
    front_end
        Of the bundle.
    results
        The run's rows of the results contract (method, condition, metric, mean, low, high, n).
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.endswith(".html.j2"),
    )
    environment.filters["cell"] = cell
    return environment.get_template(template).render(
        manifest=manifest,
        model=manifest.model,
        data=manifest.data,
        decision=manifest.decision,
        rows=rows,
        front_end=front_end,
        results=result_table(results),
    )


def result_table(results: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the run's macro-F1 and AUROC rows as text, one dict a row."""
    table = []
    for row in results:
        if row.get("metric") not in ("macro_f1", "auroc", "balanced_accuracy"):
            continue
        low, high = row.get("low"), row.get("high")
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        table.append(
            {
                "method": str(row["method"]),
                "condition": str(row["condition"]),
                "metric": str(row["metric"]),
                "value": f"{row['mean']:.3f}{interval}" if row.get("mean") is not None else "not measured",
            }
        )
    return table


def cell(text: object) -> str:
    """Return text that cannot break a Markdown table or start markup of its own."""
    plain = " ".join(str(text).split())
    for mark in ("\\", "|", "<", "`", "[", "]", "*", "_"):
        plain = plain.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return plain
