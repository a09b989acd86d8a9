# SPDX-License-Identifier: Apache-2.0
"""`mmq-bridge`: a bundle's commands where nothing else is installed."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

import click

from mmq_bridge.cli.companion import companion_command
from mmq_bridge.cli.host import Host
from mmq_bridge.cli.pack import pack_command
from mmq_bridge.cli.personalise import personalise_command
from mmq_bridge.cli.play import play_command
from mmq_bridge.cli.readers import open_recording
from mmq_bridge.cli.stream import stream_command
from mmq_bridge.cli.verify import show_plainly, verify_command
from mmq_bridge.command_line import run


def _quiet(doing: str) -> AbstractContextManager[None]:
    from mmq_bridge.native_output import quiet_native

    return quiet_native()


HOST = Host("mmq-bridge", open_recording, show_plainly, quiet=_quiet)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="mmq-bridge")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and debug messages.")
def cli(debug: bool) -> None:
    """Run and check bundles that mmq-tf exported: raw body signals in, decisions out."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING)


for _make in (
    stream_command,
    play_command,
    personalise_command,
    verify_command,
    pack_command,
    companion_command,
):
    cli.add_command(_make(HOST))


def main() -> None:
    """Run the command line."""
    run(cli, HOST.program)
