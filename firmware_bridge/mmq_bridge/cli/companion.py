# SPDX-License-Identifier: Apache-2.0
"""`companion`: a bundle at work in a browser on this machine."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from mmq_bridge.cli.host import Host, takes_bundle

_EPILOG = """
\b
Examples
{pretrained}  {program} companion bundles/watch --no-browser --port 8400
"""
_PRETRAINED = "  {program} companion --pretrained wrist-stress    opens the browser; Ctrl-C ends it\n"


def _epilog(host: Host) -> str:
    pretrained = _PRETRAINED.format(program=host.program) if host.pretrained else ""
    return _EPILOG.format(program=host.program, pretrained=pretrained)


def companion_command(host: Host) -> click.Command:
    """Return the command ``companion`` of a program."""

    @click.command(name="companion", epilog=_epilog(host))
    @takes_bundle(host)
    @click.option(
        "--port", type=click.IntRange(0, 65535), default=8377, help="Of this machine; 0 takes a free one."
    )
    @click.option("--no-browser", is_flag=True, help="Print the URL, open no browser.")
    def command(bundle: Path, port: int, no_browser: bool) -> None:
        """Show BUNDLE at work in a browser: sensors, presence, decisions; nothing leaves this machine.

        The page runs the C core and the bundle's network as WebAssembly, fed by a simulated wearer or by an
        Empatica E4 recording dropped on it. It is served on 127.0.0.1 only.
        """
        from mmq_bridge.companion.server import ADDRESS, make_server, served_files

        with make_server(served_files(bundle), port) as server:
            address = f"http://{ADDRESS}:{server.server_port}/"
            click.echo(f"{bundle} is shown at {address} (Ctrl-C ends it)")
            if not no_browser:
                webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                click.echo("stopped.", err=True)
                sys.exit(130)

    return command
