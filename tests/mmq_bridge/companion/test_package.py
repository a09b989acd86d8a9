# SPDX-License-Identifier: Apache-2.0
"""The npm package `mmq-bridge` as it is packed: its files, its types, and the bits of `mmq-bridge stream`."""

import gzip
import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from e4_exports import write_e4
from mmq_bridge.cli import cli
from mmq_bridge.cli.show import decision_line
from mmq_bridge.companion.server import served_files
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import steps
from mmq_bridge.packing.web import HEADER, WASM, WEB
from mmq_bridge.recordings.e4 import read_e4

from mmq_tf import pretrained

HERE = Path(__file__).parent
READ = ("manifest.json", "frontend.json", HEADER, NETWORK_FILE)
"""What a device reads of a bundle."""


@pytest.fixture(scope="module")
def installed(install):
    """A folder in which the packed package is installed, as npm would."""
    return install(WEB)


def test_what_is_packed(installed):
    packed = installed.folder / "node_modules" / "mmq-bridge"
    names = {path.relative_to(packed).as_posix() for path in packed.rglob("*") if path.is_file()}
    sources = {f"src/{path.name}" for path in (WEB / "src").iterdir()}
    assert names == sources | {"package.json", "README.md", "LICENSE", "NOTICE", "index.d.ts", "core.wasm"}
    for name in ("LICENSE", "NOTICE"):
        assert (WEB / name).read_bytes() == (WEB.parent / name).read_bytes()
    package = json.loads((packed / "package.json").read_text())
    assert (package["name"], package["license"]) == ("mmq-bridge", "Apache-2.0")
    assert "dependencies" not in package
    assert all("https:" not in path.read_text() for path in (packed / "src").iterdir())


def test_a_program_loads_under_250_kb():
    """Code, core, network and the bundle's numbers of the wrist's model, packed as a server sends them."""
    served = served_files(pretrained.path("wrist-stress"))
    code = [path for path in (WEB / "src").iterdir() if path.name != "node.js"]
    parts = [path.read_bytes() for path in (*code, WASM)]
    for name in READ:
        found = served[f"/bundle/{name}"]
        parts.append(found if isinstance(found, bytes) else found.read_bytes())
    assert sum(len(gzip.compress(part)) for part in parts) < 120_000
    assert sum(map(len, parts)) < 250_000


def test_types_are_what_there_is(installed):
    text = (WEB / "index.d.ts").read_text()
    named = sorted(re.findall(r"^export (?:class|function|const) (\w+)", text, re.MULTILINE))
    program = """
        import * as mmq from "mmq-bridge";
        import * as page from "./node_modules/mmq-bridge/src/index.js";
        process.stdout.write(JSON.stringify([mmq, page].map((one) => Object.keys(one).sort())));
    """
    assert installed.run(program) == [named, named]
    body = text.split("interface Decision {")[1].split("\n}")[0]
    wanted = {field.name for field in fields(Decision)} | {"classes"}
    assert set(re.findall(r"^  (\w+):", body, re.MULTILINE)) == wanted


def test_types_check_programs(installed, packed_model):
    """Also one that uses a package with its model."""
    shutil.copytree(packed_model, installed.folder / "node_modules" / "mmq-wrist-stress")
    installed.check_types(HERE / "example.ts", HERE / "packed.ts")


