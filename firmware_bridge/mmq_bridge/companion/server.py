# SPDX-License-Identifier: Apache-2.0
"""Serve the companion page and one bundle to this machine's browser, and to nobody else."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from mmq_bridge.companion.build import PAGE
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import NETWORK_FILE, read_front_end
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest
from mmq_bridge.errors import BridgeError

ADDRESS = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
HEADER = "mmq_bridge/mmq_spec.h"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Only this address, nothing inline."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}
"""What every answer carries: the policy, and no embedding, no guessing, no referrer, no cache."""


def served_files(bundle: Path) -> dict[str, Path | bytes]:
    """List all that is served, by its path in the address: there is nothing else to ask for.

    The header of a bundle that was written without code is made from its front end.

    Parameters
    ----------
    bundle : Path
        Its manifest and the files that names.

    Raises
    ------
    BridgeError
        When the bundle has no sound manifest, or no plan of its network.
    """
    files: dict[str, Path | bytes] = {
        f"/{path.relative_to(PAGE).as_posix()}": path for path in PAGE.rglob("*") if path.is_file()
    }
    files["/"] = PAGE / "index.html"
    manifest = Manifest.load(bundle)
    if NETWORK_FILE not in manifest.files:
        raise BridgeError(
            f"{bundle}: it has no {NETWORK_FILE}, the network as the page runs it: export its run again."
        )
    if HEADER not in manifest.files:
        files[f"/bundle/{HEADER}"] = spec_header(read_front_end(manifest, bundle)).encode()
    for name in (MANIFEST_NAME, *manifest.files):
        files[f"/bundle/{name}"] = bundle / name
    return files


def make_server(files: Mapping[str, Path | bytes], port: int) -> ThreadingHTTPServer:
    """Return a server of these files on this machine's own address.

    Parameters
    ----------
    files : mapping of str to Path or bytes
        From `served_files`.
    port : int
        0 takes a free one; see ``server_port`` of the result.

    Raises
    ------
    BridgeError
        When the port is taken or not allowed.
    """

    class ServedHandler(_PageHandler):
        known = files

    try:
        return ThreadingHTTPServer((ADDRESS, port), ServedHandler)
    except OSError as error:
        raise BridgeError(
            f"port {port}: cannot be used ({error.strerror or error}); choose another with --port."
        ) from error


class _PageHandler(BaseHTTPRequestHandler):
    """Answer GET and HEAD for known paths, asked for by this machine's own names."""

    known: Mapping[str, Path | bytes]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Send a file's headers."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: who looked at what is nobody's business."""

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        status, content = self._look_up(path)
        kind = TYPES.get(Path("index.html" if path == "/" else path).suffix, "application/octet-stream")
        said = {**HEADERS, "Content-Type": kind}
        if "gzip" in (self.headers.get("Accept-Encoding") or ""):
            content, said["Content-Encoding"] = gzip.compress(content, mtime=0), "gzip"
        self.send_response(status)
        for name, value in {**said, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _look_up(self, path: str) -> tuple[HTTPStatus, bytes]:
        port = cast(ThreadingHTTPServer, self.server).server_port
        if self.headers.get("Host") not in (f"{ADDRESS}:{port}", f"localhost:{port}"):
            return HTTPStatus.FORBIDDEN, b""  # another name was pointed at this machine
        found = self.known.get(path)
        if isinstance(found, bytes):
            return HTTPStatus.OK, found
        try:
            if found is not None and not found.is_symlink():
                return HTTPStatus.OK, found.read_bytes()
        except OSError:
            pass
        return HTTPStatus.NOT_FOUND, b""
