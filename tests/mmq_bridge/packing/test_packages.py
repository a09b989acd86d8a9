# SPDX-License-Identifier: Apache-2.0
"""Every package compiles for a PC, a Cortex-M4F and an M33 and decides the same; its own tools accept it."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from mmq_bridge.cli import cli
from mmq_bridge.errors import BridgeError
from mmq_bridge.packing.contents import contents_of
from mmq_bridge.packing.kinds import KINDS, Kind
from mmq_bridge.packing.package import pack_bundle
from mmq_bridge.source_files import CORTEX_M, SOURCES

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"
STAND_INS = Path(__file__).parent / "stand_ins"
FIRMWARE = tuple(name for name, kind in KINDS.items() if kind.example)
NO_CONTRACTION = "-ffp-contract=off"
BOARD = ("-nostartfiles", "--specs=nano.specs", "--specs=rdimon.specs", f"-L{CORTEX_M}", "-Wl,--gc-sections")
EMULATOR = ("qemu-system-arm", "-nographic", "-monitor", "none", "-serial", "none", "-M", "mps2-an386")
EMULATOR += ("-icount", "shift=6,sleep=off", "-semihosting-config", "enable=on,target=native", "-kernel")


@dataclass(frozen=True)
class Machine:
    """A compiler with its flags; `command` runs what it links, where anything does."""

    c: str
    cpp: str
    flags: tuple[str, ...] = ()
    script: str = ""
    command: tuple[str, ...] | None = ()


def _arm(cpu: str, fpu: str) -> tuple[str, ...]:
    return (f"-mcpu={cpu}", f"-mfpu={fpu}", "-mthumb", "-mfloat-abi=hard")


_CROSS = ("arm-none-eabi-gcc", "arm-none-eabi-g++")
MACHINES = {
    "host": Machine("gcc", "g++"),
    "m4f": Machine(*_CROSS, _arm("cortex-m4", "fpv4-sp-d16"), "an386.ld", EMULATOR),
    "m33": Machine(*_CROSS, _arm("cortex-m33", "fpv5-sp-d16"), "an505.ld", None),
}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)[:300]}\n{(done.stderr + done.stdout)[-3000:]}"
    return done.stdout


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")


Compiled = Callable[[Kind, str], list[str]]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind; those for phones have tests of their own."""
    out = tmp_path_factory.mktemp("packages")
    return dict(zip(FIRMWARE, pack_bundle(SHIPPED, out, FIRMWARE), strict=True))


