# SPDX-License-Identifier: Apache-2.0
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from functools import partial

import pytest
from command_line import invoke
from mmq_bridge.companion import build, litert, server
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import read_front_end
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.table import TARGETS
from mmq_bridge.targets.tools import missing

from mmq_tf import pretrained
from mmq_tf.cli import cli


@pytest.fixture
def bundle():
    """The bundle that comes with the package; it has no code."""
    return pretrained.path("wrist-stress")


@pytest.fixture
def fake_litert(tmp_path):
    """Files with LiteRT's names: the server does not look into them."""
    folder = tmp_path / "@litertjs"
    for name in (*server.LITERT_FILES, "core/wasm/litert.wasm"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.fixture
def ask(bundle, fake_litert):
    """A function that asks a running server: path and host in, status, headers and body out."""
    with server.make_server(server.served_files(bundle, fake_litert), 0) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()

        def get(path, host=None, method="GET"):
            connection = http.client.HTTPConnection(server.ADDRESS, running.server_port)
            with contextlib.closing(connection):
                connection.request(method, path, headers={"Host": host or f"localhost:{running.server_port}"})
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()

        yield get
        running.shutdown()


def test_the_page_may_talk_only_to_where_it_came_from(ask):
    status, headers, body = ask("/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["style-src"] == "'self'"
    assert re.fullmatch(r"'self' 'wasm-unsafe-eval' 'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
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


def test_a_file_that_vanished_is_not_there(ask, fake_litert):
    (fake_litert / "core/wasm/litert.wasm").unlink()
    assert ask("/litert/core/wasm/litert.wasm")[0] == 404


def test_a_bundle_without_code_is_served_with_its_header(bundle, fake_litert):
    manifest = Manifest.load(bundle)
    assert server.HEADER not in manifest.files
    served = server.served_files(bundle, fake_litert)
    assert served[f"/bundle/{server.HEADER}"] == spec_header(read_front_end(manifest, bundle)).encode()


def test_what_is_missing_is_named(bundle, fake_litert, tmp_path):
    with pytest.raises(BridgeError, match="expected a bundle folder, found none"):
        server.served_files(tmp_path / "none", fake_litert)
    (fake_litert / server.LITERT_FILES[0]).unlink()
    with pytest.raises(BridgeError, match="LiteRT for the browser is not complete"):
        server.served_files(bundle, fake_litert)
    with pytest.raises(BridgeError, match="mmq-bridge companion --install"):
        litert.litert_folder(tmp_path)


def test_a_port_that_is_taken(bundle, fake_litert):
    files = server.served_files(bundle, fake_litert)
    with (
        server.make_server(files, 0) as running,
        pytest.raises(BridgeError, match="choose another with --port"),
    ):
        server.make_server(files, running.server_port)


def test_npm_is_missing_or_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BridgeError, match="npm is not installed"):
        litert.install(tmp_path / "runtime")
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error no network >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(BridgeError, match=r"npm ci failed \(npm error no network\)"):
        litert.install(tmp_path / "runtime")
    with pytest.raises(BridgeError, match="not installed"):
        litert.litert_folder(tmp_path / "runtime")


def test_the_command_says_what_to_do_first(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path))
    with pytest.raises(BridgeError, match="run once: mmq-tf companion --install"):
        invoke(cli, "companion", bundle, "--no-browser", catch_exceptions=False)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(fake_litert, tmp_path):
    runtime = tmp_path / "cache" / "companion"
    shutil.copytree(fake_litert, runtime / "node_modules" / "@litertjs")
    shutil.copy(litert.HERE / "package-lock.json", runtime)
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
        env={**os.environ, "MMQ_CACHE": str(tmp_path / "cache")},
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
    for lock in (
        litert.HERE / "package-lock.json",
        *build.HERE.parents[2].glob("tests/**/companion/package-lock.json"),
    ):
        packages = json.loads(lock.read_text())["packages"]
        assert "resolved" not in lock.read_text()
        assert all("integrity" in entry for name, entry in packages.items() if name)


def test_the_committed_core_is_built_from_these_sources():
    """After a change of the core: ``python -m mmq_bridge.companion``."""
    assert build.recorded(build.WASM.read_bytes())[0] == build.source_digest()


@pytest.mark.slow
def test_the_committed_core_is_what_clang_makes(tmp_path):
    target = next(target for target in TARGETS if target.runner == "node")
    if missing([target]):
        pytest.skip("clang for WebAssembly is not installed: make targets")
    made = build.build(tmp_path / "core.wasm").read_bytes()
    if build.recorded(made)[1] != build.recorded(build.WASM.read_bytes())[1]:
        pytest.skip("another clang than the committed module's: the page's tests compare its bits")
    assert made == build.WASM.read_bytes()
