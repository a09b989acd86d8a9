# SPDX-License-Identifier: Apache-2.0
"""`companion`: a bundle at work in a browser on this machine."""

from __future__ import annotations

import secrets
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path

import click

from mmq_bridge.cli.host import Host, takes_bundle

_EPILOG = """
\b
Examples
{pretrained}  {program} companion bundles/watch --no-browser --port 8400
  {program} companion bundles/watch --host auto    for a phone in the same network
"""
_TOKEN_BYTES = 16
_PRETRAINED = "  {program} companion --pretrained wrist-stress    opens the browser; Ctrl-C ends it\n"


def _epilog(host: Host) -> str:
    pretrained = _PRETRAINED.format(program=host.program) if host.pretrained else ""
    return _EPILOG.format(program=host.program, pretrained=pretrained)


@contextmanager
def _opened(
    files: Mapping[str, bytes], port: int, address: str | None, folder: Path
) -> Iterator[tuple[HTTPServer, str]]:
    """Yield a running server and its URL; for a network with a certificate of its own, of which it tells."""
    from mmq_bridge.companion.certificate import own_address, self_signed
    from mmq_bridge.companion.server import ADDRESS, make_server

    if address is None:
        with make_server(files, port) as server:
            yield server, f"http://{ADDRESS}:{server.server_port}/"
        return
    host, token = own_address(address), secrets.token_urlsafe(_TOKEN_BYTES)
    signed = self_signed(host, folder)
    with make_server(files, port, host=host, token=token, context=signed.context) as server:
        click.echo(
            "Whoever has the address can open the page. Browsers warn, for the certificate is signed by this "
            f"machine itself: go on only if its SHA-256 is\n{signed.fingerprint}"
        )
        yield server, f"https://{host}:{server.server_port}/{token}/"


def companion_command(host: Host) -> click.Command:
    """Return the command ``companion`` of a program."""

    @click.command(name="companion", epilog=_epilog(host))
    @takes_bundle(host)
    @click.option(
        "--port", type=click.IntRange(0, 65535), default=8377, help="Of this machine; 0 takes a free one."
    )
    @click.option("--no-browser", is_flag=True, help="Print the URL, open no browser.")
    @click.option(
        "--host",
        "address",
        metavar="ADDRESS",
        help="Of this machine, for a phone in its network, or auto: HTTPS and a secret in the URL.",
    )
    def command(bundle: Path, port: int, no_browser: bool, address: str | None) -> None:
        """Show BUNDLE at work in a browser: sensors, presence, decisions; nothing leaves this machine.

        The page runs the C core and the bundle's network as WebAssembly, fed by a simulated wearer or by an
        Empatica E4 recording dropped on it. It is served on 127.0.0.1 only, unless --host names an address.
        """
        from mmq_bridge.companion.server import served_files

        files = served_files(bundle)
        with tempfile.TemporaryDirectory() as folder, _opened(files, port, address, Path(folder)) as opened:
            server, url = opened
            click.echo(f"{bundle} is shown at {url} (Ctrl-C ends it)")
            if not no_browser:
                webbrowser.open(url)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                click.echo("stopped.", err=True)
                sys.exit(130)

    return command