@pytest.fixture(scope="module")
def compiled(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Objects of core and model, compiled once where the files are the same."""
    found: dict[tuple[str, bool], list[str]] = {}

    def compile_once(kind: Kind, name: str) -> list[str]:
        key = (name, kind.sets_flags)
        if key not in found:
            root, machine, folder = packages[kind.name], MACHINES[name], tmp_path_factory.mktemp(name)
            places = {kind.sources, kind.model_sources}
            files = {path for place in places for path in (root / place).rglob("*.c")}
            includes = [f"-I{root / place}" for place in {kind.headers, kind.model_headers}]
            own = [NO_CONTRACTION] if kind.sets_flags else ["-ffp-contract=fast"]
            flags = ["-std=gnu11", "-O1", "-Wall", "-Werror", "-ffunction-sections", *own, *machine.flags]
            run([machine.c, *flags, *includes, "-c", *map(str, sorted(files))], folder)
            found[key] = sorted(map(str, folder.glob("*.o")))
        return found[key]

    return compile_once


def example_of(kind: Kind, name: str, packages: dict[str, Path], objects: list[str], folder: Path) -> str:
    """Build an example with stand-ins for its system, run it where it can be, return what it prints."""
    root, machine = packages[kind.name], MACHINES[name]
    places = (root / kind.headers, root / kind.model_headers, root / kind.example, STAND_INS)
    includes, flags = (
        [f"-I{place}" for place in places],
        [*machine.flags, "-O1", "-Wall", "-ffunction-sections"],
    )
    units = sorted(map(str, (root / kind.example).glob("*.c")))
    run([machine.c, *flags, "-std=gnu11", *includes, "-c", *units], folder)
    if kind.sketch:
        sketch = str(root / kind.example / kind.sketch)
        command = [machine.cpp, *flags, "-std=gnu++17", "-fno-exceptions", "-fno-rtti"]
        command += ["-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables", *includes]
        run([*command, "-x", "c++", "-c", sketch, "-o", "sketch.o"], folder)
    rest = ["-lm"]
    if machine.script:
        run([machine.c, *machine.flags, "-std=gnu11", "-c", str(CORTEX_M / "startup.c")], folder)
        rest = [*BOARD, "-T", machine.script, "-lm"]
    own = sorted(map(str, folder.glob("*.o")))
    run([machine.c, *machine.flags, *own, *objects, "-o", "example", *rest], folder)
    return "" if machine.command is None else run([*machine.command, str(folder / "example")], folder)


@pytest.fixture(scope="module")
def wanted(packages: dict[str, Path], compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the CMake package's example says on this machine."""
    need("gcc")
    kind = KINDS["cmake"]
    said = example_of(kind, "host", packages, compiled(kind, "host"), tmp_path_factory.mktemp("wanted"))
    lines = said.splitlines()
    assert len(lines) == 30
    assert lines[0] == "5 s: nothing: enrolling"
    assert all(line.startswith(f"{5 * (i + 1)} s: ") for i, line in enumerate(lines))
    assert "/1000" in lines[-1]
    assert "late" not in said
    return said


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("kind", [KINDS[name] for name in FIRMWARE], ids=lambda kind: kind.name)
def test_the_example_decides_the_same_everywhere(
    kind: Kind, name: str, packages: dict[str, Path], compiled: Compiled, wanted: str, tmp_path: Path
) -> None:
    """CMake's on the M4F by SysTick, which interrupts the loop where it likes; M33: compiled and linked."""
    machine = MACHINES[name]
    need(machine.c, *(machine.command or ())[:1], *([machine.cpp] if kind.sketch else []))
    said = example_of(kind, name, packages, compiled(kind, name), tmp_path)
    assert said == ("" if machine.command is None else wanted)


@pytest.mark.slow
def test_a_package_that_cannot_set_flags_has_no_fused_multiply_add(compiled: Compiled) -> None:
    need("arm-none-eabi-gcc", "arm-none-eabi-objdump")
    objects = compiled(KINDS["arduino"], "m4f")
    done = subprocess.run(
        ["arm-none-eabi-objdump", "-d", *objects], capture_output=True, text=True, check=True
    )
    assert "vadd.f32" in done.stdout
    assert not [line for line in done.stdout.splitlines() if "vfma" in line or "vfms" in line]


def test_every_package_has_the_core_as_it_is_and_nothing_twice(packages: dict[str, Path]) -> None:
    core = {path.name: path.read_bytes() for path in (SOURCES / "core").rglob("*.[ch]")}
    for name, root in packages.items():
        found = [path for path in root.rglob("*.[ch]") if path.name in core]
        assert len(found) == len(core), name
        assert all(path.read_bytes().endswith(core[path.name]) for path in found), name
        assert (root / "README.md").read_text().splitlines()[0].startswith(("Checked", "Not ", "Manifest"))
        left = [path for path in root.rglob("*") if path.is_file() and "@PREFIX" in path.read_text("latin-1")]
        assert left == []


def cmake(*words: object, folder: Path) -> None:
    run(["cmake", *map(str, words)], folder)


@pytest.mark.slow
def test_cmake_builds_it_for_the_board_and_its_example_decides_there(
    packages: dict[str, Path], wanted: str, tmp_path: Path
) -> None:
    need("cmake", "ninja", "arm-none-eabi-gcc", "qemu-system-arm")
    machine = MACHINES["m4f"]
    (tmp_path / "m4f.cmake").write_text(
        "set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
        "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n"
        f'set(CMAKE_C_FLAGS_INIT "-O2 {" ".join(machine.flags)}")\n'
        f'set(CMAKE_EXE_LINKER_FLAGS_INIT "{" ".join(BOARD)} -T {machine.script}")\n'
    )
    options = (
        f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'm4f.cmake'}",
        f"-DMMQ_BOARD_SOURCES={CORTEX_M / 'startup.c'}",
    )
    cmake("-S", packages["cmake"], "-B", "build", "-G", "Ninja", *options, folder=tmp_path)
    cmake("--build", "build", folder=tmp_path)
    assert run([*EMULATOR, "build/example/mmq_example"], tmp_path) == wanted


