# SPDX-License-Identifier: Apache-2.0
"""The texts of a bundle that people read, rendered from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from mmq_bridge.bundle.golden import GoldenOrigin
from mmq_bridge.bundle.sources import is_code
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.targets.whole_cost import LEVEL, BundleCost

from mmq_export.quantisation_gate import GateRow


def documents(
    manifest: Manifest,
    front_end: FrontEnd,
    rows: Sequence[GateRow],
    results: Sequence[Mapping[str, Any]],
    origin: GoldenOrigin,
    report_html: str | None,
    *,
    held_back: bool,
    cost: BundleCost,
    transfer: Sequence[Mapping[str, Any]] = (),
) -> dict[str, bytes]:
    """Return card, README and report by file name.

    Parameters
    ----------
    manifest
        Names the files that lie beside the documents.
    front_end, rows, results
        As of `render`.
    origin
        Whose samples the golden vectors are.
    report_html
        The run's report; a small one is written where it is not given.
    held_back
        Whether the windows of `rows` are of subjects that did not train the network.
    cost
        Of front end, network and decision together.
    transfer
        Tables of other data sets on which nothing was fitted: ``data``, ``split`` and ``rows``.
    """
    more = {"golden": origin, "own_report": report_html is not None, "held_back": held_back}
    more["cost_rows"] = cost_rows(cost)
    more["transfer"] = [{**table, "rows": result_table(table["rows"])} for table in transfer]
    text = {
        "MODEL_CARD.md": render("MODEL_CARD.md.j2", manifest, front_end, rows, results, **more),
        "README.md": render("README.md.j2", manifest, front_end),
        "report.html": report_html or render("report.html.j2", manifest, front_end, rows),
    }
    return {name: value.encode("utf-8") for name, value in text.items()}


def render(
    template: str,
    manifest: Manifest,
    front_end: FrontEnd,
    rows: Sequence[GateRow] = (),
    results: Sequence[Mapping[str, Any]] = (),
    **more: object,
) -> str:
    """Render one of ``mmq_export/templates``.

    Parameters
    ----------
    template
        File name of the template.
    manifest
        Its facts; the file list may still lack the documents.
    front_end
        Of the bundle.
    rows
        Float against int8, from `mmq_export.quantisation_gate.compare`.
    results
        The run's rows of the results contract (method, condition, metric, mean, low, high, n).
    more
        What else the template names.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mmq_export", "templates"),
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
        code=any(map(is_code, manifest.files)),
        **more,
    )


def result_table(results: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the run's macro-F1, balanced accuracy and AUROC rows as text, one dict a row."""
    table = []
    for row in results:
        if row.get("metric") not in ("macro_f1", "auroc", "balanced_accuracy", "time_matched_auroc"):
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


NETWORK_ROW, WHOLE_ROW = "| the network as C |", "| on a Cortex-M4F |"


def cost_rows(cost: BundleCost) -> str:
    """Return the card's lines of what a bundle costs as C, each with its end."""
    rows = []
    if cost.known:
        known = cost.known
        sizes = f"arena {known.arena_bytes:,} bytes, weights and tables {known.tables_bytes:,} bytes"
        rows.append(f"{NETWORK_ROW} {sizes} |")
    said = f"not counted: {cell(cost.uncounted)}. `mmq-tf bench model BUNDLE` counts"
    if whole := cost.counted:
        said = (
            f"front end, network and decision together: {whole.per_decision:,.0f} instructions a decision, "
            f"{whole.per_hour / 1e6:,.0f} million an hour of signal; flash {whole.flash_bytes:,}, "
            f"RAM {whole.ram_bytes:,}, stack {whole.stack_bytes:,} bytes "
            f"(`{LEVEL}`, golden samples, counted in QEMU by `mmq-tf bench model`) "
        )
    return "".join(f"{row}\n" for row in [*rows, f"{WHOLE_ROW} {said.strip()} |"])


def cell(text: object) -> str:
    """Return text that cannot break a Markdown table or start markup of its own."""
    plain = " ".join(str(text).split())
    for mark in ("\\", "|", "<", "`", "[", "]", "*", "_"):
        plain = plain.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return plain