def test_the_readmes_program_runs(installed, tiny_bundle):
    program = (WEB / "README.md").read_text().split("```js\n")[1].split("```")[0]
    (installed.folder / "try.mjs").write_text(program.replace("bundle/", tiny_bundle.as_posix()))
    done = subprocess.run(
        ["node", "try.mjs"], cwd=installed.folder, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 120, done.stderr
    assert lines[0] == "5 enrolling (0 of 12 tokens measured) {}"


def step_of(now_s, chunks):
    """Return a step of a replay for `wear.mjs`."""
    rows = [
        {"name": name, "samples": samples.tobytes().hex(), "timeS": time_s}
        for name, samples, time_s in chunks
    ]
    return {"nowS": now_s, "chunks": rows}


def replayed(device, signals):
    """Play signals to a device; yield each step as `wear.mjs` takes it, and what was decided by its end."""
    for now_s, chunks in steps(signals):
        made = [one for name, samples, time_s in chunks for one in device.push(name, samples, time_s)]
        yield step_of(now_s, chunks), made + device.advance(now_s - device.front_end.grace_s)


@pytest.fixture(scope="module")
def session(tiny, tiny_bundle, tmp_path_factory):
    """A session of five minutes, EDA lost for one of them, and the lines `mmq-bridge stream` prints of it."""
    signals = tiny.signals(300.0)
    signals["eda"].samples[:, 4 * 150 : 4 * 210] = 0
    folder = write_e4(tmp_path_factory.mktemp("e4") / "S99", signals)
    done = invoke(cli, "stream", str(tiny_bundle), "--replay", str(folder), "--json", "--display", "30")
    assert done.exit_code == 0, done.output
    device = Device.from_bundle(tiny_bundle)
    worn = [step_of(now_s, chunks) for now_s, chunks in steps(read_e4(folder).signals)]
    for _, chunks in steps(read_e4(folder).signals):
        for name, samples, time_s in chunks:
            device.push(name, samples, time_s)
    given = {"steps": worn, "displayS": 30, "simulated": True, "startedUnixS": 1700000000}
    return given, done.output.splitlines(), device


def check(session, said):
    _, lines, device = session
    wanted = [json.loads(line) for line in lines]
    assert [json.loads(line) for line in said["lines"]] == wanted
    assert sum(bool(line["shown"]) for line in wanted) > 20
    assert {"eda": ["range"]} in [line["absent"] for line in wanted]
    assert said["state"] == device.bridge.save().hex()
    assert not any(said["late"].values())


WEAR = """
import { readFileSync } from "node:fs";
import * as mmq from "mmq-bridge";
import { wear } from "./wear.mjs";
const [bundle, session] = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await wear(mmq, bundle, session)));
"""


@pytest.mark.parametrize("as_address", [False, True])
def test_node_decides_as_python(installed, session, tiny_bundle, as_address):
    source = tiny_bundle.as_uri() if as_address else str(tiny_bundle)
    check(session, installed.run(WEAR, [source, session[0]]))


OFF = {"eda": (100, 140), "ppg": (120, 180), "temp": (160, 230), "acc": (210, 260)}
"""From when to when each sensor delivers nothing, in s."""


def test_the_next_sensor_is_the_one_that_python_names(installed, tiny, tiny_bundle, tmp_path):
    """A bundle with a table of what each sensor would gain, and hard to convince."""
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text())
    gain = np.random.default_rng(3).integers(0, 255, (16, 4)).tolist()
    manifest["decision"] |= {"next_sensor": gain, "min_confidence": {"stress": 0.99}}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    signals = tiny.signals(300.0)
    for name, (start_s, stop_s) in OFF.items():
        rate = int(signals[name].sampling_rate_hz)
        signals[name].samples[:, start_s * rate : stop_s * rate] = np.nan
    worn, lines = [], []
    for step, decided in replayed(Device.from_bundle(bundle), signals):
        worn.append(step)
        lines += [decision_line(one, True, None) for one in decided]
    wanted = [json.loads(line) for line in lines]
    assert {line.get("next_sensor") for line in wanted} == {None, *OFF}
    said = installed.run(WEAR, [str(bundle), {"steps": worn, "displayS": 0, "simulated": True}])
    assert [json.loads(line) for line in said["lines"]] == wanted


MARKS = (
    (1200, "rest", 640, 760),
    (1200, "stress", 780, 900),
    (1300, "stress", 900, 960),
    (1300, "rest", 1000, 1200),
    (1400, "stress", 1210, 1400),
)


