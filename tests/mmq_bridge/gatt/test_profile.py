# SPDX-License-Identifier: Apache-2.0
"""The GATT profile: the same bytes in C, Python and JavaScript; a client with a fake adapter."""

import asyncio
import json
import logging
import shutil
import subprocess
import uuid
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.gatt.client import listen
from mmq_bridge.gatt.profile import Profile, profile
from mmq_bridge.gatt.source import HEADER, MODULE, header, module, page

FOLDER = HEADER.parent
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", f"-I{FOLDER}")


def drawn(table: Profile, count: int = 40) -> list[tuple[str, dict[str, float]]]:
    """Messages of all kinds: the least, the greatest and random numbers."""
    rng, out = np.random.default_rng(1), []
    for n in range(count):
        for name, message in table.messages.items():
            numbers = [(0, f.most, int(rng.integers(f.most + 1)))[min(n, 2)] for f in message.fields]
            pairs = zip(message.fields, numbers, strict=True)
            out.append((name, {f.name: k / f.scale if f.scale else k for f, k in pairs}))
    return out


def test_the_table_fits_any_link_and_its_uuids_differ() -> None:
    table = profile()
    uuids = [table.service, *(message.uuid for message in table.messages.values())]
    assert len({uuid.UUID(text) for text in uuids}) == 4
    assert [message.size for message in table.messages.values()] == [15, 10, 13]


def test_python_gives_back_what_it_was_given() -> None:
    table = profile()
    for name, values in drawn(table):
        content = table.encode(name, values)
        assert len(content) == table.messages[name].size
        assert table.decode(name, content + b"later") == values


def test_exact_bytes_of_a_decision() -> None:
    values = {"task": 1, "abstention": 4, "best": 2, "confidence": 1.0, "time_s": 0x01020304}
    values |= {"tokens_left": 300, "present_share": 0.5, "not_enrolled": 5}
    content = profile().encode("decision", values)
    assert content.hex() == "01010402ffff040302012c01800500"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": 256}, "task must be a whole number from 0 to 255, got 256"),
        ({"task": 0.5}, "task must be a whole number"),
        ({"confidence": 1.01}, "confidence must be 0 to 1, got 1.01"),
        ({"confidence": float("nan")}, "confidence must be 0 to 1, got nan"),
        ({"other": 1}, "expected task, abstention"),
    ],
)
def test_what_cannot_be_written_is_refused(change: dict[str, float], said: str) -> None:
    values = dict(drawn(profile(), 1)[0][1])
    with pytest.raises(BridgeError, match=f"decision: {said}"):
        profile().encode("decision", values | change)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\1" * 14, "expected 15 bytes, got 14"), (b"\2" * 15, "expected version 1 of the profile, got 2")],
)
def test_what_cannot_be_read_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BridgeError, match=said):
        profile().decode("decision", content)


def test_header_and_module_are_what_the_table_gives() -> None:
    assert HEADER.read_text("utf-8") == header(profile()), "run python -m mmq_bridge.gatt.source"
    assert MODULE.read_text("utf-8") == module(profile()), "run python -m mmq_bridge.gatt.source"
    text = (Path(__file__).parents[3] / "docs" / "gatt.md").read_text("utf-8")
    assert text == page(profile()), "run python -m mmq_bridge.gatt.source docs/gatt.md"


