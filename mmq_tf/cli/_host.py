# SPDX-License-Identifier: Apache-2.0
"""What the commands shared with `mmq_bridge` learn from mmq-tf: its recordings, its models, its tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from mmq_bridge.cli.host import Host

from mmq_tf import pretrained
from mmq_tf.cli._recording import data_option, open_named, repair_option

_STYLE = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


@contextmanager
def _quiet(doing: str) -> Iterator[None]:
    from mmq_bridge.native_output import quiet_native
    from rich.console import Console

    with Console().status(doing) if doing else nullcontext(), quiet_native():
        yield


@contextmanager
def _progress(doing: str, total: float) -> Iterator[Callable[[float], None]]:
    from rich.progress import Progress

    with Progress(transient=True, disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task(doing, total=total)
        yield lambda done: progress.update(bar, completed=done)


def show_report(report: Any) -> None:
    """Print what `verify` found as tables."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
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


HOST = Host(
    "mmq-tf",
    open_named,
    show_report,
    quiet=_quiet,
    progress=_progress,
    reads="whatever mmq-tf reads: an E4 export, a recording folder, XDF, a file MNE reads, DIR:SUBJECT of a"
    " folder with an mmq-tf.toml, or DATASET:SUBJECT",
    example_file="session.xdf",
    reading={"data": data_option, "repair": repair_option},
    pretrained={name: pretrained.path(name) for name in pretrained.names()},
)
