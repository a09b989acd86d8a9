# SPDX-License-Identifier: Apache-2.0
"""`pack`: a bundle as the packages that firmware and apps are built from."""

from __future__ import annotations

from pathlib import Path

import click

from mmq_bridge.cli.host import Host, takes_bundle
from mmq_bridge.packing.contents import DEFAULT_PREFIX
from mmq_bridge.packing.kinds import KINDS

_EPILOG = """
\b
Examples
{pretrained}  {program} pack bundles/watch --for cmake --out watch-cmake
  {program} pack bundles/watch --for zephyr --for esp-idf --out packages
  {program} pack bundles/watch --for android --out watch-android    a Gradle module and a sample app
  {program} pack bundles/watch --for web --out watch-web    an npm package
  {program} pack bundles/left --for cmake --prefix left --out left-cmake    two bundles in one program
"""
_PRETRAINED = "  {program} pack --pretrained wrist-stress --out packages    all kinds\n"


def pack_command(host: Host) -> click.Command:
    """Return the command ``pack`` of a program."""
    pretrained = _PRETRAINED.format(program=host.program) if host.pretrained else ""

    @click.command(name="pack", epilog=_EPILOG.format(program=host.program, pretrained=pretrained))
    @takes_bundle(host)
    @click.option(
        "--for",
        "kinds",
        multiple=True,
        type=click.Choice(tuple(KINDS)),
        help="Kind of package; repeatable. All kinds where none is named.",
    )
    @click.option(
        "--out",
        required=True,
        type=click.Path(path_type=Path),
        help="Folder of the package; of more than one kind, one folder each in it.",
    )
    @click.option(
        "--prefix",
        default=DEFAULT_PREFIX,
        help="For firmware: of the bundle's own files, symbols and targets; two in one program need two.",
    )
    def command(bundle: Path, kinds: tuple[str, ...], out: Path, prefix: str) -> None:
        """Write BUNDLE as a package for firmware or an app.

        Firmware: CMake, Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS-Pack. Each holds C core, model, and
        an example that reads made-up sensors from an interrupt and decides. Apps: android is a Gradle
        module, swift a Swift package, web an npm package for browsers and Node.js.
        """
        with host.quiet("packing"):
            from mmq_bridge.packing.package import pack_bundle

            written = pack_bundle(bundle, out, tuple(dict.fromkeys(kinds)), prefix)
        for folder in written:
            click.echo(f"{folder}: {(folder / 'mmq_package.txt').read_text().split()[0]} package")

    return command