@pytest.mark.parametrize(("compiler", "flags"), [("gcc", ("-std=c99",)), ("g++", ("-std=c++17", "-xc++"))])
def test_c_reads_and_writes_the_same_bytes(compiler: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    """It decodes what Python encoded, and encodes that again."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    table, cases = profile(), ""
    for index, (name, message) in enumerate(table.messages.items()):
        cases += f"""
        if (head[0] == {index}) {{
            mmq_gatt_{name}_t m;
            if (mmq_gatt_get_{name}(&m, in, {message.size - 1})) return 3;
            if (!mmq_gatt_get_{name}(&m, in, head[1])) return 4;
            mmq_gatt_put_{name}(&m, out);
        }}"""
    (tmp_path / "echo.c").write_text(
        '#include "mmq_gatt.h"\n#include <stdio.h>\nint main(void) {\n'
        "    uint8_t head[2], in[32], out[32];\n    while (fread(head, 1, 2, stdin) == 2) {\n"
        f"        if (fread(in, 1, head[1], stdin) != head[1]) return 2;{cases}\n"
        "        fwrite(out, 1, head[1], stdout);\n    }\n    return 0;\n}\n"
    )
    command = [compiler, *flags, *STRICT, "echo.c", "-o", "echo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names, sent, wanted = list(table.messages), b"", b""
    for name, values in drawn(table):
        content = table.encode(name, values)
        sent += bytes([names.index(name), len(content)]) + content
        wanted += content
    back = subprocess.run([tmp_path / "echo"], input=sent, capture_output=True, check=True)
    assert back.stdout == wanted


ECHO = """
import { readFileSync } from "node:fs";
const { decode, encode, InputError } = await import(process.argv[2]);
const sent = JSON.parse(readFileSync(0));
const refused = (run) => {
  try {
    run();
    return 0;
  } catch (error) {
    return Number(error instanceof InputError);
  }
};
const out = sent.map(([name, values, hex]) => {
  const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
  const no = [
    () => decode(name, bytes.slice(1)),
    () => decode(name, bytes.map(() => 9)),
    () => encode(name, { ...values, time_s: -1 }),
    () => encode(name, {}),
  ].map(refused);
  const written = Buffer.from(encode(name, values)).toString("hex");
  return [decode(name, new DataView(bytes.buffer)), written, no.reduce((a, b) => a + b)];
});
process.stdout.write(JSON.stringify(out));
"""


def test_javascript_reads_and_writes_the_same(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("no node")
    table = profile()
    sent = [[name, values, table.encode(name, values).hex()] for name, values in drawn(table)]
    (tmp_path / "echo.mjs").write_text(ECHO)
    done = subprocess.run(
        ["node", "echo.mjs", str(MODULE.with_name("index.js"))],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for (_, values, text), (read, written, refused) in zip(sent, json.loads(done.stdout), strict=True):
        assert (read, written, refused) == (values, text, 4)


class FakeClient:
    """Stands in for `bleak.BleakClient`: one device, which tells a little as soon as it is asked."""

    def __init__(self, address: str) -> None:
        self.address, self.log = address, []
        FakeClient.made = self

    async def __aenter__(self) -> "FakeClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.log.append("left")

    async def start_notify(self, uuid: str, callback) -> None:
        name = next(name for name, message in profile().messages.items() if message.uuid == uuid)
        values = next(values for other, values in drawn(profile(), 3)[-3:] if other == name)
        callback(None, bytearray(b"\1short"))
        callback(None, bytearray(profile().encode(name, values)))

    async def stop_notify(self, uuid: str) -> None:
        self.log.append(uuid)


def test_a_client_tells_what_the_device_says(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[tuple[str, dict[str, float]]] = []

    async def talk() -> None:
        until = asyncio.Event()
        until.set()
        await listen("AA:BB", lambda *told: heard.append(told), until, FakeClient)

    with caplog.at_level(logging.WARNING):
        asyncio.run(talk())
    assert heard == drawn(profile(), 3)[-3:]
    assert [record.message.partition(",")[0] for record in caplog.records][0].startswith(
        "AA:BB: decision: expected 15"
    )
    assert len(caplog.records) == 3
    assert FakeClient.made.log == [*(m.uuid for m in profile().messages.values()), "left"]


def test_without_bleak_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bleak", None)
    with pytest.raises(BridgeError, match=r"pip install 'mmq-bridge\[bluetooth\]'"):
        asyncio.run(listen("AA:BB", lambda *told: None, asyncio.Event()))
