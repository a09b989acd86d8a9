# SPDX-License-Identifier: Apache-2.0
import contextlib
import gzip
import hashlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from functools import partial

import pytest
from mmq_bridge.companion import build, server
from mmq_bridge.companion.certificate import own_address, self_signed
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import NETWORK_FILE, read_front_end
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.table import TARGETS
from mmq_bridge.targets.tools import missing

from mmq_tf import pretrained


@pytest.fixture
def bundle():
    """The bundle that comes with the package; it has no code."""
    return pretrained.path("wrist-stress")


@contextlib.contextmanager
def running(files):
    """Yield a function that asks a running server: path and host in, status, headers and body out."""
    with server.make_server(files, 0) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()

        def get(path, host=None, method="GET", packed=False, known=""):
            connection = http.client.HTTPConnection(server.ADDRESS, made.server_port)
            given = {"Host": host or f"localhost:{made.server_port}"}
            with contextlib.closing(connection):
                given |= {"Accept-Encoding": "gzip, br"} if packed else {}
                connection.request(method, path, headers=given | {"If-None-Match": known})
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()

        yield get
        made.shutdown()


@pytest.fixture
def ask(bundle):
    """Ask a running server for files of the shipped bundle."""
    with running(server.served_files(bundle)) as get:
        yield get


def test_the_page_may_talk_only_to_where_it_came_from(ask):
    assert ask("/")[1]["Location"] == "companion/"
    status, headers, body = ask(server.PAGE)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert b"http:" not in body
    assert b"https:" not in body
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/nothing", "/bundle/../manifest.json", "/..%2f..%2fetc/passwd", "/bundle//etc/passwd"]
)
def test_there_is_nothing_else_to_ask_for(ask, path):
    assert ask(path)[0] == 404


def test_another_name_for_this_machine_is_refused(ask):
    assert ask("/", host="evil.example")[0] == 403
    assert ask("/bundle/manifest.json", host="evil.example:80")[2] == b""
    assert ask("/", method="POST")[0] == 501
    status, headers, body = ask("/core.wasm", method="HEAD")
    assert (status, headers["Content-Type"], body) == (200, "application/wasm", b"")
    assert int(headers["Content-Length"]) == build.WASM.stat().st_size


def test_what_is_asked_for_packed_comes_packed(ask):
    status, headers, body = ask("/core.wasm", packed=True)
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert int(headers["Content-Length"]) == len(body)
    assert gzip.decompress(body) == build.WASM.read_bytes()
    _, headers, body = ask("/core.wasm")
    assert "Content-Encoding" not in headers
    assert body == build.WASM.read_bytes()


@pytest.fixture(params=["cryptography", "openssl"])
def signed(request, monkeypatch, tmp_path):
    """A certificate for this machine, of either maker."""
    if request.param == "cryptography":
        pytest.importorskip("cryptography")
        monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("openssl was started"))
    elif shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    else:
        monkeypatch.setitem(sys.modules, "cryptography", None)
    return self_signed(own_address("127.0.0.1"), tmp_path)


def test_a_phone_gets_https_and_a_secret(signed, bundle, tmp_path):
    """Only below the token, only by the address it was given, and over TLS."""
    files = server.served_files(bundle)
    with server.make_server(files, 0, host="127.0.0.1", token="secret", context=signed.context) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))

        def get(path):
            link = http.client.HTTPSConnection("127.0.0.1", made.server_port, context=trusting, timeout=10)
            with contextlib.closing(link):
                link.request("GET", path)
                answer = link.getresponse()
                return answer.status, answer.getheader("Location"), answer.read()

        assert get("/secret/core.wasm") == (200, None, build.WASM.read_bytes())
        assert get("/secret/")[:2] == (302, "companion/")
        assert [get(path)[0] for path in ("/", "/core.wasm", "/secreT/core.wasm", "/secret", "/x")] == [
            404
        ] * 5
        made.shutdown()
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    certificate = ssl.PEM_cert_to_DER_cert((tmp_path / "certificate.pem").read_text())
    assert signed.fingerprint.replace(":", "") == hashlib.sha256(certificate).hexdigest().upper()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("phone", "expected an IPv4 address of this machine or auto, got phone"),
        ("0.0.0.0", "expected one address of this machine in its own network, got 0.0.0.0"),
        ("8.8.8.8", "the page is not for the internet"),
    ],
)
def test_an_address_for_everybody_is_refused(text, words):
    with pytest.raises(BridgeError, match=words):
        own_address(text)


def test_without_a_maker_of_certificates_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BridgeError, match=r"cryptography or openssl, .*: pip install 'mmq-bridge\[sign\]'"):
        self_signed("192.168.1.20", tmp_path)


def test_a_copy_is_used_again_while_its_digest_is_the_same(ask):
    _, headers, body = ask("/core.wasm")
    assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    status, again, nothing = ask("/core.wasm", known=headers["ETag"])
    assert (status, again["ETag"], nothing) == (304, headers["ETag"], b"")
    listed = json.loads(ask(server.ASSETS)[2])
    assert listed["core.wasm"] == hashlib.sha256(body).hexdigest()
    assert {"companion/", "companion/sw.js", "bundle/personal_head.json", f"bundle/{server.HEADER}"} <= set(
        listed
    )
    assert not [path for path in listed if path.endswith((".tflite", ".npy"))]
    assert all(ask(f"/{path}")[0] == 200 for path in listed)


