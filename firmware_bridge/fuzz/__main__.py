# SPDX-License-Identifier: Apache-2.0
"""`python -m fuzz`: build the fuzz targets, run them, print what they did."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

from mmq_bridge.errors import BridgeError

from fuzz import runner, seeds
from fuzz.build import CORE, SANITIZERS, TARGETS, build, find_clang


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 = nothing found, 1 = a crash was kept, 2 = it could not run."""
    options = _options(arguments)
    try:
        return _fuzz(options)
    except BridgeError as error:
        sys.stderr.write(f"fuzz: {error}\n")
        return 2


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=30, help="how long they run, side by side (default 30)"
    )
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one")
    parser.add_argument("--work", type=Path, default=Path("build/fuzz"), help="binaries, corpus, crashes")
    parser.add_argument("--log", type=Path, help="also write what is printed to this file")
    parser.add_argument(
        "--merge", action="store_true", help="then reduce the corpus and store it for committing"
    )
    parser.add_argument(
        "--seeds", action="store_true", help="put made-up valid streams into the corpus first"
    )
    parser.add_argument("--install", action="store_true", help="install clang with apt where it is missing")
    return parser.parse_args(arguments)


def _fuzz(options: argparse.Namespace) -> int:
    targets = tuple(options.target or TARGETS)
    clang = find_clang(options.install)
    head = _head(clang, options.seconds)
    binaries = {target: build(target, options.work / "bin", clang) for target in targets}
    if options.seeds:
        for target in targets:
            seeds.write(target, options.work / "corpus" / target)
    running = [runner.start(binaries[name], name, options.seconds, options.work) for name in targets]
    results = [runner.finish(one) for one in running]
    text = head + _table(results)
    if options.merge:
        sizes = {target: runner.merge(binaries[target], target, options.work) for target in targets}
        text += "".join(f"corpus of {target}: {size} bytes\n" for target, size in sizes.items())
    sys.stdout.write(text)
    if options.log:
        options.log.write_text(text)
    for result in results:
        if result.crashes:
            sys.stderr.write(f"{result.log[-6000:]}\n")
    return 1 if any(result.crashes for result in results) else 0


def _head(clang: str, seconds: int) -> str:
    """Say what ran: command, compiler, and the core it was."""
    version = subprocess.run([clang, "--version"], capture_output=True, text=True, check=False).stdout
    files = sorted(path for path in CORE.rglob("*") if path.suffix in (".c", ".h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    lines = version.splitlines()[:1]
    return (
        f"python -m fuzz --seconds {seconds} (all targets at the same time)\n"
        f"{lines[0] if lines else clang}, {SANITIZERS}\n"
        f"core of {len(files)} files, SHA-256 {digest}\n\n"
    )


def _table(results: list[runner.FuzzResult]) -> str:
    lines = [f"{'target':8}{'executions':>12}{'edges':>8}{'corpus':>8}{'crashes':>9}"]
    for r in results:
        lines.append(f"{r.target:8}{r.executions:>12,}{r.edges:>8,}{r.corpus:>8,}{len(r.crashes):>9}")
        lines += [f"  {path}: run build/fuzz/bin/fuzz_{r.target} with it" for path in r.crashes]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
