# SPDX-License-Identifier: Apache-2.0
"""Whether what the package requires can be had as wheels, on systems that are not this one.

Nothing is downloaded or installed: `uv` resolves what `mmq-tf` and `mmq-bridge` require, for each
system and Python. The C core itself is built from source by `pip install`.

    python benchmarks/install_matrix.py > results/install_matrix.txt
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
SYSTEMS = {
    "Linux x86-64": "x86_64-unknown-linux-gnu",
    "Linux arm64": "aarch64-unknown-linux-gnu",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows x86-64": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.12", "3.13")
EXTRAS = ("", "live", "brainflow", "parquet", "onnx", "hub", "micro")
"""Each resolved beside the package alone; the first is the package alone."""


def requirements(extra: str) -> list[str]:
    """Return what the two distributions require, without each other."""
    ours, bridge = (
        tomllib.loads((ROOT / path).read_text("utf-8"))["project"]
        for path in ("pyproject.toml", "firmware_bridge/pyproject.toml")
    )
    found = [*ours["dependencies"], *bridge["dependencies"], *bridge["optional-dependencies"]["litert"]]
    for project in (ours, bridge):
        found += project["optional-dependencies"].get(extra, [])
    return [one for one in found if not one.startswith("mmq-")]


def resolved(system: str, python: str, extra: str) -> str:
    """Return how many packages it takes, or why it cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.in")
        wanted.write_text("\n".join(requirements(extra)), "utf-8")
        options = [
            "--python-platform",
            system,
            "--python-version",
            python,
            "--only-binary",
            ":all:",
            "--quiet",
        ]
        done = subprocess.run(
            [find_uv_bin(), "pip", "compile", str(wanted), *options, "--no-annotate", "--no-header"],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return "no: " + " ".join(done.stderr.split())[:200]
    return str(sum("==" in line for line in done.stdout.splitlines()))


HEAD = """Packages that pip would take, all as wheels, by system and Python; with each extra beside it.
As `python benchmarks/install_matrix.py` resolved them; installed and run is only the first system.

"""


def main() -> int:
    """Write the table to the terminal; 1 where something cannot be resolved."""
    sys.stdout.write(HEAD + f"{'':24}" + "".join(f"{extra or 'alone':>11}" for extra in EXTRAS) + "\n")
    failed = False
    for system, triple in SYSTEMS.items():
        for python in PYTHONS:
            found = [resolved(triple, python, extra) for extra in EXTRAS]
            failed |= any(not one.isdigit() for one in found)
            sys.stdout.write(f"{system:16}{python:8}" + "".join(f"{one:>11}" for one in found) + "\n")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
