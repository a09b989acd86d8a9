# SPDX-License-Identifier: Apache-2.0
"""Compile a fuzz target with clang: the core, sanitizers, and specs written from Python's front ends."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.errors import BridgeError
from mmq_bridge.source_files import SOURCES
from mmq_bridge.targets.tools import install_packages

from fuzz.front_ends import front_ends

TARGETS = ("push", "spec", "head", "decide")
PACKAGES = ("clang", "libclang-rt-dev")
HERE = Path(__file__).parent
CORE = SOURCES / "core"
SANITIZERS = "-fsanitize=fuzzer,address,undefined,float-cast-overflow"
FLAGS = ("-std=c99", "-O1", "-g", "-ffp-contract=off", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
BUILD_TIMEOUT_S = 600


def find_clang(install: bool = False) -> str:
    """Return the path of a clang that has libFuzzer and the sanitizers.

    Parameters
    ----------
    install
        As root, install it with apt where it is missing.

    Raises
    ------
    BridgeError
        When there is none.
    """
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if install and root and shutil.which("apt-get") and not _is_complete(shutil.which("clang")):
        install_packages(PACKAGES)
    found = shutil.which("clang")
    if found is None or not _is_complete(found):
        raise BridgeError(
            f"clang with libFuzzer and sanitizers was not found: run apt install {' '.join(PACKAGES)}"
        )
    return found


def _is_complete(clang: str | None) -> bool:
    """Whether clang finds its fuzzer: it answers with a whole path only for a file it has."""
    if clang is None:
        return False
    command = [clang, f"-print-file-name=libclang_rt.fuzzer-{platform.machine()}.a"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Path(answer).is_file()


def write_specs(folder: Path) -> list[Path]:
    """Write one C file a front end and one that lists them all; return their paths."""
    specs = {name: spec_header(front_end) for name, front_end in front_ends().items()}
    paths = [folder / f"spec_{name}.c" for name in specs]
    for path, (name, header) in zip(paths, specs.items(), strict=True):
        path.with_suffix(".h").write_text(header)
        head = f"const mmq_spec_t *fuzz_{name}(void)"
        path.write_text(f'#include "spec_{name}.h"\n\n{head};\n{head} {{ return &mmq_spec; }}\n')
    declared = "".join(f"const mmq_spec_t *fuzz_{name}(void);\n" for name in specs)
    listed = ", ".join(f"fuzz_{name}" for name in specs)
    paths.append(folder / "specs.c")
    paths[-1].write_text(
        f'#include "fuzz_common.h"\n\n{declared}\nconst uint32_t fuzz_specs_count = {len(specs)};\n'
        f"const mmq_spec_t *(*const fuzz_specs[])(void) = {{{listed}}};\n"
    )
    return paths


def build(target: str, folder: Path, clang: str) -> Path:
    """Compile one target and return its binary.

    Parameters
    ----------
    target
        One of `TARGETS`.
    clang
        From `find_clang`.
    folder
        Where generated files and the binary go; made when absent.

    Raises
    ------
    BridgeError
        When something does not compile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    units = [*write_specs(folder), HERE / "fuzz_common.c", HERE / f"fuzz_{target}.c"]
    units += sorted((CORE / "src").glob("*.c"))
    binary = folder / f"fuzz_{target}"
    includes = [f"-I{CORE / 'include'}", f"-I{HERE}"]
    command = [clang, *FLAGS, *WARNINGS, SANITIZERS, *includes, *map(str, units), "-o", str(binary), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BridgeError(f"fuzz_{target}: clang did not finish ({error}): check the compiler") from error
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr[-200:])
        raise BridgeError(f"fuzz_{target}: it does not compile ({reason.strip()}): mend the source")
    return binary
