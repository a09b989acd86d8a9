# SPDX-License-Identifier: Apache-2.0
"""Targets give the same bits; what differs, crashes or is missing is said."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets import __main__ as entry
from mmq_bridge.targets import expected, run, tools
from mmq_bridge.targets.build import CORTEX_M, compile_objects, link, write_vectors
from mmq_bridge.targets.everywhere import EVERYWHERE, present
from mmq_bridge.targets.expected import Hashes, save_committed
from mmq_bridge.targets.run import CRASHED, execute, run_target
from mmq_bridge.targets.table import TARGETS, Target
from mmq_bridge.targets.vectors import Vector

Needs = Callable[[Sequence[Target]], None]
CORTEX = [target.name for target in TARGETS if target.runner == "qemu"]
WITHOUT_FLOATS = "m3"  # slow: floats by the compiler's library
INVALID_ADDRESS, STACK_OVERFLOW, NO_SUCH_INSTRUCTION = 1, 2, 3


def run_command(*words: str) -> tuple[int, str]:
    """Exit code and what was said of `python -m mmq_bridge.targets`."""
    command = [sys.executable, "-m", "mmq_bridge.targets", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("gcc-1", "gcc-8", "clang-1", "clang-8", "wasm"),
        *(name for name in CORTEX if name != WITHOUT_FLOATS),
        pytest.param("s390x", marks=pytest.mark.slow),  # its bytes lie the other way; `make targets` runs all
    ],
)
def test_target_gives_the_same_bits(
    name: str,
    needs: Needs,
    targets: dict[str, Target],
    written: Path,
    wanted: dict[str, Hashes],
    tmp_path: Path,
) -> None:
    needs([targets[name]])
    outcome = run_target(targets[name], written, tmp_path, wanted)
    assert outcome.problems == []
    assert outcome.hashes == wanted
    assert all(size > 1000 for size in outcome.state_bytes.values())


def test_a_target_without_floating_point_gives_the_same_decisions(
    needs: Needs, targets: dict[str, Target], vectors: list[Vector], wanted: dict[str, Hashes], tmp_path: Path
) -> None:
    needs([targets[WITHOUT_FLOATS]])
    deployed = write_vectors(vectors[-1:], tmp_path / "vectors")
    hashes = {vectors[-1].name: wanted[vectors[-1].name]}
    assert run_target(targets[WITHOUT_FLOATS], deployed, tmp_path, hashes).problems == []


def test_machines_whose_tools_are_missing_are_left_out_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"aarch64-linux-gnu-gcc", "qemu-aarch64", "s390x-linux-gnu-gcc", "x86_64-w64-mingw32-gcc"}
    monkeypatch.setattr(tools.shutil, "which", lambda command: command if command in here else None)
    chosen = [target for target in EVERYWHERE if target.name in ("aarch64", "s390x", "windows")]
    found, sentences = present(chosen)
    assert [target.name for target in found] == ["aarch64"]
    assert sentences == [
        "s390x is left out: qemu-s390x is not installed (apt install qemu-user).",
        "windows is left out: wine is not installed (apt install wine).",
    ]


def test_contracted_arithmetic_is_caught(
    needs: Needs, targets: dict[str, Target], written: Path, wanted: dict[str, Hashes], tmp_path: Path
) -> None:
    """Fused multiply-adds, what -ffp-contract=off forbids: the comparison must see them."""
    needs([targets["m4f"]])
    fused = replace(targets["m4f"], flags=(*targets["m4f"].flags, "-ffp-contract=fast"))
    problems = run_target(fused, written, tmp_path, wanted).problems
    assert [problem.split(":")[0] for problem in problems] == list(wanted)


def test_what_a_failing_program_says_is_kept(
    needs: Needs, targets: dict[str, Target], written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs([targets["gcc-1"]])
    text = '#include <stdio.h>\nint main(void) { puts("v: the script is cut short"); return 3; }\n'
    (tmp_path / "other.c").write_text(text)
    objects = compile_objects(targets["gcc-1"], [tmp_path / "other.c"], (), tmp_path)
    program = link(targets["gcc-1"], objects, tmp_path / "other")
    monkeypatch.setattr(run, "build_replay", lambda target, vectors, folder: program)
    outcome = run_target(targets["gcc-1"], written, tmp_path, {"v": Hashes(1, 1, *7 * [""])})
    assert outcome.problems == [
        "the replay ended with exit code 3",
        "v: the script is cut short",
        "v: gave no result",
    ]


@pytest.mark.parametrize("crash", [INVALID_ADDRESS, STACK_OVERFLOW, NO_SUCH_INSTRUCTION])
@pytest.mark.parametrize("name", CORTEX)
def test_crash_becomes_an_exit_code(
    name: str, crash: int, needs: Needs, targets: dict[str, Target], tmp_path: Path
) -> None:
    needs([targets[name]])
    sources = [CORTEX_M / "startup.c", CORTEX_M / "crash.c"]
    objects = compile_objects(targets[name], sources, (), tmp_path, (f"-DCRASH={crash}",))
    program = link(targets[name], objects, tmp_path / "crash.elf")
    code, text = execute(targets[name], program, tmp_path)
    assert code == CRASHED
    assert "fault" in text


def test_warning_of_the_compiler_is_an_error(
    needs: Needs, targets: dict[str, Target], tmp_path: Path
) -> None:
    needs([targets["gcc-1"]])
    source = tmp_path / "narrow.c"
    source.write_text("char narrow(long x);\nchar narrow(long x) { return x; }\n")
    with pytest.raises(BridgeError, match=r"gcc-1: gcc failed: .*conversion"):
        compile_objects(targets["gcc-1"], [source], (), tmp_path / "out")


def test_program_that_never_ends_is_stopped(
    needs: Needs, targets: dict[str, Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs([targets["gcc-1"]])
    (tmp_path / "loop.c").write_text("int main(void) { for (volatile int i = 0;; i++) {} }\n")
    objects = compile_objects(targets["gcc-1"], [tmp_path / "loop.c"], (), tmp_path)
    monkeypatch.setattr("mmq_bridge.targets.run.LIMIT_S", 0.2)
    with pytest.raises(BridgeError, match=r"gcc-1: still running after 0\.2 s"):
        execute(targets["gcc-1"], link(targets["gcc-1"], objects, tmp_path / "loop"), tmp_path)


@pytest.mark.slow
def test_unknown_target_is_refused() -> None:
    code, said = run_command("--only", "cortex-m99")
    assert code == 2
    assert "expected one of gcc-1, gcc-8" in said
    assert "'cortex-m99'" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_unknown_option_is_refused() -> None:
    code, said = run_command("--fast")
    assert code == 2
    assert "--fast" in said


@pytest.mark.parametrize(
    ("name", "tool", "package"),
    [
        ("clang-1", "clang", "clang"),
        ("m4f", "arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("wasm", "node", "nodejs"),
    ],
)
def test_missing_tool_is_named_with_its_package(
    name: str,
    tool: str,
    package: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = tools.shutil.which
    monkeypatch.setattr(tools.shutil, "which", lambda command: None if command == tool else found(command))
    monkeypatch.setattr(sys, "argv", ["targets", "--only", name])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert tool in said
    assert f"apt install {package}" in said or f" {package} " in said


def test_missing_file_of_a_compiler_is_named(
    needs: Needs, targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs([targets["m4f"]])
    monkeypatch.setattr(tools, "_answer", lambda command: command[-1].partition("=")[2])
    with pytest.raises(BridgeError, match=r"rdimon\.specs is not installed.*libnewlib-arm-none-eabi"):
        tools.require([targets["m4f"]])


def test_only_root_installs(targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda command: None)
    monkeypatch.setattr(tools.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        tools, "install_packages", lambda packages: pytest.fail("installed without being root")
    )
    with pytest.raises(BridgeError, match="gcc is not installed: as root, apt install gcc"):
        tools.require([targets["gcc-1"]], install=True)


def test_root_installs_what_is_missing(targets: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> None:
    present, asked = {"apt-get"}, []

    def install(packages: Sequence[str]) -> None:
        asked.extend(packages)
        present.add("gcc")

    monkeypatch.setattr(tools.shutil, "which", lambda command: command if command in present else None)
    monkeypatch.setattr(tools.os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "install_packages", install)
    tools.require([targets["gcc-1"]], install=True)
    assert asked == ["gcc"]


def test_failed_installation_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: Sequence[str], **settings: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 100, "", "E: Unable to locate package lld\n")

    monkeypatch.setattr(tools.subprocess, "run", refuse)
    with pytest.raises(BridgeError, match=r"Unable to locate package lld.*install lld by hand"):
        tools.install_packages(["lld"])


@pytest.mark.slow
def test_drifted_hash_is_exit_code_1_until_accepted(
    needs: Needs,
    targets: dict[str, Target],
    wanted: dict[str, Hashes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs([targets["gcc-1"]])
    committed = tmp_path / "hashes.json"
    save_committed({name: replace(hashes, int8="0" * 16) for name, hashes in wanted.items()}, committed)
    for function in (expected.load_committed, expected.save_committed):
        monkeypatch.setattr(function, "__defaults__", (committed,))
    monkeypatch.setenv("MMQ_DATA", str(tmp_path / "nowhere"))
    words = ["targets", "--only", "gcc-1", "--build", str(tmp_path / "build")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        entry.main()
    assert stop.value.code == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "simulated_all: int8 differ from those committed" in said
    assert "--accept" in said
    monkeypatch.setattr(sys, "argv", [*words, "--accept"])
    entry.main()
    assert "the same bits everywhere" in " ".join(capsys.readouterr().out.split())
    found = expected.load_committed(committed)
    ran = {name: hashes for name, hashes in wanted.items() if not name.startswith("of_")}  # without --network
    assert {name: found[name] for name in ran} == ran
