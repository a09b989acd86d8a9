# SPDX-License-Identifier: Apache-2.0
"""LiteRT for the browser: installed by npm into the user's cache, since its 38 MB belong in no package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mmq_bridge.errors import BridgeError

HERE = Path(__file__).parent
PACKAGES = ("package.json", "package-lock.json")


def litert_folder(folder: Path, program: str = "mmq-bridge") -> Path:
    """Return the folder ``@litertjs`` under a folder that `install` filled.

    Parameters
    ----------
    folder : Path
    program : str
        Whose command ``companion --install`` fills it.

    Raises
    ------
    BridgeError
        When it was not installed there, or another version was.
    """
    found = folder / "node_modules" / "@litertjs"
    lock = folder / PACKAGES[1]
    if not found.is_dir() or not lock.is_file() or lock.read_bytes() != (HERE / PACKAGES[1]).read_bytes():
        raise BridgeError(
            f"{found}: LiteRT for the browser is not installed there; run once: {program} companion "
            "--install (needs npm, and the network for that once)."
        )
    return found


def install(folder: Path) -> Path:
    """Install what ``package-lock.json`` names with ``npm ci``: npm checks its digests; no script is run.

    Returns
    -------
    Path
        As `litert_folder`.

    Raises
    ------
    BridgeError
        When npm is not there or fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise BridgeError("npm is not installed; install Node.js with it (Debian: apt install npm).")
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        shutil.copyfile(HERE / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        (folder / PACKAGES[1]).unlink(missing_ok=True)
        reason = next((line for line in done.stderr.splitlines() if "error" in line), "no reason given")
        raise BridgeError(f"npm ci failed ({reason[:160]}); check the network and try again.")
    return litert_folder(folder)
