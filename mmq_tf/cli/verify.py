# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf verify`: whether a bundle is what was exported, and still computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmq_tf.cli._bundle import takes_bundle

_STYLE = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


_EPILOG = """
\b
Examples
  mmq-tf verify bundles/watch
  mmq-tf verify --pretrained wrist-stress
"""


@click.command(name="verify", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@takes_bundle
def command(bundle: Path, as_json: bool) -> None:
    """Check BUNDLE: digests, golden samples through the C core and LiteRT, the model through TFLite Micro.

    Prints file size, arena, MACs, operations and agreement. Exit code 2, naming the file, where anything
    differs.
    """
    from mmq_tf.utils.native_output import quiet_native

    console = Console()
    with console.status("verifying"), quiet_native():
        from mmq_export.verify import verify_bundle

        report = verify_bundle(bundle)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _show(report, console)
    if not report.ok:
        from mmq_export.errors import ExportError

        raise ExportError(report.problems[0])


def _show(report: Any, console: Console) -> None:
    checks = Table(
        title=f"{report.folder}{'  SIMULATED' if report.manifest and report.manifest.simulated else ''}"
    )
    for name in ("check", "", "found"):
        checks.add_column(name)
    for check in report.checks:
        checks.add_row(check.name, f"[{_STYLE[check.state]}]{check.state}[/]", escape(check.detail))
    console.print(checks)
    if not report.numbers:
        return
    facts = Table(show_header=False)
    for name, value in report.numbers.items():
        facts.add_row(name.replace("_", " "), f"{value:,}")
    facts.add_row("operations", ", ".join(f"{name} x{count}" for name, count in report.ops.items()))
    for pair, share in report.agreement.items():
        facts.add_row(f"same class, {pair}", f"{share:.1%}")
    console.print(facts)
    if report.ok:
        console.print(f"{len(report.checks)} checks: the bundle computes what it computed at export.")
