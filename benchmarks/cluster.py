# SPDX-License-Identifier: Apache-2.0
"""A run on a Ray cluster of two nodes against one process: time, equal metrics, and what faults cost.

Both nodes are on this machine, in a network of their own that has nothing but its loopback, and end with this
program. Faults: a worker killed, a node killed, a full disk on one node, Ctrl-C and `--resume`.

Usage: python benchmarks/cluster.py [--quick] [--only NAME] [--results results/cluster.json]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

INSIDE = "MMQ_CLUSTER_BENCHMARK"
PORT = 6379
SETTINGS = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
WAIT_S = 300.0
PROGRAM = [sys.executable, "-m", "mmq_tf"]
JUDGED = ("metrics.json", "predictions.csv", "validation.npz")
"""What must be equal in every fold's folder, to the last byte; `model.keras` holds times in its archive."""


def study(folder: Path, *, epochs: int, folds: int, seeds: int, minutes: int) -> None:
    """Write a SIMULATED cohort and a configuration."""
    from mmq_tf.simulation.cohort import write_cohort
    from mmq_tf.simulation.simulator import Settings

    modalities = ("eda", "temp")
    write_cohort(folder / "cohort", max(4, folds), Settings(minutes=minutes, modalities=modalities))
    config = {
        "name": "study",
        "seeds": list(range(seeds)),
        "data": {"dataset": "simulated", "task": "stress"},
        "front_end": {
            "token_s": 5,
            "tokens": 4,
            "modalities": {name: {"sampling_rate_hz": 4} for name in modalities},
        },
        "normalisation": {"mode": "enrolment", "enrolment_s": 60},
        "windows": {"stride_s": 20 if minutes < 20 else 5},
        "artefacts": {"variants": 1},
        "split": {"folds": folds},
        "training": {"epochs": epochs, "patience": epochs, "batch_size": 16},
    }
    (folder / "study.toml").write_text(tomli_w.dumps(config), "utf-8")


def descendants(root: int) -> list[int]:
    """Return the processes below one, the root first."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            below.setdefault(int(entry.read_text().rpartition(")")[2].split()[1]), []).append(
                int(entry.parent.name)
            )
        except OSError:
            continue
    found = [root]
    for process in found:
        found += below.get(process, [])
    return found


def workers_of(node: int) -> list[int]:
    """Return the processes of a node that run a job."""
    found = []
    for process in descendants(node):
        try:
            if b"ray::_work" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


def kill(processes: list[int]) -> None:
    """Kill processes by their ids."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def two_nodes(home: Path) -> Iterator[list[int]]:
    """Yield the process ids of two nodes of one processor each; the second has mounts of its own."""
    ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
    common = ["--num-cpus=1", "--num-gpus=0", "--object-store-memory=150000000", "--disable-usage-stats"]
    temporary = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    head = ["--head", f"--port={PORT}", "--node-ip-address=127.0.0.1", "--include-dashboard=false"]
    head += [f"--temp-dir={temporary}"]
    second = [f"--address=127.0.0.1:{PORT}", "--node-ip-address=127.0.0.1"]
    nodes: list[subprocess.Popen[bytes]] = []
    with (home / "nodes.log").open("ab") as log:
        start = partial(
            subprocess.Popen,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=home,
            start_new_session=True,
        )
        try:
            nodes.append(start([*ray, *head, *common]))
            listening()
            nodes.append(start(["unshare", "-m", *ray, *second, *common]))
            until(lambda: any(b"raylet" in cmd for cmd in commands(nodes[1].pid)), "the second node")
            time.sleep(3)
            yield [node.pid for node in nodes]
        finally:
            for node in nodes:
                kill(descendants(node.pid)[::-1])
                node.wait()
            shutil.rmtree(temporary, ignore_errors=True)


def commands(root: int) -> list[bytes]:
    """Return the command lines below a process."""
    found = []
    for process in descendants(root):
        try:
            found.append(Path(f"/proc/{process}/cmdline").read_bytes().partition(b"\0")[0])
        except OSError:
            continue
    return found


