# SPDX-License-Identifier: Apache-2.0
"""Serve the companion page and one bundle to this machine's browser, and where asked to its network."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.packing.web import HEADER, READ, WASM, WEB, check_runs_on_the_web, header_of

ADDRESS = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
PAGE = "/companion/"
"""Address of the page; `/` leads there."""
ASSETS = f"{PAGE}assets.json"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
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
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
"""What every answer carries: the policy, and no embedding, no guessing, no referrer; a copy is
asked about by its digest before it is used again."""
REQUEST_S = 10.0
"""A request that is not complete after so many seconds is dropped; an answer may take six times as long."""
MAX_REQUESTS = 32
"""So many connections are served at a time; the next is closed at once."""


def served_files(bundle: Path) -> dict[str, bytes]:
    """Read all that is served, by its path in the address: there is nothing else to ask for.

    Every file is opened once, here, and one of the bundle compared with its digest: what happens to the
    folder afterwards is not seen. The header of a bundle that was written without code is made from its front
    end.

    Parameters
    ----------
    bundle : Path
        Its manifest and the files that names.

    Raises
    ------
    BridgeError
        When the bundle has no sound manifest, a changed file, or no plan of its network.
    """
    shown = [WASM, *(WEB / "src").glob("*.js"), *(WEB / "companion").rglob("*")]
    files = {f"/{path.relative_to(WEB).as_posix()}": path.read_bytes() for path in shown if path.is_file()}
    files[PAGE] = files[f"{PAGE}index.html"]
    manifest = Manifest.load(bundle)
    check_runs_on_the_web(manifest, bundle)
    files[f"/bundle/{HEADER}"] = header_of(manifest, bundle)
    files[f"/bundle/{MANIFEST_NAME}"] = manifest.to_json().encode("utf-8")
    files |= {f"/bundle/{name}": manifest.read(bundle, name) for name in manifest.files}
    files[ASSETS] = json.dumps(_kept_offline(files)).encode()
    return files


def _kept_offline(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return what the page needs without its server: the digest by the path below this server's address."""
    wanted = {f"/bundle/{name}" for name in (MANIFEST_NAME, *READ)}
    return {
        path.lstrip("/"): _digest(content)
        for path, content in files.items()
        if not path.startswith("/bundle/") or path in wanted
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_server(
    files: Mapping[str, bytes],
    port: int,
    *,
    host: str = ADDRESS,
    token: str = "",
    context: ssl.SSLContext | None = None,
    request_s: float = REQUEST_S,
    most: int = MAX_REQUESTS,
) -> ThreadingHTTPServer:
    """Return a server of these files, by default on this machine's own address.

    Parameters
    ----------
    files : mapping of str to bytes
        From `served_files`.
    port : int
        0 takes a free one; see ``server_port`` of the result.
    host : str
        Address to listen at, and the only name it is asked for by (127.0.0.1 also as localhost).
    token : str
        What every path begins with; there is nothing at another one.
    context : ssl.SSLContext, optional
        HTTPS instead of HTTP.
    request_s, most
        See `REQUEST_S` and `MAX_REQUESTS`.

    Raises
    ------
    BridgeError
        When the port is taken or not allowed.
    """

    class ServedHandler(_PageHandler):
        known = files
        limit_s = request_s
        prefix = f"/{token}" if token else ""
        names = (host, "localhost") if host == ADDRESS else (host,)

    try:
        server = _BoundedServer((host, port), ServedHandler, most)
    except OSError as error:
        raise BridgeError(
            f"port {port}: cannot be used at {host} ({error.strerror or error}); choose another with --port."
        ) from error
    if context is not None:  # each connection's own thread shakes hands
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class _BoundedServer(ThreadingHTTPServer):
    """One thread per connection, and no more than so many connections."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread, or close it at once where as many as may be are served."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it, then make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who goes away or is too slow is no error of this side."""


class _TimedReader(io.RawIOBase):
    """What a connection sends, until a deadline that single bytes do not put off."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._end_s = connection, time.monotonic()

    def allow(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _PageHandler(BaseHTTPRequestHandler):
    """Answer GET and HEAD for known paths below the prefix, asked for by this machine's own names."""

    known: Mapping[str, bytes]
    limit_s: float
    prefix: str
    names: tuple[str, ...]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Read with a deadline."""
        super().setup()
        self.rfile.close()
        self._reader = _TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Give each request its time."""
        self._reader.allow(self.limit_s)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Send a file's headers."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: who looked at what is nobody's business."""

    def _answer(self, with_body: bool) -> None:
        path = self._below_prefix(self.path.partition("?")[0])
        status, content = self._look_up(path)
        kind = TYPES.get(Path("index.html" if path == PAGE else path).suffix, "application/octet-stream")
        said = {**HEADERS, "Content-Type": kind}
        if status == HTTPStatus.FOUND:
            said["Location"] = PAGE.lstrip("/")
        if status == HTTPStatus.OK:
            said["ETag"] = f'"{_digest(content)}"'
            if said["ETag"] in (self.headers.get("If-None-Match") or ""):
                status, content = HTTPStatus.NOT_MODIFIED, b""
        if content and "gzip" in (self.headers.get("Accept-Encoding") or ""):
            content, said["Content-Encoding"] = gzip.compress(content, mtime=0), "gzip"
        self.send_response(status)
        for name, value in {**said, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.connection.settimeout(6 * self.limit_s)
            self.wfile.write(content)

    def _below_prefix(self, path: str) -> str:
        """Return a path without the prefix, compared in constant time; empty where it has another."""
        begins, rest = path[: len(self.prefix)], path[len(self.prefix) :]
        return rest if hmac.compare_digest(begins.encode(), self.prefix.encode()) else ""

    def _look_up(self, path: str) -> tuple[HTTPStatus, bytes]:
        port = cast(ThreadingHTTPServer, self.server).server_port
        if self.headers.get("Host") not in [f"{name}:{port}" for name in self.names]:
            return HTTPStatus.FORBIDDEN, b""  # another name was pointed at this machine
        if path == "/":
            return HTTPStatus.FOUND, b""
        found = self.known.get(path)
        return (HTTPStatus.NOT_FOUND, b"") if found is None else (HTTPStatus.OK, found)
