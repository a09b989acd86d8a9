# SPDX-License-Identifier: Apache-2.0
"""`companion`: a bundle at work in a browser on this machine."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from mmq_bridge.cache import cache_folder
from mmq_bridge.cli.host import Host, takes_bundle

_EPILOG = """
\b
Examples
  {program} companion --install                    once: LiteRT for the browser, through npm
{pretrained}  {program} companion bundles/watch --no-browser --port 8400
"""
_PRETRAINED = "  {program} companion --pretrained wrist-stress    opens the browser; Ctrl-C ends it\n"


def runtime_folder() -> Path:
    """Return the folder that LiteRT for the browser is installed in."""
    return cache_folder() / "companion"


def _install(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from mmq_bridge.companion.litert import install

        click.echo("installing LiteRT for the browser with npm ...")
        click.echo(f"LiteRT for the browser is in {install(runtime_folder())}")
        context.exit()


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
    @click.option(
        "--install",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_install,
        help="Install LiteRT for the browser (npm), and end.",
    )
    def command(bundle: Path, port: int, no_browser: bool) -> None:
        """Show BUNDLE at work in a browser: sensors, presence, decisions; nothing leaves this machine.

        The page runs the C core as WebAssembly and the int8 model in LiteRT, fed by a simulated wearer or by
        an Empatica E4 recording dropped on it. It is served on 127.0.0.1 only.
        """
        from mmq_bridge.companion.litert import litert_folder
        from mmq_bridge.companion.server import ADDRESS, make_server, served_files

        files = served_files(bundle, litert_folder(runtime_folder(), host.program))
        with make_server(files, port) as server:
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