def listening() -> None:
    """Wait for the head."""
    import socket

    def there() -> bool:
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
        except OSError:
            return False
        return True

    until(there, "the head node")


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until something is true, and return it."""
    begun = time.monotonic()
    while not (found := true()):
        if time.monotonic() - begun > WAIT_S:
            raise SystemExit(f"{what} did not come within {WAIT_S:g} s")
        time.sleep(0.05)
    return found


def start(home: Path, out: str, *options: str, resume: bool = False) -> subprocess.Popen[str]:
    """Start a training."""
    asked = ["--resume"] if resume else ["study.toml", "--data", "cohort", "--no-final"]
    return subprocess.Popen(
        [*PROGRAM, "train", *asked, "--out", out, *options],
        cwd=home,
        env={**os.environ, **SETTINGS, "MMQ_CACHE": str(home / "cache"), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a training and return what it said."""
    said, errors = process.communicate(timeout=1200)
    if process.returncode != code:
        raise SystemExit(f"ended with {process.returncode}:\n{said[-3000:]}\n{errors[-3000:]}")
    return said + errors


def differing(home: Path, one: str, other: str) -> list[str]:
    """Return which files of the folds differ between two runs."""
    folds = sorted(path.name for path in (home / one / "folds").iterdir())
    names = [f"{fold}/{name}" for fold in folds for name in JUDGED]
    same = [
        (home / one / "folds" / name).read_bytes() == (home / other / "folds" / name).read_bytes()
        for name in names
    ]
    return [name for name, equal in zip(names, same, strict=True) if not equal]


def in_training(home: Path, out: str, nodes: list[int]) -> bool:
    """Tell whether the second node has a job, and every job at work has saved an epoch."""
    open_folds = [fold for fold in (home / out).glob("folds/*") if not (fold / "metrics.json").exists()]
    at_work = [len(workers_of(node)) for node in nodes]
    saved = [fold for fold in open_folds if (fold / "state.npz").exists()]
    return at_work[1] > 0 and len(saved) == len(open_folds) >= sum(at_work)


def kill_worker(home: Path, out: str, nodes: list[int], process: subprocess.Popen[str]) -> None:
    """Kill the process of a job on the second node after an epoch was saved."""
    until(lambda: in_training(home, out, nodes), "a worker in training")
    kill(workers_of(nodes[1]))


def kill_node(home: Path, out: str, nodes: list[int], process: subprocess.Popen[str]) -> None:
    """Kill all processes of the second node after an epoch was saved."""
    until(lambda: in_training(home, out, nodes), "a worker in training")
    kill(descendants(nodes[1])[::-1])


def fill_disk(home: Path, out: str, nodes: list[int], process: subprocess.Popen[str]) -> None:
    """Let the second node, and it alone, find a full disk where folds are written."""
    until(lambda: in_training(home, out, nodes), "a worker in training")
    folder = home / out / "folds"
    inside = ["nsenter", "-m", "-t", str(workers_of(nodes[1])[0])]
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], check=True)


