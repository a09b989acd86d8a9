# SPDX-License-Identifier: Apache-2.0
"""Kill every command that writes, at each file operation and at random moments, and see what is there.

python benchmarks/fault_campaign.py --results results/fault_campaign.json
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import tomli_w
from methods.fault_campaign import (
    Case,
    Tally,
    export_case,
    get_case,
    judge_each_state,
    kill_at_each,
    kill_at_moments,
    prepare_case,
    simulate_case,
    train_case,
)

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

FILES = {name: os.urandom(1) * 40_000 for name in ("a.bin", "b.bin", "c.bin")}
LIGHT, HEAVY = ("simulate", "get", "prepare"), ("train", "train --force", "export")
CHAINS = (LIGHT, ("train",), ("train --force",), ("export",))
"""What runs side by side."""
CONFIG = {
    "name": "tiny",
    "seeds": [3],
    "data": {"dataset": "simulated", "task": "stress"},
    "front_end": {
        "token_s": 5,
        "tokens": 4,
        "modalities": {name: {"sampling_rate_hz": 4} for name in ("eda", "temp")},
    },
    "normalisation": {"mode": "enrolment", "enrolment_s": 60},
    "windows": {"stride_s": 20},
    "artefacts": {"variants": 1},
    "split": {"folds": 2},
    "training": {"epochs": 1, "batch_size": 16},
}


@contextmanager
def server() -> Iterator[str]:
    """Serve `FILES` from a process of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = FILES[self.path.lstrip("/")]
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            with suppress(ConnectionError):  # who asked was killed
                self.wfile.write(content[start:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    child = os.fork()
    if not child:
        http.serve_forever()
    try:
        yield f"http://127.0.0.1:{http.server_port}/"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        http.server_close()


def load_light() -> None:
    """Import what the commands without a network need, before anything is forked."""
    import requests  # noqa: F401  a forked process has it already

    import mmq_tf.cli.datasets_get
    import mmq_tf.cli.prepare
    import mmq_tf.cli.simulate  # noqa: F401  as requests
    from mmq_tf.features import prepare_dataset  # noqa: F401  as requests


def load_heavy() -> None:
    """Import what a training and an export need; TensorFlow begins nothing before it computes."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "TF_DETERMINISTIC_OPS": "1"}
    import mmq_tf.api.exporting
    import mmq_tf.cli.export
    import mmq_tf.cli.train
    import mmq_tf.evaluation.judge_fold
    import mmq_tf.reports.run_report
    import mmq_tf.training.run_streams  # noqa: F401  a forked process has it already


def light(name: str, home: Path, every: int, count: int) -> Tally:
    """Kill one of `LIGHT` at every so many operations and at so many moments."""
    tally = Tally()
    with server() as url:
        make: dict[str, Callable[[], Case]] = {
            "simulate": lambda: simulate_case(home / "simulate"),
            "get": lambda: get_case(home / "get", url, FILES),
            "prepare": lambda: prepare_case(home / "prepare", tomli_w.dumps(CONFIG)),
        }
        case = make[name]()
        kill_at_each(case, home / name / "work", tally, every)
        kill_at_moments(case, home / name / "work", tally, count)
    return tally


def heavy(name: str, home: Path, following: int | None, count: int) -> Tally:
    """Judge one of `HEAVY` before every operation; go on from some; kill at so many moments."""
    tally = Tally()
    place = home / name.replace(" --", "-")
    if name == "export":
        train_case(home / "exported", tomli_w.dumps(CONFIG), force=False)
        case = export_case(place, home / "exported" / "new" / "run")
    else:
        case = train_case(place, tomli_w.dumps(CONFIG), force=name.endswith("force"))
    seconds = judge_each_state(case, place / "work", place / "kept", tally, following)
    kill_at_moments(case, place / "work", tally, count, seconds)
    return tally


def rows_of(name: str, tally: Tally) -> list[ResultRow]:
    """Return the numbers of one command."""
    values = {
        "file_operations": tally.operations,
        "kills": tally.kills,
        "kills_at_random_moments": tally.random,
        "lost": tally.lost,
        "half": tally.half,
        "next_commands": tally.tried,
        "next_went_on": tally.went_on,
        "then_equal": tally.equal,
        "then_litter": tally.litter,
    }
    return [
        ResultRow(method=name, condition="killed", metric=metric, mean=value, n=tally.kills)
        for metric, value in values.items()
    ]


def campaign(
    names: Sequence[str], home: Path, every: int, count: int, following: int | None
) -> dict[str, Tally]:
    """Kill some of the commands, one after the other; say what was found."""
    tallies = {}
    for name in names:
        if name in LIGHT:
            found = light(name, home, every, count)
        else:
            found = heavy(name, home, following, count)
        tallies[name] = found
        click.echo(
            f"{name}: {found.operations} operations, {found.kills} kills: lost {found.lost}, half"
            f" {found.half}; next command went on {found.went_on} of {found.tried}, equal {found.equal},"
            f" litter {found.litter}"
        )
        for fault in found.faults[:20]:
            click.echo(f"  {fault}")
    return tallies


def side_by_side(chains: Sequence[Sequence[str]], home: Path, *numbers: Any) -> dict[str, Tally]:
    """Run each chain of commands in a process of its own."""
    children = {}
    for chain in chains:
        told = home / f"{chain[0]}.json"
        child = os.fork()
        if not child:
            code = 1
            try:
                found = campaign(chain, home, *numbers)
                told.write_text(json.dumps({name: asdict(tally) for name, tally in found.items()}))
                sys.stdout.flush()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children[child] = told
    if any([os.waitpid(child, 0)[1] for child in children]):
        raise click.ClickException("a part of the campaign failed.")
    every = (json.loads(told.read_text()) for told in children.values())
    return {name: Tally(**tally) for part in every for name, tally in part.items()}


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*LIGHT, *HEAVY]), help="Only these commands.")
@click.option("--every", default=1, show_default=True, help="Kill at every so many operations.")
@click.option("--random", "count", default=50, show_default=True, help="Kills at random moments.")
@click.option("--heavy-next", type=int, help="Go on after so many kills of train, export; default: all.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, .md beside).")
def main(only: tuple[str, ...], every: int, count: int, heavy_next: int | None, results: Path | None) -> None:
    """Run the campaign; exit code 1 where anything was lost, half, or not gone on from."""
    wanted = only or (*LIGHT, *HEAVY)
    load_light()
    if set(wanted) & set(HEAVY):
        load_heavy()
    chains = [[name for name in chain if name in wanted] for chain in CHAINS]
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        tallies = side_by_side([chain for chain in chains if chain], Path(folder), every, count, heavy_next)
    if results is not None:
        write_results(results, _table(results.stem, tallies))
    if any(found.faults for found in tallies.values()):
        sys.exit(1)


def _table(name: str, tallies: dict[str, Tally]) -> ResultsFile:
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/fault_campaign.py", *sys.argv[1:]]),
        version=__version__,
        data="SIMULATED cohorts of 2 and 4, files of a local server",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(0,),
        machine=machine_description(),
        rows=tuple(row for method, tally in tallies.items() for row in rows_of(method, tally)),
        notes=(
            "Kill -9 from within, by an audit hook, before a file operation (opening to write, rename, "
            "remove, making or removing a folder), and from outside at random moments of a command's time.",
            "simulate, get and prepare are killed in earnest at every operation. Of train and export one "
            "run is made, and its folder is copied before every operation: what a kill there would leave, "
            "since it takes nothing back from the disk; equal copies count once, as a kill. All are judged; "
            "from next_commands of them the next command goes on. So that this can be done after every kill, "
            "train runs TensorFlow's functions eagerly and judges three of the baselines.",
            "lost: nothing under the name. half: neither the whole old nor the whole new (of a run: neither "
            "the finished one nor one that resumes). then_equal: after the next command everything is as "
            "in a run that was not killed: bytes of cohorts, files and features; metrics, decision and "
            "predictions of a run to the last digit; the names of a bundle's files. then_litter: something "
            "under a temporary name is left after that.",
        ),
    )


if __name__ == "__main__":
    main()
