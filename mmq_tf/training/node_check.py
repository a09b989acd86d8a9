# SPDX-License-Identifier: Apache-2.0
"""Whether a node of a cluster is like the caller's: the same software, the same folders."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmq_bridge.cache import cache_folder

from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.utils.backend_threads import THREADS, one_thread_per_process
from mmq_tf.version import __version__

PACKAGES = ("numpy", "keras", "tensorflow", "scikit-learn")
"""Beside our own, what numbers depend on."""
PASSED = (
    "KERAS_BACKEND",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    *THREADS,
)
"""Settings of the caller that hold in tasks too, as they do in worker processes of this machine."""
SYNC_S = 5.0
"""How long (s) a network folder may take to show a new file."""
REACH_S = 5.0
_ADDRESS = re.compile(r"\[?([^\[\]/]+)\]?:(\d{1,5})")


def check_cluster(address: str, gpus_per_job: float = 0.0) -> None:
    """Check, without loading anything slow, that a cluster can be asked.

    Raises
    ------
    MMQError
        If Ray is not installed, the address is none or nothing listens there, or the share of a GPU cannot
        be given.
    """
    if importlib.util.find_spec("ray") is None:
        raise MMQError("--cluster needs Ray: pip install 'mmq-tf[cluster]'.")
    if gpus_per_job > 1 and gpus_per_job != int(gpus_per_job):
        raise MMQError(f"--gpus-per-job {gpus_per_job:g}: expected a share up to 1, or a whole number.")
    if address == "auto":
        return
    found = _ADDRESS.fullmatch(address)
    if address.startswith("ray://"):
        raise MMQError(
            f"--cluster {address}: run the command on a node of the cluster and give HOST:PORT of its head, "
            "port 6379 unless it was started with another."
        )
    if found is None:
        raise MMQError(
            f"--cluster {address}: expected HOST:PORT of a Ray cluster, or nothing behind it; what is no "
            "address stands before --cluster."
        )
    try:
        socket.create_connection((found[1], int(found[2])), REACH_S).close()
    except (OSError, OverflowError) as error:
        raise MMQError(
            f"--cluster {address}: nothing answers there ({error}); is the head node up, and its port right?"
        ) from error


@contextmanager
def asked_of_nodes(written: Sequence[Path], read: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield what nodes are asked, of the folders that must be the same everywhere.

    A file with a secret lies meanwhile in each folder that is written; of the others the names are compared.

    Raises
    ------
    MMQError
        If a folder cannot be written.
    """
    secret = secrets.token_hex(8)
    marks = [folder / f".mmq-tf-cluster-{secret}" for folder in written]
    try:
        for mark in marks:
            write_text(mark, secret)
        yield {
            "folder": os.getcwd(),
            "environment": {
                **{name: os.environ[name] for name in PASSED if name in os.environ},
                "MMQ_CACHE": str(cache_folder().absolute()),
            },
            "installed": installed(),
            "secret": secret,
            "marks": [str(mark) for mark in marks],
            "listings": {str(folder): _names(folder) for folder in read},
        }
    finally:
        for mark in marks:
            with suppress(OSError):
                mark.unlink()


def node_fault(asked: dict[str, Any]) -> str:
    """Return in one sentence why this node cannot serve the caller; empty where it can."""
    here = installed()
    for name, wanted in asked["installed"].items():
        if here.get(name) != wanted:
            return f"it has {name} {here.get(name, '(none)')}, the caller {wanted}; install the same on all."
    with suppress(OSError):
        os.chdir(asked["folder"])
    for mark in map(Path, asked["marks"]):
        if not _sees(mark, asked["secret"]):
            return (
                f"{mark.parent} is not the same folder there; all nodes must share it, under the same path."
            )
    for folder, names in asked["listings"].items():
        if _names(Path(folder)) != names:
            return f"{folder} holds other files there; all nodes must share it, under the same path."
    return ""


def prepare_process(asked: dict[str, Any]) -> None:
    """Give a task's process the caller's settings, before the training backend is loaded."""
    from mmq_bridge.native_output import quiet_native

    os.environ.update(asked["environment"])
    one_thread_per_process()
    with quiet_native():
        import mmq_tf.training.fold  # noqa: F401  loads the training backend, which talks while it is loaded


@lru_cache(maxsize=1)
def installed() -> dict[str, str]:
    """Return the versions that must be equal, by name; of our own packages also a digest of their source."""
    found = {"Python": platform.python_version(), "mmq-tf": f"{__version__} (source {_source()})"}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _source() -> str:
    digest = hashlib.sha256()
    for package in ("mmq_tf", "mmq_bridge"):
        spec = importlib.util.find_spec(package)
        root = Path(spec.origin or "").parent if spec else Path()
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def _names(folder: Path) -> str:
    """Return a digest of the names in a folder."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError:
        return ""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _sees(mark: Path, secret: str) -> bool:
    until = time.monotonic() + SYNC_S
    while True:
        with suppress(OSError):
            if mark.read_text("ascii") == secret:
                return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
