# SPDX-License-Identifier: Apache-2.0
"""`pack --for web` of a bundle without code: an npm package with the bits of `mmq-bridge stream`."""

import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import invoke
from e4_exports import write_e4
from mmq_bridge.cli import cli
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.replay import steps
from mmq_bridge.errors import BridgeError
from mmq_bridge.packing.package import pack_bundle
from mmq_bridge.recordings.e4 import read_e4

from mmq_tf import pretrained

SHIPPED = pretrained.path("wrist-stress")
NAME = "mmq-wrist-stress"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def installed(install, packed_model):
    return install(packed_model)


@pytest.fixture(scope="module")
def session(tiny, tmp_path_factory):
    """15 minutes of SIMULATED sensors, EDA lost for a while, and the lines of `mmq-bridge stream`."""
    signals = tiny.signals(900.0)
    signals["eda"].samples[:, 4 * 600 : 4 * 720] = 0
    folder = write_e4(tmp_path_factory.mktemp("e4") / "S99", signals)
    done = invoke(cli, "stream", str(SHIPPED), "--replay", str(folder), "--json", "--display", "30")
    worn = [
        {
            "nowS": now_s,
            "chunks": [
                {"name": name, "samples": samples.tobytes().hex(), "timeS": time_s}
                for name, samples, time_s in chunks
            ],
        }
        for now_s, chunks in steps(read_e4(folder).signals)
    ]
    given = {"steps": worn, "displayS": 30, "simulated": False, "startedUnixS": 1700000000}
    return given, [json.loads(line) for line in done.output.splitlines()]


def check(session, said):
    wanted = session[1]
    assert [json.loads(line) for line in said["lines"]] == wanted
    assert sum(bool(line["probabilities"]) for line in wanted) > 60
    assert {"eda": ["range"]} in [line["absent"] for line in wanted]


WEAR = f"""
import {{ readFileSync }} from "node:fs";
import * as mmq from "{NAME}";
import {{ wear }} from "./wear.mjs";
const session = JSON.parse(readFileSync(0, "utf8"));
const {{ names }} = await mmq.load();
process.stdout.write(JSON.stringify({{ ...(await wear(mmq, mmq.files, session)), names }}));
"""


def test_node_decides_as_stream_does(installed, session):
    said = installed.run(WEAR, session[0])
    check(session, said)
    assert said["names"] == ["ppg", "eda", "temp", "acc"]


def test_a_browser_decides_as_stream_does(browser, serve, packed_model, session):
    """From a folder that is served as it is: the package's own files, and none of the page's bundle."""
    paths = [path for path in packed_model.rglob("*") if path.is_file()]
    files = {f"/model/{path.relative_to(packed_model).as_posix()}": path.read_bytes() for path in paths}
    files["/wear.js"] = (HERE / "wear.mjs").read_bytes()
    check(session, browser("wearing", serve(SHIPPED, files), session=session[0], entry="/model/index.js"))


def test_what_npm_would_publish(installed, packed_model):
    packed = installed.folder / "node_modules" / NAME
    names = {path.relative_to(packed).as_posix() for path in packed.rglob("*") if path.is_file()}
    there = {path.relative_to(packed_model).as_posix() for path in packed_model.rglob("*") if path.is_file()}
    assert names == there - {"mmq_package.txt"}
    assert (packed / "bundle" / "manifest.json").read_bytes() == (SHIPPED / "manifest.json").read_bytes()
    assert "@" not in (packed / "files.js").read_text() + (packed / "package.json").read_text()
    (loaded,) = re.findall(r"loads (\d+) KB", (packed / "README.md").read_text())
    assert 60 < int(loaded) < 120


def test_what_cannot_be_packed_gets_a_sentence(tmp_path):
    folder, out = shutil.copytree(SHIPPED, tmp_path / "bundle"), tmp_path / "out"
    content = (folder / NETWORK_FILE).read_bytes()
    (folder / NETWORK_FILE).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BridgeError, match=f"{NETWORK_FILE}: its SHA-256 is not the manifest"):
        pack_bundle(folder, out, ("web",))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][NETWORK_FILE]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BridgeError, match=f"bundle: it has no {NETWORK_FILE}, .*: export its run again"):
        pack_bundle(folder, out, ("web",))
    with pytest.raises(BridgeError, match="prefix: web packages have none"):
        pack_bundle(folder, out, ("web",), prefix="left")
    assert not out.exists()