def interrupt(home: Path, out: str, nodes: list[int], process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C after an epoch was saved."""
    until(lambda: in_training(home, out, nodes), "a worker in training")
    process.send_signal(signal.SIGINT)


FAULTS = {
    "interrupted and resumed": interrupt,
    "worker killed": kill_worker,
    "disk full on one node": fill_disk,
    "node killed": kill_node,
}
RUNS = ("two nodes", *FAULTS)
"""In this order: the last leaves one node."""
FULL_DISK = "The full disk is a tmpfs of 16 kB over the second node's view of the folder of folds."
NUMBERS = ("wall_s", "load_before", "stopped_after_s", "ended_after_s")


def measured(home: Path, nodes: list[int], name: str) -> dict[str, Any]:
    """Run once on two nodes, with a fault or without, and compare with the run in one process."""
    out = name.replace(" ", "-")
    options = ["--cluster", f"127.0.0.1:{PORT}", "--jobs", "1"]
    facts: dict[str, Any] = {}
    load, begun = os.getloadavg()[0], time.monotonic()
    process = start(home, out, *options)
    if name in FAULTS:
        FAULTS[name](home, out, nodes, process)
        struck = time.monotonic()
        if name == "interrupted and resumed":
            end(process, 130)
            facts["stopped_after_s"] = round(time.monotonic() - struck, 1)
            process = start(home, out, *options, resume=True)
    said = end(process)
    wall = time.monotonic() - begun
    if name in FAULTS:
        facts["ended_after_s"] = round(time.monotonic() - struck, 1)
    marks = ("goes on from", "gets no more jobs")
    lines = [line.replace(f"{home}/", "").strip() for line in said.splitlines()]
    return {
        "wall_s": round(wall, 1),
        "load_before": round(load, 2),
        "files_that_differ": differing(home, "one", out),
        "said": [line for line in lines if any(mark in line for mark in marks)],
        **facts,
    }


def table_of(facts: dict[str, Any], path: Path) -> ResultsFile:
    """Return the table of what was measured."""
    one, runs = facts["one process"], facts["runs"]
    rows = [
        row("one process", "wall_s", one["wall_s"]),
        row("one process", "load_before", one["load_before"]),
    ]
    for name, run in runs.items():
        rows.append(row(name, "speed_up", round(one["wall_s"] / run["wall_s"], 2)))
        rows.append(row(name, "files_that_differ", len(run["files_that_differ"])))
        rows += [row(name, key, run[key]) for key in NUMBERS if key in run]
    size = facts["study"]
    return ResultsFile(
        name=path.stem,
        command=facts["command"],
        version=__version__,
        data=f"a simulated cohort of {max(4, size['folds'])} people, {size['minutes']} minutes each",
        simulated=True,
        split=f"{size['folds']} folds of subjects",
        normalisation="enrolment",
        seeds=tuple(range(size["seeds"])),
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            f"Two nodes of one processor each (Ray {facts['ray']}), both on this one machine, in a network "
            f"of their own that has its loopback alone; {size['folds'] * size['seeds']} folds of "
            f"{size['epochs']} epochs. Other programs used the machine meanwhile: load_before is how many "
            f"waited for its {os.cpu_count()} cores. So speed_up, the time of one process over that of the "
            "run, says more about that and about starting than about a cluster; a run with a fault includes "
            "the recovery.",
            "files_that_differ: of each fold's metrics.json, predictions.csv and validation.npz, those that "
            "are not the same to the last byte as in one process. stopped_after_s: from Ctrl-C to the end of "
            "the command; ended_after_s: from the fault to the end of the run.",
            *([FULL_DISK] if "disk full on one node" in runs else []),
            *(f"{name}: the command said {line!r}." for name, run in runs.items() for line in run["said"]),
        ),
    )


def row(method: str, metric: str, value: float) -> ResultRow:
    """Return one number."""
    return ResultRow(method=method, condition="study", metric=metric, mean=value, n=1)


def main() -> None:
    """Measure and write, after each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller study")
    parser.add_argument("--only", action="append", choices=RUNS, help="of the runs")
    parser.add_argument("--results", type=Path, help="write the table here (.json, .md beside)")
    options = parser.parse_args()
    if INSIDE not in os.environ:
        namespace = ["unshare", "-rnmpf", "--kill-child", "--mount-proc", "bash", "-c"]
        inside = 'ip link set lo up && exec "$@"'
        os.environ[INSIDE] = "1"
        raise SystemExit(subprocess.call([*namespace, inside, "_", sys.executable, *sys.argv]))
    import ray  # pyright: ignore[reportMissingImports]

    size = {"epochs": 24, "folds": 4, "seeds": 2, "minutes": 30}
    if options.quick:
        size = {"epochs": 8, "folds": 2, "seeds": 1, "minutes": 7}
    facts: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/cluster.py", *sys.argv[1:]]),
        "ray": ray.__version__,
        "study": {**size, "jobs": size["folds"] * size["seeds"]},
    }
    with tempfile.TemporaryDirectory(prefix="mmq-cluster-") as folder:
        home = Path(folder)
        study(home, **size)
        cache = {**os.environ, "MMQ_CACHE": str(home / "cache")}
        prepare = [*PROGRAM, "prepare", "study.toml", "--data", "cohort"]
        subprocess.run(prepare, cwd=home, env=cache, check=True, capture_output=True)
        load, begun = os.getloadavg()[0], time.monotonic()
        end(start(home, "one", "--jobs", "1"))
        one = round(time.monotonic() - begun, 1)
        facts["one process"] = {"wall_s": one, "load_before": round(load, 2)}
        facts["runs"] = {}
        with two_nodes(home) as nodes:
            for name in [name for name in RUNS if not options.only or name in options.only]:
                facts["runs"][name] = measured(home, nodes, name)
                if options.results:
                    write_results(options.results, table_of(facts, options.results))
    sys.stdout.write(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