CONSUMER = """cmake_minimum_required(VERSION 3.21)
project(consumer LANGUAGES C)
{find}
add_executable(consumer main.c)
target_link_libraries(consumer PRIVATE {targets})
"""
TWO = """#include "left_model.h"
#include "left_network.h"
#include "left_spec.h"
#include "right_model.h"
#include "right_network.h"
#include "right_spec.h"
#include <stdio.h>
static uint64_t a[LEFT_SPEC_BYTES / 8 + 1], b[RIGHT_SPEC_BYTES / 8 + 1];
static uint32_t arena[LEFT_NETWORK_ARENA_BYTES / 4 + 1];
int main(void) {
    mmq_bridge_t *left, *right;
    const int ok = mmq_bridge_init(a, sizeof a, &left_spec, &left) == MMQ_OK &&
                   mmq_bridge_init(b, sizeof b, &right_spec, &right) == MMQ_OK &&
                   mmq_network_run(&left_network, (int8_t *)arena, sizeof arena) == MMQ_OK &&
                   mmq_network_run(&right_network, (int8_t *)arena, sizeof arena) == MMQ_OK;
    printf("%d %d %d\\n", ok, (int)left_spec.n_modalities, left_model != right_model);
    return 0;
}
"""


@pytest.mark.slow
def test_two_bundles_in_one_program_by_subdirectories(tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    for side in ("left", "right"):
        pack_bundle(SHIPPED, tmp_path / side, ("cmake",), prefix=side)
    find = "add_subdirectory(left)\nadd_subdirectory(right)"
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(find=find, targets="left::model right::model"))
    (tmp_path / "main.c").write_text(TWO)
    cmake("-S", ".", "-B", "build", "-G", "Ninja", "-DCMAKE_C_FLAGS=-O0", folder=tmp_path)
    cmake("--build", "build", folder=tmp_path)
    assert run([str(tmp_path / "build" / "consumer")], tmp_path) == "1 4 1\n"
    assert not list((tmp_path / "build").rglob("*_example"))
    assert "-Werror" not in (tmp_path / "build" / "build.ninja").read_text()


