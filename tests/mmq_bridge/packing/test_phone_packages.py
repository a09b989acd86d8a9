# SPDX-License-Identifier: Apache-2.0
"""Packages for apps: Kotlin compiled and run, Swift parsed and its C run, with Python's decisions."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.errors import BridgeError
from mmq_bridge.gatt.phone_source import kotlin, swift
from mmq_bridge.gatt.profile import profile
from mmq_bridge.gatt.source import KOTLIN, SWIFT
from mmq_bridge.packing.package import pack_bundle
from mmq_bridge.source_files import SOURCES

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"
STAND_INS = Path(__file__).parent / "phones"
NAMES = ("ppg", "eda", "temp", "acc")
RESTART_S, LENGTH_S = 100, 700
TIMED, COUNTED, FRAME = range(3)
Chunk = tuple[str, int, np.ndarray, float]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle with a table of the next sensor, and harder to convince."""
    folder = tmp_path_factory.mktemp("bundle") / "wrist"
    shutil.copytree(SHIPPED, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    gain = np.random.default_rng(3).integers(1, 255, (16, 4)).tolist()
    manifest["decision"] |= {"next_sensor": gain, "min_confidence": {"stress": 0.75}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def packages(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("phones")
    for kind in ("android", "swift"):
        pack_bundle(bundle, out / kind, (kind,))
    return {kind: out / kind for kind in ("android", "swift")}


def run(command: list[str], folder: Path, given: bytes = b"") -> str:
    environment = {
        **os.environ,
        "JAVA_HOME": str(Path(shutil.which("javac") or "/none").resolve().parents[1]),
    }
    done = subprocess.run(command, cwd=folder, input=given, env=environment, capture_output=True, timeout=500)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    assert b"WARNING in native" not in done.stdout
    return done.stdout.decode()


# ---- a session: what the sensors deliver, and what Python decides about it


@functools.cache
def session() -> list[Chunk | None]:
    """Made-up sensors; None: the app is started again. PPG is off for a while, motion has a gap."""
    rng, chunks, began = np.random.default_rng(7), list[Chunk | None](), 0
    for second in range(LENGTH_S):
        if second == RESTART_S:
            chunks.append(None)
            began = second
        at = float(second - began)
        t = at + np.arange(64) / 64
        if not 620 <= second < 665:
            pulse = 50 * np.sin(2 * np.pi * 1.2 * t) + 20 * np.sin(2 * np.pi * 2.4 * t)
            chunks.append(("ppg", TIMED, (pulse[None]).astype(np.float32), at))
        skin = 2 + 0.3 * np.sin(t[::16] / 7) + rng.normal(0, 0.01, 4)
        chunks.append(("eda", TIMED, (skin[None]).astype(np.float32), at))
        chunks.append(("temp", COUNTED, (33 + rng.normal(0, 0.01, (1, 4))).astype(np.float32), at * 4))
        if not 640 <= second < 648:
            times = at + (np.arange(50) + rng.uniform(-0.2, 0.2, 50)) / 50 + 0.01
            moved = (rng.normal(0, 0.05, (50, 3, 1)) + 0.5).astype(np.float32)
            chunks += [("acc", FRAME, moved[i], float(times[i])) for i in range(50)]
    return chunks


class Line:
    """The model's frames on the line through those of a sensor with a rate of its own."""

    def __init__(self, rate_hz: float, longest_s: float) -> None:
        self.rate_hz, self.longest_s = rate_hz, longest_s
        self.last_s, self.last, self.first_s, self.number = -np.inf, np.empty(0), 0.0, 0

    def frames(self, frame: np.ndarray, time_s: float) -> Iterator[tuple[np.ndarray, float]]:
        if time_s - self.last_s > self.longest_s:
            self.last_s, self.last, self.first_s, self.number = time_s, frame, time_s, 0
        while (at_s := self.first_s + self.number / self.rate_hz) <= time_s:
            span_s = time_s - self.last_s
            weight = np.float32((at_s - self.last_s) / span_s if span_s else 1.0)
            yield self.last + (frame - self.last) * weight, at_s
            self.number += 1
        self.last_s, self.last = time_s, frame


def pushed(device: Device, chunks: list[Chunk]) -> list[Decision]:
    line, made = Line(32.0, device.front_end.token_s), list[Decision]()
    for name, kind, values, at in chunks:
        if kind == FRAME:
            for frame, time_s in line.frames(values, at):
                made += device.take(name, frame, time_s)
        elif kind == COUNTED:
            made += device.push_counted(name, values, round(at))
        else:
            made += device.take(name, values, at)
    return made


def split(chunks: list[Chunk | None]) -> tuple[list[Chunk], list[Chunk]]:
    cut = chunks.index(None)
    return [c for c in chunks[:cut] if c], [c for c in chunks[cut:] if c]


@pytest.fixture(scope="module")
def wanted(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Decision], bytes]:
    """Python's decisions about the session, and the state at its end."""
    first, second = (Device.from_bundle(bundle, display_s=30.0) for _ in range(2))
    before, after = split(session())
    made = pushed(first, before)
    path = tmp_path_factory.mktemp("state") / "wearer.state"
    path.write_bytes(first.bridge.save())
    second.load_state(path)
    made += pushed(second, after)
    assert len(made) == LENGTH_S // 5
    assert {decision.reason and decision.reason.split(" (")[0] for decision in made} >= {None, "enrolling"}
    assert any("ppg" in decision.absent for decision in made)
    assert {decision.next_sensor for decision in made} == {None, "ppg"}
    assert len({tuple(decision.shown or {}) for decision in made}) == 2
    return made, second.bridge.save()


def same(found: dict[str, object], wanted: Decision) -> None:
    """Compare field by field, numbers as float32; the names are Python's in camel case."""
    fields = {field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted)}
    fields["classes"] = wanted.classes
    assert found == {camel(name): plain(value) for name, value in fields.items()}


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return np.float32(value) if isinstance(value, float) else value


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


# ---- Kotlin


@pytest.fixture(scope="module")
def compiler() -> list[Path]:
    """The jars of a Kotlin compiler, which `make phones` installs as part of a Jupyter kernel."""
    found = importlib.util.find_spec("run_kotlin_kernel")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no Kotlin compiler: make phones")
    return sorted(Path(found.submodule_search_locations[0]).glob("jars/*.jar"))


@pytest.fixture(scope="module")
def kotlin_run(packages: dict[str, Path], compiler: list[Path], tmp_path_factory: pytest.TempPathFactory):
    """Compile package, Checks.kt and stand-ins, the library by its CMakeLists; return what runs it."""
    if not (shutil.which("javac") and shutil.which("cmake") and shutil.which("gcc")):
        pytest.skip("no javac, cmake or gcc")
    folder, root = tmp_path_factory.mktemp("kotlin"), packages["android"]
    library = ["cmake", "-S", str(root / "mmq/src/main/cpp/android"), "-B", "so", "-DCMAKE_C_FLAGS=-Werror"]
    run(library, folder)
    run(["cmake", "--build", "so"], folder)
    (folder / "kotlin").mkdir()
    java = sorted(map(str, [*root.rglob("*.java"), *STAND_INS.rglob("*.java")]))
    run(["javac", "-nowarn", "-d", "java", *java], folder)
    libraries = [
        str(jar) for jar in compiler if jar.name.startswith(("kotlin-stdlib", "kotlin-jupyter-kernel"))
    ]
    path = os.pathsep.join(["java", "kotlin", *libraries])
    command = ["java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    command += ["-cp", os.pathsep.join(map(str, compiler)), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    sources = sorted(map(str, [*root.rglob("*.kt"), *STAND_INS.rglob("*.kt")]))
    run([*command, "-no-stdlib", "-no-reflect", "-Werror", "-cp", path, "-d", "kotlin", *sources], folder)

    def checks(how: str, given: bytes = b"") -> list[str]:
        words = ["java", "-Xcheck:jni", "-Djava.library.path=so", "-cp", path, "mmq.ChecksKt", how]
        return run(words, folder, given).splitlines()

    checks.library = folder / "so/libmmq_jni.so"  # type: ignore[attr-defined]
    return checks


def test_kotlin_decides_as_python_does(kotlin_run, wanted: tuple[list[Decision], bytes]) -> None:
    """Every field of every decision, over a restart of the app; the flow has what the pushes return."""
    given = b""
    for chunk in session():
        if chunk is None:
            given += struct.pack(">H", 0)
            continue
        name, kind, values, at = chunk
        given += struct.pack(">H", len(name)) + name.encode()
        given += struct.pack(">iidi", kind, values.shape[1], at, values.size) + values.astype(">f4").tobytes()
    *lines, state = kotlin_run("replay", given)
    assert len(lines) == len(wanted[0])
    for line, decision in zip(lines, wanted[0], strict=True):
        same(json.loads(line, parse_float=np.float32), decision)
    assert bytes.fromhex(json.loads(state)) == wanted[1]


def test_no_kotlin_callback_throws(kotlin_run) -> None:
    """Errors are results: wrong arguments, bad states, no sensor or permission, broken messages, closed."""
    decision, presence, state = (message.uuid for message in profile().messages.values())
    assert kotlin_run("faults") == [
        "displayS: expected 0 to 3600 s, got 3601.0",
        "12 state: the state is cut short",
        "Success([])",
        "ppg: the memory is too small",
        "acc: the memory is too small",
        "advance: the time is not finite, beyond +-4e9 s or over ten days ahead of all that came",
        "true",
        "eda: the time is not finite, beyond +-4e9 s or over ten days ahead of all that came",
        "every 31250 us",
        "ecg: the model does not use it",
        "[Bluetooth: BLUETOOTH_CONNECT is missing]",
        f"[Bluetooth: {presence} cannot notify, Bluetooth: no notifications (status 133), Decision, State, "
        f"Bluetooth: {state} sent no message of profile 1, Bluetooth: the connection ended (status 8)]",
        "2 writes, closed true",
        f"[Bluetooth: the device does not have the service {profile().service}]",
        "[temp 33.25 at 1.0, temp 33.5 at 2.0, temp 31.0 at 9.0]",
        "[Health Connect: no permission]",
        "false",
        "the bridge was closed",
    ]
    assert decision


def test_kotlin_reads_the_gatt_profile(kotlin_run) -> None:
    table, rng, lines, expected = profile(), np.random.default_rng(1), [], []
    for message in table.messages.values():
        for _ in range(8):
            content = bytes([table.version, *rng.integers(256, size=message.size + 2, dtype=np.uint8)])
            lines.append(f"{message.uuid} {content.hex()}")
            expected.append(
                {camel(name): value for name, value in table.decode(message.name, content).items()}
            )
        lines += [f"{message.uuid} {'01' * (message.size - 1)}", f"{message.uuid} {'02' * message.size}"]
        expected += [None, None]
    found = kotlin_run("gatt", "\n".join([*lines, f"{table.service} {'01' * 15}"]).encode())
    assert [json.loads(line) for line in found] == [*expected, None]


def test_the_library_fits_pages_of_16_kb(kotlin_run) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("no readelf")
    said = run(["readelf", "-lW", str(kotlin_run.library)], kotlin_run.library.parent)
    segments = [line.split() for line in said.splitlines() if line.lstrip().startswith("LOAD")]
    assert len(segments) >= 2
    assert {int(words[-1], 16) for words in segments} == {0x4000}
    exported = run(["nm", "-D", "--defined-only", str(kotlin_run.library)], kotlin_run.library.parent)
    assert {line.split()[-1].rpartition("_")[0] for line in exported.splitlines()} == {"Java_mmq_MmqBridge"}


# ---- Swift


def clang_flags() -> list[str]:
    """Say that there are fused multiply-adds, as arm64 has them, where this machine does."""
    cpu = Path("/proc/cpuinfo")
    return ["-mfma"] if cpu.is_file() and " fma " in cpu.read_text() else []


def test_the_c_target_of_swift_decides_as_python_does(
    packages: dict[str, Path], wanted: tuple[list[Decision], bytes], tmp_path: Path
) -> None:
    """Without any flag for contraction: each file says it."""
    if shutil.which("clang") is None:
        pytest.skip("no clang")
    target = packages["swift"] / "Sources/CMmq"
    includes = [f"-I{target / name}" for name in ("include", "model", "src")]
    sources = sorted(map(str, target.rglob("*.c")))
    flags = ["-std=c99", "-fPIC", "-shared", "-Wall", "-Werror", *includes]
    run(["clang", "-O1", *clang_flags(), *flags, *sources, "-lm", "-o", "device.so"], tmp_path)
    library = ctypes.CDLL(str(tmp_path / "device.so"))
    for name, kind in (("create", ctypes.c_void_p), ("time_s", ctypes.c_double), ("class", ctypes.c_char_p)):
        getattr(library, f"mmq_device_{name}").restype = kind
    found, device, probability = [], None, (ctypes.c_float * 2)()
    state = (ctypes.c_uint8 * library.mmq_device_state_bytes())()
    for chunk in [None, *session()]:
        if chunk is None:
            again = ctypes.c_void_p(library.mmq_device_create(ctypes.c_double(30.0)))
            assert device is None or library.mmq_device_save(device, state, ctypes.c_int64(len(state))) == 0
            assert device is None or library.mmq_device_load(again, state, ctypes.c_int64(len(state))) == 0
            device = again
            continue
        name, kind, values, at = chunk
        room = np.ascontiguousarray(values).ctypes.data_as(ctypes.c_void_p)
        head = device, NAMES.index(name), room, ctypes.c_int64(values.size)
        if kind == FRAME:
            assert library.mmq_device_sample(*head, ctypes.c_double(at)) in (0, 6)
        elif kind == COUNTED:
            assert library.mmq_device_push_counted(*head, values.shape[1], round(at)) == 0
        else:
            assert library.mmq_device_push(*head, values.shape[1], ctypes.c_double(at)) == 0
        while library.mmq_device_step(device) == 0:
            count = library.mmq_device_probabilities(device, 0, probability, ctypes.c_int64(2))
            text = ctypes.create_string_buffer(160)
            assert library.mmq_device_reason(device, text, ctypes.c_int64(160)) == 0
            time_s = library.mmq_device_time_s(device)
            found.append((time_s, text.value.decode() or None, list(probability[:count])))
    assert found == [
        (one.time_s, one.reason, [p for values in one.probabilities.values() for p in values.values()])
        for one in wanted[0]
    ]
    assert library.mmq_device_save(device, state, ctypes.c_int64(len(state))) == 0
    assert bytes(state) == wanted[1]


PARSERS = {".swift": "tree_sitter_swift", ".kts": "tree_sitter_kotlin", ".kt": "tree_sitter_kotlin"}


@pytest.mark.parametrize("suffix", PARSERS)
def test_swift_and_gradle_parse(suffix: str, packages: dict[str, Path]) -> None:
    language = pytest.importorskip(PARSERS[suffix], reason="no parser: make phones")
    tree_sitter = pytest.importorskip("tree_sitter")
    parser = tree_sitter.Parser(tree_sitter.Language(language.language()))
    assert parser.parse(b"let = = 3 (").root_node.has_error
    paths = [path for root in packages.values() for path in root.rglob(f"*{suffix}")]
    paths += (SOURCES / "mobile").rglob(f"*{suffix}")
    assert len(paths) >= 4
    wrong = [path.name for path in paths if parser.parse(path.read_bytes()).root_node.has_error]
    assert wrong == []


# ---- what needs no compiler


def test_both_have_every_field_of_a_decision() -> None:
    wanted = {camel(field.name) for field in dataclasses.fields(Decision)} | {"classes"}
    android = (SOURCES / "mobile/android/mmq/Decision.kt").read_text().partition("class Fault")[0]
    apple = (SOURCES / "mobile/ios/Decision.swift").read_text().partition("enum WearableError")[0]
    assert set(re.findall(r"^ +val (\w+):", android, re.M)) - {"notice"} == wanted
    assert set(re.findall(r"^  public (?:let|var) (\w+)(?=:| =)", apple, re.M)) - {"notice"} == wanted


def test_the_messages_are_those_of_the_table() -> None:
    assert KOTLIN.read_text() == kotlin(profile())
    assert SWIFT.read_text() == swift(profile())


def test_the_gradle_module_has_what_a_store_asks_for(packages: dict[str, Path]) -> None:
    module = packages["android"] / "mmq"
    text = (module / "build.gradle.kts").read_text()
    assert '"arm64-v8a", "armeabi-v7a", "x86_64"' in text
    assert 'consumerProguardFiles("consumer-rules.pro")' in text
    cmake = re.search(r'path = file\("(.*)"\)', text)
    assert cmake
    assert (module / cmake[1]).is_file()
    assert "-keep class mmq.MmqBridge" in (module / "consumer-rules.pro").read_text()
    service = (packages["android"] / "sample/src/main/AndroidManifest.xml").read_text()
    assert 'foregroundServiceType="health"' in service
    assert "android.permission.FOREGROUND_SERVICE_HEALTH" in service


def test_no_package_holds_the_accelerators_part_or_a_place_left_open(packages: dict[str, Path]) -> None:
    for root in packages.values():
        files = [path for path in root.rglob("*") if path.is_file()]
        assert not [path for path in files if path.name.lower().startswith("litert")]
        assert not [path for path in files if re.search(rb"@[A-Z_]{3,}@", path.read_bytes())]
        assert (root / "README.md").read_text().startswith("Not built by ")


@pytest.mark.parametrize("kinds", [(), ("swift",), ("cmake", "android")])
def test_phones_have_no_prefix(kinds: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match=r"prefix: .*(android|swift).* packages have none"):
        pack_bundle(SHIPPED, tmp_path / "p", kinds, prefix="left")
    assert not (tmp_path / "p").exists()
