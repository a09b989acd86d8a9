# SPDX-License-Identifier: Apache-2.0
"""Kills of the commands that write, and what is there afterwards: the old, the new, or neither."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from methods.killing import Ended, command, forked, fresh, litter, moments, states, tree

COHORT = ("simulate", "--subjects", 2, "--minutes", 7, "--modalities", "eda,temp")
BASELINES = ("majority", "logistic", "forest")
Judge = Callable[[Path], str]
"""Says of a folder after a kill: ``old``, ``new``, ``half`` or ``lost``."""


@dataclass
class Tally:
    """What became of one command's kills."""

    operations: int = 0
    kills: int = 0
    random: int = 0
    lost: int = 0
    half: int = 0
    went_on: int = 0
    equal: int = 0
    tried: int = 0
    litter: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, found: str, where: str) -> None:
        """Count what was there after a kill."""
        self.kills += 1
        self.lost += found == "lost"
        self.half += found == "half"
        if found in ("lost", "half"):
            self.faults.append(f"{where}: {found}")

    def after(self, ended: Ended, *, equal: bool, left: list[str], where: str) -> None:
        """Count what the next command did."""
        self.tried += 1
        self.went_on += ended.code == 0
        self.equal += equal
        self.litter += bool(left)
        if ended.code or not equal or left:
            self.faults.append(
                f"{where}: code {ended.code}, equal {equal}, left {left}, {ended.said[-300:]!r}"
            )


@dataclass(frozen=True)
class Case:
    """A command, the folder it begins in, what is judged, and what is run after a kill."""

    start: Path
    work: Callable[[], object]
    judge: Judge
    after: Callable[[Path], Callable[[], object]]
    is_new: Callable[[Path], bool]

    def check(self, place: Path, tally: Tally, where: str, *, go_on: bool = True) -> None:
        """Judge what a kill left; then run the next command and judge what that made."""
        tally.note(self.judge(place), where)
        if go_on:
            ended = forked(self.after(place), place)
            tally.after(ended, equal=self.is_new(place), left=litter(place), where=where)


def kill_at_each(case: Case, work_place: Path, tally: Tally, every: int = 1) -> None:
    """Kill -9 at every operation, or at every so many."""
    fresh(case.start, work_place)
    tally.operations = forked(case.work, work_place).operations
    for number in range(1, tally.operations + 1, every):
        fresh(case.start, work_place)
        ended = forked(case.work, work_place, kill_at=number)
        if ended.code != -9:
            raise RuntimeError(f"operation {number} was not reached: {ended}")
        case.check(work_place, tally, f"operation {number}")


def kill_at_moments(
    case: Case, work_place: Path, tally: Tally, count: int, seconds: float | None = None, seed: int = 0
) -> None:
    """Kill -9 at random moments of the time that the command takes, measured where it is not given."""
    if seconds is None:
        fresh(case.start, work_place)
        began = time.monotonic()
        forked(case.work, work_place)
        seconds = time.monotonic() - began
    for moment in moments(count, seconds, seed):
        fresh(case.start, work_place)
        forked(case.work, work_place, kill_after_s=moment)
        tally.random += 1
        case.check(work_place, tally, f"after {moment:.3f} s")


def judge_each_state(
    case: Case, work_place: Path, kept: Path, tally: Tally, following: int | None = None
) -> float:
    """Judge the folder as it was before each operation of one run; go on from so many of them, or from all.

    Returns
    -------
    float
        Seconds that the run took.
    """
    began = time.monotonic()
    ended, found = states(case.work, case.start, work_place, kept)
    seconds = time.monotonic() - began
    if ended.code:
        raise RuntimeError(f"the command itself failed: {ended}")
    tally.operations = ended.operations
    following = len(found) if following is None else following
    chosen = {int((n + 0.5) * len(found) / following) for n in range(following)}
    for number, state in enumerate(found):
        fresh(state, work_place)
        case.check(work_place, tally, f"before operation {int(state.name)}", go_on=number in chosen)
    return seconds


def old_or_new(name: str, old: Mapping[str, str] | None, new: Mapping[str, str]) -> Judge:
    """Return a judge of one folder that is replaced as a whole; `old` is None where there was none."""

    def judge(place: Path) -> str:
        if not (place / name).exists():
            return "old" if old is None else "lost"
        found = tree(place / name)
        return "old" if found == old else "new" if found == new else "half"

    return judge


def simulate_case(home: Path) -> Case:
    """``simulate --force`` over an older cohort."""
    start = home / "start"
    start.mkdir(parents=True)
    old, again = (command(*COHORT, "--out", "cohort", "--seed", seed, "--force") for seed in (1, 2))
    _must(forked(old, start))
    new = fresh(start, home / "new")
    _must(forked(again, new))
    want = tree(new / "cohort")
    judge = old_or_new("cohort", tree(start / "cohort"), want)
    return Case(start, again, judge, lambda place: again, lambda place: tree(place / "cohort") == want)


def prepare_case(home: Path, config: str) -> Case:
    """``prepare`` into a cache that holds one recording already; an entry is whole or not there."""
    start = home / "start"
    start.mkdir(parents=True)
    (start / "tiny.toml").write_text(config)
    _must(forked(command(*COHORT, "--out", "cohort", "--seed", 3), start))
    work = command("prepare", "tiny.toml", "--data", "cohort", "--jobs", 1)
    first = fresh(start, home / "new")
    time.sleep(2.5)  # a file that has just changed has no digest kept, so both runs begin alike
    _must(forked(work, first))
    want = tree(first / "cache" / "tokens")
    held = sorted({name.partition("/")[0] for name in want})[0]

    def judge(place: Path) -> str:
        found = {name: one for name, one in tree(place / "cache" / "tokens").items() if name[0] != "."}
        entries = {name.partition("/")[0] for name in found}
        if held not in entries:
            return "lost"
        whole = {name: one for name, one in want.items() if name.partition("/")[0] in entries}
        return "half" if found != whole else "new" if found == want else "old"

    (start / "cache" / "tokens").mkdir(parents=True)
    fresh(first / "cache" / "tokens" / held, start / "cache" / "tokens" / held)
    return Case(
        start, work, judge, lambda place: work, lambda place: tree(place / "cache" / "tokens") == want
    )