def test_marks_teach_as_in_python(installed, tiny, tmp_path):
    """The wrist's own personal head: decisions, what is asked for and the state's bytes, bit for bit."""
    folder = tmp_path / "wrist"
    for name, content in served_files(pretrained.path("wrist-stress")).items():
        if name.startswith("/bundle/"):
            path = folder / name.removeprefix("/bundle/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    device, lines, marked, worn = Device.from_bundle(folder), [], [], []
    for step, decided in replayed(device, tiny.signals(1500.0)):
        worn.append(step)
        lines += [decision_line(one, False, None) for one in decided]
        for at_s, label, start_s, stop_s in MARKS:
            if at_s == step["nowS"]:
                used, personal = device.mark(label, start_s, stop_s), device.personal
                assert personal is not None
                marked.append([used, (personal.asks() or "")[:25], personal.adapted])
    given = [dict(zip(("atS", "label", "startS", "stopS"), mark, strict=True)) for mark in MARKS]
    session = {"steps": worn, "displayS": 0, "simulated": False, "marks": given}
    said = installed.run(WEAR, [str(folder), session])
    assert [json.loads(line) for line in said["lines"]] == [json.loads(line) for line in lines]
    words = {None: "", "more": "Nothing is corrected yet:", "second": "Only one stretch of stres"}
    words["unhelpful"] = "Nothing is corrected: what"
    assert [[used, words[kind][:25], adapted] for used, kind, adapted in said["marked"]] == marked
    assert {row[2] for row in marked} == {False, True}
    device.save_state(tmp_path / "state")
    assert said["state"] == (tmp_path / "state").read_bytes().hex()


@pytest.mark.parametrize("is_worker", [False, True])
def test_a_browser_decides_as_python(browser, serve, session, tiny_bundle, is_worker):
    url = serve(tiny_bundle, {"/wear.js": (HERE / "wear.mjs").read_bytes()})
    check(session, browser("wearing", url, session=session[0], isWorker=is_worker))


REFUSALS = """
import { readFile } from "node:fs/promises";
import { BundleError, Device, InputError, MMQError, StateError } from "mmq-bridge";
import { readFileSync } from "node:fs";
const [good, slim] = JSON.parse(readFileSync(0, "utf8"));
const device = await Device.load(good);
const read = async (name) => new Uint8Array(await readFile(`${good}/${name}`));
const other = (wanted, change) => async (name) => (name === wanted ? change(await read(name)) : read(name));
const jobs = [
  () => Device.load(`${good}/none`),
  () => Device.load(slim),
  () => Device.load(other("mmq_network.bin", (bytes) => bytes.with(99, bytes[99] ^ 1))),
  () => Device.load(other("frontend.json", (bytes) => bytes.subarray(1))),
  () => Device.load(good, { displayS: -1 }),
  () => device.push("acc", new Float32Array(4), 0),
  () => device.push("acc", [[1], [2], [3, 4]], 0),
  () => device.push("ppg", null, 0),
  () => device.push("ppg", new Float32Array(64), NaN),
  () => device.pushCounted("ppg", new Float32Array(64), 0.5),
  () => device.advance(Infinity),
  () => device.loadState(new Uint8Array(9)),
  () => device.end() || device.push("ppg", new Float32Array(64), 0),
];
const said = [];
for (const job of jobs) {
  try {
    said.push(["", String(await job())]);
  } catch (error) {
    said.push([error instanceof MMQError ? error.name : "", error.message]);
  }
}
process.stdout.write(JSON.stringify(said));
"""


def test_what_cannot_be_is_refused_in_a_sentence(installed, tiny_bundle):
    slim = str(pretrained.path("wrist-stress"))
    said = installed.run(REFUSALS, [str(tiny_bundle), slim])
    wanted = [
        ("BundleError", r"none/manifest.json: cannot be read \(ENOENT\); export the bundle again\."),
        (
            "BundleError",
            r"mmq_spec.h: .* without its code; .* \(mmq-bridge pack BUNDLE --for web --out DIR\)",
        ),
        ("BundleError", r"mmq_network.bin: its SHA-256 is not the manifest's"),
        ("BundleError", r"frontend.json: expected \d+ bytes, found \d+"),
        ("InputError", r"displayS: expected 0 to 3600 s, got -1"),
        ("InputError", r"acc: expected 3 channel\(s\) of equally many numbers each"),
        ("InputError", r"acc: expected 3 channel"),
        ("InputError", r"ppg: expected 1 channel"),
        ("InputError", r"samples: "),
        ("InputError", r"ppg: expected a whole number as counter, got 0.5"),
        ("InputError", r"time: "),
        ("StateError", r"state: "),
        ("InputError", r"ppg: the device was ended; make another one"),
    ]
    assert [name for name, _ in said] == [name for name, _ in wanted]
    for (_, pattern), (_, sentence) in zip(wanted, said, strict=True):
        assert re.search(pattern, sentence), sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence
