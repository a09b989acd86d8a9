# SPDX-License-Identifier: Apache-2.0
"""Chromium, driven by playwright-core: what it needs, or a skip that says what is missing."""

import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from mmq_bridge.companion.server import ADDRESS, make_server, served_files

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node():
    """Node.js, or a skip."""
    found = shutil.which("node")
    return found or pytest.skip("node is not installed: make companion")


@pytest.fixture(scope="session")
def browser(node):
    """A function that plays a scenario in Chromium and returns its result; nothing may leave this machine."""
    chromium = shutil.which("chromium")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    if chromium is None or not all((HERE / "node_modules" / name).is_dir() for name in wanted):
        pytest.skip("chromium or what drives it is not installed: make companion")
    command = [node, str(HERE / "drive.mjs"), chromium]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        to_driver, from_driver = driver.stdin, driver.stdout
        assert to_driver is not None
        assert from_driver is not None

        def play(scenario, url, **given):
            to_driver.write(json.dumps({"scenario": scenario, "url": url, **given}) + "\n")
            to_driver.flush()
            answer = json.loads(from_driver.readline())
            assert "failed" not in answer, answer["failed"]
            assert scenario == "leak" or answer["errors"] == []
            local = (url, "data:", "blob:")
            assert [address for address in answer["requests"] if not address.startswith(local)] == []
            return answer["result"]

        yield play
        to_driver.close()


@pytest.fixture(scope="session")
def serve():
    """A function that serves a bundle, and more files by their address, and returns its own."""
    servers = []

    def start(bundle, more=None):
        server = make_server(served_files(Path(bundle)) | (more or {}), 0)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://{ADDRESS}:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
