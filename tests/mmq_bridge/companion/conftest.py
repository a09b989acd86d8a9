# SPDX-License-Identifier: Apache-2.0
"""Chromium, driven by playwright-core, and npm: what they need, or a skip that says what is missing."""

import json
import shutil
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import invoke
from mmq_bridge.cli import cli
from mmq_bridge.companion.server import ADDRESS, make_server, served_files

from mmq_tf import pretrained

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node():
    """Node.js, or a skip."""
    found = shutil.which("node")
    return found or pytest.skip("node is not installed: make companion")


@dataclass(frozen=True)
class App:
    """A folder in which one npm package is installed."""

    folder: Path

    def run(self, program, given=None):
        """Run a program in Node.js: JSON in, JSON out."""
        (self.folder / "run.mjs").write_text(program)
        command = ["node", "run.mjs"]
        text = json.dumps(given)
        done = subprocess.run(
            command, cwd=self.folder, input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def check_types(self, *programs):
        """Let TypeScript check programs; nothing is written."""
        compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
        if not compiler.is_file():
            pytest.skip("typescript is not installed: make companion")
        for program in programs:
            shutil.copy(program, self.folder)
        options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022"]
        options += ["--module", "nodenext", "--lib", "es2022,dom", "--skipLibCheck", "false"]
        command = ["node", str(compiler), *options, *(program.name for program in programs)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def install(node, tmp_path_factory):
    """A function that packs a folder as npm would publish it, and installs that in an app of its own."""
    npm = shutil.which("npm") or pytest.skip("npm is not installed: make companion")

    def installed(package):
        app = App(tmp_path_factory.mktemp("app"))
        command = [npm, "pack", "--silent", "--pack-destination", str(app.folder)]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
        with tarfile.open(app.folder / done.stdout.strip()) as archive:
            archive.extractall(app.folder / "node_modules", filter="data")
        name = json.loads((package / "package.json").read_text())["name"]
        (app.folder / "node_modules" / "package").rename(app.folder / "node_modules" / name)
        (app.folder / "package.json").write_text('{"type": "module"}')
        shutil.copy(HERE / "wear.mjs", app.folder)
        return app

    return installed


@pytest.fixture(scope="session")
def packed_model(tmp_path_factory):
    """The shipped bundle, which has no code, as `pack --for web` writes it."""
    out = tmp_path_factory.mktemp("web") / "package"
    pack = invoke(cli, "pack", str(pretrained.path("wrist-stress")), "--for", "web", "--out", str(out))
    assert pack.output == f"{out}: web package\n"
    return out


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
