# SPDX-License-Identifier: Apache-2.0
"""Wheels of mmq-bridge for every system, made on one: the C core cross-compiled with Zig, the rest the same.

One wheel is built as `pip` does; for each target its library is replaced by one that Zig compiled with the
core's own CMake file.

    python firmware_bridge/wheels/make.py --out dist
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
BRIDGE = HERE.parent


class Target(NamedTuple):
    """A system as Zig, CMake and wheels call it, and the core's library there."""

    zig: str
    system: str
    processor: str
    tag: str
    library: str


TARGETS = (
    Target(
        "x86_64-linux-gnu.2.17",
        "Linux",
        "x86_64",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "libmmq_bridge.so",
    ),
    Target(
        "aarch64-linux-gnu.2.17",
        "Linux",
        "aarch64",
        "manylinux_2_17_aarch64.manylinux2014_aarch64",
        "libmmq_bridge.so",
    ),
    Target("aarch64-macos.11.0", "Darwin", "arm64", "macosx_11_0_arm64", "libmmq_bridge.dylib"),
    Target("x86_64-macos.11.0", "Darwin", "x86_64", "macosx_11_0_x86_64", "libmmq_bridge.dylib"),
    Target("x86_64-windows-gnu", "Windows", "AMD64", "win_amd64", "mmq_bridge.dll"),
)
LIBRARIES = {target.library for target in TARGETS} | {"libmmq_bridge.dll"}
WHEN = (2020, 1, 1, 0, 0, 0)
"""Of every file in a wheel: the same sources give the same bytes."""


def run(*words: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a program; where it fails, end with what it printed."""
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{words[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def native_wheel(folder: Path) -> Path:
    """Build the wheel of this system, whose Python files every other one takes over."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, BRIDGE)
    return next(folder.glob("mmq_bridge-*.whl"))


def tools(folder: Path, target: Target) -> dict[str, Path]:
    """Write the compiler and archiver of a target as programs that CMake can call."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        sys.exit("wheels need Zig: pip install ziglang")
    zig = Path(spec.origin).parent / "zig"
    found = {}
    for name, words in {"cc": f"cc -target {target.zig}", "ar": "ar", "ranlib": "ranlib", "rc": "rc"}.items():
        found[name] = folder / f"zig-{name}"
        found[name].write_text(f'#!/bin/sh\nexec "{zig}" {words} "$@"\n')
        found[name].chmod(0o755)
    return found


def core_library(folder: Path, target: Target) -> bytes:
    """Compile the core for a target and return its stripped library."""
    own = tools(folder, target)
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    cmake = shutil.which("cmake", path=places) or "cmake"
    ninja = shutil.which("ninja", path=places)
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
    settings = {
        "CMAKE_SYSTEM_NAME": target.system,
        "CMAKE_SYSTEM_PROCESSOR": target.processor,
        "CMAKE_C_COMPILER": own["cc"],
        "CMAKE_AR": own["ar"],
        "CMAKE_RANLIB": own["ranlib"],
        "CMAKE_RC_COMPILER": own["rc"],
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_C_FLAGS": f"-include {HERE / 'cpu.h'}" if target.zig.startswith("x86_64") else "",
        "CMAKE_SHARED_LINKER_FLAGS": "-s",
        "CMAKE_LINK_DEPENDS_USE_LINKER": "OFF",  # Zig takes no --dependency-file
        "MMQ_BRIDGE_SHARED": "ON",
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(BRIDGE / "build" / "zig-cache")}
    run(cmake, "-S", BRIDGE / "core", "-B", folder / "build", *generator, *options, environment=environment)
    run(cmake, "--build", folder / "build", "--target", "mmq_bridge_shared", environment=environment)
    built = [path for path in (folder / "build").iterdir() if path.name in LIBRARIES]
    return built[0].read_bytes()


def write_wheel(native: Path, target: Target, library: bytes, out: Path) -> Path:
    """Write a target's wheel: the files of the native one, its own library, its own tags."""
    name, version = native.name.split("-")[:2]
    path = out / f"{name}-{version}-py3-none-{target.tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(native) as given:
        files = {one: given.read(one) for one in given.namelist() if not one.endswith(f"{info}/RECORD")}
    files = {one: content for one, content in files.items() if Path(one).name not in LIBRARIES}
    files[f"mmq_bridge/{target.library}"] = library
    kept = [
        line for line in files[f"{info}/WHEEL"].decode().splitlines() if line and not line.startswith("Tag:")
    ]
    tags = [f"Tag: py3-none-{tag}" for tag in target.tag.split(".")]
    files[f"{info}/WHEEL"] = "\n".join([*kept, *tags, ""]).encode()
    record = [f"{one},sha256={_digest(content)},{len(content)}" for one, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for one, content in files.items():
            entry = zipfile.ZipInfo(one, WHEN)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            wheel.writestr(entry, content)
    return path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def main() -> None:
    """Write the wheels and say what each is."""
    parser = argparse.ArgumentParser(description="Wheels of mmq-bridge for every system.")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder to write to")
    parser.add_argument("--only", help="targets whose tag holds this word")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mmq_wheels_") as folder:
        work = Path(folder)
        native = native_wheel(work)
        for number, target in enumerate(TARGETS):
            if given.only and given.only not in target.tag:
                continue
            place = work / str(number)
            place.mkdir()
            library = core_library(place, target)
            path = write_wheel(native, target, library, given.out)
            sys.stdout.write(
                f"{path}: {path.stat().st_size:,} bytes, {target.library} {len(library):,} bytes\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