def get_case(home: Path, url: str, files: Mapping[str, bytes]) -> Case:
    """``datasets get`` of a made data set over a wrong copy of one file."""
    import hashlib

    from mmq_tf.datasets.fetch.fetching import PinnedSource, fetch
    from mmq_tf.datasets.fetch.registry import Pin

    start = home / "start"
    (start / "data").mkdir(parents=True)
    old = b"a wrong copy"
    first = next(iter(files))
    (start / "data" / first).write_bytes(old)
    pins = {name: Pin(hashlib.sha256(content).hexdigest()) for name, content in files.items()}
    source = PinnedSource("made", url, re.compile("(x)"), "", pins)

    def work() -> None:
        fetch(source, Path("data"))

    def judge(place: Path) -> str:
        there = {path.name: path.read_bytes() for path in (place / "data").iterdir() if path.name[0] != "."}
        if first not in there:
            return "lost"
        if any(content not in (files[name], old) for name, content in there.items()):
            return "half"
        return "new" if there == files else "old"

    def is_new(place: Path) -> bool:
        return {path.name: path.read_bytes() for path in (place / "data").iterdir()} == files

    return Case(start, work, judge, lambda place: work, is_new)


def _must(ended: Ended) -> None:
    if ended.code:
        raise RuntimeError(f"a command that was not killed failed: {ended}")


def quick(work: Callable[[], object]) -> Callable[[], object]:
    """Return a training without traced graphs, judged beside `BASELINES` alone: the same files, sooner."""

    def done() -> None:
        import tensorflow as tf

        from mmq_tf.evaluation import judge_fold

        tf.config.run_functions_eagerly(True)
        judge_fold.BASELINES = {name: judge_fold.BASELINES[name] for name in BASELINES}
        work()

    return done


def run_results(folder: Path) -> tuple[object, bytes]:
    """Return what a finished run measured, and its predictions as they were written."""
    facts = json.loads((folder / "metrics.json").read_text())
    return [facts["results"], facts["decision"]], (folder / "predictions.csv").read_bytes()


def train_case(home: Path, config: str, *, force: bool) -> Case:
    """``train``, into a new folder or with ``--force`` over a finished run of another seed."""
    start = home / "start"
    start.mkdir(parents=True)
    (start / "tiny.toml").write_text(config)
    _must(forked(command("simulate", "--subjects", 4, "--minutes", 7, "--modalities", "eda,temp",
                         "--out", "cohort"), start))  # fmt: skip
    base = ("train", "tiny.toml", "--data", "cohort", "--jobs", 1, "--no-final", "--out", "run")
    work = quick(command(*base, *(("--force",) if force else ())))
    new = fresh(start, home / "new")
    _must(forked(quick(command(*base)), new))
    want = run_results(new / "run")
    fresh(new / "cache", start / "cache")  # the recordings are prepared; that is another case
    if force:
        _must(forked(quick(command(*base, "--seed", 9)), start))
    old = tree(start / "run") if force else None

    def judge(place: Path) -> str:
        run = place / "run"
        if (run / "metrics.json").is_file():
            if tree(run) == old:
                return "old"
            return "new" if run_results(run) == want else "half"
        if old is not None:
            return "half" if run.exists() else "lost"
        if not run.exists():
            return "old"
        begun = (run / "config.toml").is_file() and (run / "run.json").is_file()
        return "new" if begun else "half"

    def after(place: Path) -> Callable[[], object]:
        pending = (place / ".run.new" / "run.json").is_file()
        begun = pending or (not force and (place / "run" / "run.json").is_file())
        return quick(command("train", "--resume", "--jobs", 1, "--out", "run")) if begun else work

    def is_new(place: Path) -> bool:
        return (place / "run" / "metrics.json").is_file() and run_results(place / "run") == want

    return Case(start, work, judge, after, is_new)


def export_case(home: Path, run: Path) -> Case:
    """``export`` over an older bundle; what follows a kill writes the same files by the same way."""
    from mmq_export.folder import BUNDLE

    start = home / "start"
    start.mkdir(parents=True)
    fresh(run, start / "run")
    work = command(
        "export", "run", "--int8", "--slim", "--below-chance", "--max-drop", 100, "--out", "bundle"
    )
    new = fresh(start, home / "new")
    _must(forked(work, new))
    files = {
        path.relative_to(new / "bundle").as_posix(): path.read_bytes()
        for path in (new / "bundle").rglob("*")
        if path.is_file()
    }
    BUNDLE.write(start / "bundle", {"manifest.json": b"{}", "old.txt": b"an older bundle"})
    old = tree(start / "bundle")
    names = set(tree(new / "bundle"))

    def judge(place: Path) -> str:
        if not (place / "bundle").exists():
            return "lost"
        found = tree(place / "bundle")
        return "old" if found == old else "new" if set(found) == names else "half"

    def again() -> None:
        BUNDLE.write(Path("bundle"), files)

    return Case(start, work, judge, lambda place: again, lambda place: set(tree(place / "bundle")) == names)
