# SPDX-License-Identifier: Apache-2.0
"""Run fuzz targets side by side, read libFuzzer's numbers, keep what it finds."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.errors import BridgeError

from fuzz.build import HERE

MAX_LEN = {"push": 1024, "spec": 512, "head": 1024, "decide": 4096}
LIMITS = ("-timeout=300", "-report_slow_units=300", "-rss_limit_mb=2048", "-malloc_limit_mb=1024")
LIMITS += ("-print_final_stats=1",)
"""An input takes milliseconds; minutes, as a busy machine may leave a process waiting that long."""


@dataclass(frozen=True)
class FuzzResult:
    """What one target did.

    Attributes
    ----------
    target : str
    executions : int
        Inputs run.
    edges : int
        Edges of the control flow graph that were reached.
    corpus : int
        Inputs kept because each reached something new.
    crashes : tuple of Path
        Files that break a promise, crash, or run too long.
    log : str
        libFuzzer's messages.
    """

    target: str
    executions: int
    edges: int
    corpus: int
    crashes: tuple[Path, ...]
    log: str


def corpus_file(target: str) -> Path:
    """Path of the committed corpus of a target: a zip, so that it is one small file."""
    return HERE / "corpus" / f"{target}.zip"


def unpack(target: str, folder: Path) -> Path:
    """Put the committed corpus of a target into a folder, keep what is there, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if corpus_file(target).is_file():
        with zipfile.ZipFile(corpus_file(target)) as archive:
            for name in archive.namelist():
                (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


def pack(target: str, folder: Path) -> int:
    """Make the committed corpus from the files of a folder, byte for byte repeatable; return its size."""
    path = corpus_file(target)
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0)), file.read_bytes())
    return path.stat().st_size


@dataclass(frozen=True)
class Running:
    """A target that was started: its process, and the files it writes."""

    target: str
    process: subprocess.Popen[bytes]
    messages: Path
    crashes: Path


def start(binary: Path, target: str, seconds: int, work: Path) -> Running:
    """Start one target on its corpus and on what crashed it before; `finish` waits for it."""
    corpus, crashes = unpack(target, work / "corpus" / target), work / "crashes" / target
    crashes.mkdir(parents=True, exist_ok=True)
    for old in crashes.iterdir():
        old.replace(corpus / old.name)
    command = [
        str(binary), f"-max_total_time={seconds}", f"-max_len={MAX_LEN[target]}", *LIMITS,
        f"-artifact_prefix={crashes}/", str(corpus),
    ]  # fmt: skip
    messages = work / f"{target}.log"
    with messages.open("wb") as stream:  # not a pipe: nobody reads one while the other target runs
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream)
    return Running(target, process, messages, crashes)


def finish(running: Running) -> FuzzResult:
    """Wait for a target and read what it did.

    Raises
    ------
    BridgeError
        When it stopped by itself without a crash to keep.
    """
    status = running.process.wait()
    log = running.messages.read_text(errors="replace")
    crashes = tuple(sorted(running.crashes.iterdir()))
    if status and not crashes:
        reason = (log.strip() or "it said nothing").splitlines()[-1]
        raise BridgeError(f"fuzz_{running.target}: stopped with status {status}: {reason}")
    return read_log(running.target, log, crashes)


def read_log(target: str, log: str, crashes: Sequence[Path] = ()) -> FuzzResult:
    """Read libFuzzer's numbers from its messages.

    Examples
    --------
    >>> text = "#9 DONE   cov: 71 ft: 90 corp: 4/9b lim: 4 exec/s: 3"
    >>> read_log("push", text).edges, read_log("push", text).executions
    (71, 9)
    """
    edges = [int(value) for value in re.findall(r" cov: (\d+)", log)]
    corpus = [int(value) for value in re.findall(r" corp: (\d+)", log)]
    counts = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log) or re.findall(r"^#(\d+)", log, re.M)
    executions = int(counts[-1]) if counts else 0
    return FuzzResult(target, executions, max(edges, default=0), max(corpus, default=0), tuple(crashes), log)


def merge(binary: Path, target: str, work: Path) -> int:
    """Reduce the corpus in `work` to files that each reach another edge, store it, and return its size.

    How often an edge is passed is left out: the fuzzer finds that again, and the corpus stays small.
    """
    corpus, small = work / "corpus" / target, work / "merged" / target
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir(parents=True)
    command = [
        str(binary),
        "-merge=1",
        "-use_counters=0",
        f"-max_len={MAX_LEN[target]}",
        str(small),
        str(corpus),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise BridgeError(
            f"fuzz_{target}: merging stopped with status {done.returncode}: {done.stderr[-300:]}"
        )
    return pack(target, small)