def test_core_and_network_are_small(ask):
    """The page's budget: 80 KB of module, and 80 KB over the wire with the wrist's network."""
    assert build.WASM.stat().st_size < 80_000
    sent = [ask(path, packed=True)[2] for path in ("/core.wasm", f"/bundle/{NETWORK_FILE}")]
    assert sum(map(len, sent)) < 80_000


def test_what_was_opened_is_served_whatever_becomes_of_the_folder(tmp_path):
    folder = shutil.copytree(pretrained.path("wrist-stress"), tmp_path / "bundle")
    card = (folder / "MODEL_CARD.md").read_bytes()
    with running(server.served_files(folder)) as get:
        (folder / "MODEL_CARD.md").unlink()
        (folder / "MODEL_CARD.md").symlink_to("/etc/hostname")
        assert get("/bundle/MODEL_CARD.md")[::2] == (200, card)
    with pytest.raises(BridgeError, match=r"MODEL_CARD\.md: expected a regular file"):
        server.served_files(folder)


@contextlib.contextmanager
def raw(most=2, request_s=0.2):
    """Yield a function that opens a bare connection to a server of one small file with tight limits."""
    with server.make_server({server.PAGE: b"page"}, 0, request_s=request_s, most=most) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        with contextlib.ExitStack() as opened:

            def connect():
                link = opened.enter_context(socket.create_connection((server.ADDRESS, made.server_port)))
                link.settimeout(5)
                return (
                    link,
                    f"GET /companion/ HTTP/1.1\r\nHost: localhost:{made.server_port}\r\n\r\n".encode(),
                )

            yield connect
        made.shutdown()


def received(link):
    """Return what comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := link.recv(4096):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_request_that_is_not_complete_in_time_is_dropped(drip):
    """Also one that sends a byte now and then."""
    with raw() as connect:
        link, wanted = connect()
        began = time.monotonic()
        link.sendall(wanted[:20])
        with contextlib.suppress(ConnectionError):
            while drip and time.monotonic() - began < 2:
                link.sendall(drip)
                time.sleep(0.02)
        assert received(link) == b""
        assert time.monotonic() - began < 2


def test_each_request_of_a_connection_has_its_own_time():
    with raw() as connect:
        link, wanted = connect()
        for _ in range(3):
            link.sendall(wanted.replace(b"GET", b"HEAD"))
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(0.1)
        assert received(link) == b""  # then it is dropped


def test_so_many_at_a_time_and_the_next_is_closed():
    with raw(request_s=1.0) as connect:
        held = [connect() for _ in range(2)]
        for link, wanted in held:
            link.sendall(wanted)
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
        assert received(connect()[0]) == b""
        held[0][0].close()
        for _ in range(100):
            link, wanted = connect()
            with contextlib.suppress(ConnectionError):
                link.sendall(wanted)
                if link.recv(4096).startswith(b"HTTP/1.1 200"):
                    return
            time.sleep(0.02)
        pytest.fail("a place that became free was not given away")


def test_a_bundle_without_code_is_served_with_its_header(bundle):
    manifest = Manifest.load(bundle)
    assert server.HEADER not in manifest.files
    served = server.served_files(bundle)
    assert served[f"/bundle/{server.HEADER}"] == spec_header(read_front_end(manifest, bundle)).encode()


def test_what_is_missing_is_named(bundle, tmp_path):
    with pytest.raises(BridgeError, match="expected a bundle folder, found none"):
        server.served_files(tmp_path / "none")
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][NETWORK_FILE]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BridgeError, match=r"bundle: it has no mmq_network\.bin, .*: export its run again"):
        server.served_files(folder)


def test_a_port_that_is_taken(bundle):
    files = server.served_files(bundle)
    with (
        server.make_server(files, 0) as running,
        pytest.raises(BridgeError, match="choose another with --port"),
    ):
        server.make_server(files, running.server_port)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted():
    command = [
        sys.executable,
        "-u",
        "-m",
        "mmq_tf",
        "companion",
        "--pretrained",
        "wrist-stress",
        "--no-browser",
    ]
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores SIGINT, and so would what it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            assert address is not None
            with urllib.request.urlopen(address.group()) as answer:
                assert b"mmq-tf companion" in answer.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert process.stderr.read() == "stopped.\n"
        finally:
            process.kill()


def test_no_lock_file_names_a_registry():
    locks = list(build.HERE.parents[2].glob("tests/**/companion/package-lock.json"))
    assert locks
    for lock in locks:
        packages = json.loads(lock.read_text())["packages"]
        assert "resolved" not in lock.read_text()
        assert all("integrity" in entry for name, entry in packages.items() if name)


def test_the_committed_core_is_built_from_these_sources():
    """After a change of the core: ``python -m mmq_bridge.companion``."""
    assert build.recorded(build.WASM.read_bytes())[0] == build.source_digest()


@pytest.mark.slow
def test_the_committed_core_is_what_clang_makes(tmp_path):
    target = next(target for target in TARGETS if target.runner == "node")
    if missing([target]) or shutil.which("wasm-opt") is None:
        pytest.skip("clang for WebAssembly or wasm-opt is not installed: make targets, apt install binaryen")
    made = build.build(tmp_path / "core.wasm").read_bytes()
    if build.recorded(made)[1] != build.recorded(build.WASM.read_bytes())[1]:
        pytest.skip(
            "another clang or wasm-opt than the committed module's: the page's tests compare its bits"
        )
    assert made == build.WASM.read_bytes()
