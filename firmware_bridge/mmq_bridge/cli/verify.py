# SPDX-License-Identifier: Apache-2.0
"""`verify`: whether a bundle is what was exported, and still computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mmq_bridge.cli.host import Host, takes_bundle
from mmq_bridge.errors import BridgeError

_HELP = """
Check BUNDLE: digests, golden samples through the C core and LiteRT, the model through TFLite Micro.

Prints file size, arena, MACs, operations and agreement. Exit code 2, naming the file, where anything differs.
"""
_EPILOG = """
\b
Examples
  {program} verify bundles/watch
  {program} verify bundles/watch --key pub.pem    refuses what is not signed with the private key of pub.pem
"""
_PRETRAINED = "  {program} verify --pretrained wrist-stress\n"


def verify_command(host: Host) -> click.Command:
    """Return the command ``verify`` of a program."""
    epilog = (_EPILOG + (_PRETRAINED if host.pretrained else "")).format(program=host.program)

    @click.command(name="verify", epilog=epilog, help=_HELP)
    @click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
    @click.option(
        "--key",
        type=click.Path(path_type=Path),
        metavar="PUB",
        help="PEM file of an Ed25519 public key that the bundle must be signed with.",
    )
    @takes_bundle(host)
    def command(bundle: Path, as_json: bool, key: Path | None) -> None:
        with host.quiet("verifying"):
            from mmq_bridge.bundle.verify import verify_bundle

            report = verify_bundle(bundle, key)
        if as_json:
            click.echo(json.dumps(report.to_dict(), indent=2))
        else:
            host.show_report(report)
        if not report.ok:
            raise BridgeError(report.problems[0])

    return command


def show_plainly(report: Any) -> None:
    """Print a report as plain lines."""
    mark = "  SIMULATED" if report.manifest and report.manifest.simulated else ""
    click.echo(f"{report.folder}{mark}")
    for check in report.checks:
        click.echo(f"  {check.name:22} {check.state:8} {check.detail}")
    if not report.numbers:
        return
    for name, value in report.numbers.items():
        click.echo(f"  {name.replace('_', ' '):22} {value:,}")
    click.echo("  operations             " + ", ".join(f"{name} x{n}" for name, n in report.ops.items()))
    for pair, share in report.agreement.items():
        click.echo(f"  same class, {pair}: {share:.1%}")
    if report.ok:
        click.echo(f"{len(report.checks)} checks: the bundle computes what it computed at export.")