@pytest.mark.slow
def test_an_installed_package_is_found(packages: dict[str, Path], tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    place = tmp_path / "installed"
    flags = ("-G", "Ninja", "-DCMAKE_C_FLAGS=-O0", f"-DCMAKE_INSTALL_PREFIX={place}")
    cmake("-S", packages["cmake"], "-B", "build", *flags, "-DMMQ_EXAMPLE=OFF", folder=tmp_path)
    cmake("--build", "build", folder=tmp_path)
    cmake("--install", "build", folder=tmp_path)
    find = "find_package(mmq 0.1 CONFIG REQUIRED)"
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(find=find, targets="mmq::model"))
    (tmp_path / "main.c").write_text(
        '#include "mmq_spec.h"\n#include "mmq_sensor_queue.h"\n'
        "int main(void) { return mmq_bridge_size(&mmq_spec) == 0; }\n"
    )
    cmake("-S", ".", "-B", "b", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={place}", folder=tmp_path)
    cmake("--build", "b", folder=tmp_path)
    run([str(tmp_path / "b" / "consumer")], tmp_path)


def test_platformio_packs_it(
    packages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its check of the licence needs the network: that field is left out here."""
    need("pio")
    root = tmp_path / "library"
    shutil.copytree(packages["platformio"], root)
    manifest = json.loads((root / "library.json").read_text())
    assert manifest.pop("license") == "Apache-2.0"
    (root / "library.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    monkeypatch.setenv("PLATFORMIO_SETTING_ENABLE_TELEMETRY", "no")
    run(["pio", "pkg", "pack", "-o", str(tmp_path / "out.tar.gz"), "."], root)
    assert (tmp_path / "out.tar.gz").stat().st_size > 100_000


def test_the_component_manager_packs_it(packages: dict[str, Path], tmp_path: Path) -> None:
    need("compote")
    root = tmp_path / "mmq-wrist-stress"
    shutil.copytree(packages["esp-idf"], root)
    run(["compote", "component", "pack", "--name", "mmq-wrist-stress"], root)
    assert list(root.glob("dist/mmq-wrist-stress_*.tgz"))


def test_zephyr_would_read_it(packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = packages["zephyr"]
    text = (root / "zephyr" / "module.yml").read_text()
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert rows[:4] == ["name: mmq", "build:", "  cmake: zephyr", "  kconfig: zephyr/Kconfig"]
    assert rows[4:] == ["samples:", "  - samples"]
    assert (root / "zephyr" / "CMakeLists.txt").is_file()
    assert (root / "samples" / "fake_sensor" / "sample.yaml").is_file()
    kconfiglib = pytest.importorskip("kconfiglib")
    monkeypatch.chdir(root)
    read = kconfiglib.Kconfig("zephyr/Kconfig", warn_to_stderr=False)
    assert [symbol.name for symbol in read.unique_defined_syms] == ["MMQ", "MMQ_CORE", "MMQ_ALL_KINDS"]
    assert read.warnings == []


def test_library_properties_follow_the_specification(packages: dict[str, Path]) -> None:
    rows = (packages["arduino"] / "library.properties").read_text().splitlines()
    fields = dict(row.split("=", 1) for row in rows)
    needed = (
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
        "architectures",
    )
    assert [key for key in needed if not fields.get(key)] == []
    assert fields["name"].replace(" ", "").isalnum()
    assert len(fields["name"]) <= 63
    assert len(fields["version"].split(".")) == 3
    assert fields["category"] == "Signal Input/Output"
    for header in fields["includes"].split(","):
        assert (packages["arduino"] / "src" / header).is_file()
    sketch = packages["arduino"] / "examples" / "FakeSensor"
    assert (sketch / f"{sketch.name}.ino").is_file()


def test_the_pack_description_names_what_is_there(packages: dict[str, Path]) -> None:
    root = packages["cmsis-pack"]
    (path,) = root.glob("*.pdsc")
    package = ElementTree.parse(path).getroot()
    children = [child.tag for child in package]
    assert children[:5] == ["vendor", "name", "description", "url", "license"]
    vendor, name = package.findtext("vendor"), package.findtext("name")
    assert path.stem == f"{vendor}.{name}"
    assert (root / str(package.findtext("license"))).is_file()
    assert package.find("releases/release[@version]") is not None
    conditions = {condition.get("id") for condition in package.iter("condition")}
    files = []
    for component in package.iter("component"):
        assert {"Cclass", "Cgroup", "Csub", "Cversion"} <= set(component.keys())
        assert component.get("condition") in conditions
        files += [str(file.get("name")) for file in component.iter("file")]
    assert all((root / file).exists() for file in files)
    there = {path.relative_to(root).as_posix() for path in root.rglob("*.c")}
    assert there == {file for file in files if file.endswith(".c")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "make", "--out", "p"], "'make' is not one of"),
        (
            ["--for", "cmake", "--out", "full"],
            "full: expected no folder or an older package, found other files",
        ),
        (["--for", "cmake", "--out", "file"], "file: expected a folder to write to, found a file or a link"),
        (["--for", "cmake", "--out", "p", "--prefix", "Left!"], "prefix: expected up to 20 small letters"),
    ],
)
def test_bad_use_is_refused_by_name(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    words = [str(tmp_path / word) if word in ("full", "file", "p") else word for word in words]
    result = CliRunner().invoke(cli, ["pack", str(SHIPPED), *words])
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep"
    assert not (tmp_path / "p").exists()


def test_a_package_is_replaced_by_a_newer_one(tmp_path: Path) -> None:
    for prefix in ("left", "right"):
        result = CliRunner().invoke(
            cli, ["pack", str(SHIPPED), "--for", "zephyr", "--out", str(tmp_path / "p"), "--prefix", prefix]
        )
        assert result.exit_code == 0
        assert "p: zephyr package" in result.output
    assert [path.name for path in (tmp_path / "p" / "model").glob("*_spec.h")] == ["right_spec.h"]


def test_a_model_without_a_network_in_c_is_refused() -> None:
    with pytest.raises(BridgeError, match=r"mmq_network\.c: the core's kernels do not know this model"):
        contents_of({"include/mmq_bridge.h": b""})
