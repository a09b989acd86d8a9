# SPDX-License-Identifier: Apache-2.0
"""One search: values are tried one after the other, poor ones given up early, all written down."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.tuning.space import OneOf, Space, Value
from mmq_tf.utils.atomic_files import write_text

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial as OptunaTrial

STEPS = 10_000
"""More steps than any inner fold reports: step s of fold k is number ``k * STEPS + s``."""
DRAWN = 5
"""So many trials are drawn at random before what was found leads the search."""
BEFORE_PRUNING = 4
"""Nothing is given up before so many trials are whole, nor in a trial's first epochs of that number."""


@dataclass
class Attempt:
    """One trial: its values (none: the preset as it is), its score in each inner fold, what it reported.

    `reports` are pairs of a step and the mean score up to there; a trial that was given up is `pruned`.
    """

    values: dict[str, Value] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    reports: list[tuple[int, float]] = field(default_factory=list)
    pruned: bool = False

    @property
    def score(self) -> float:
        """The mean over inner folds."""
        return fmean(self.scores)


class GivenUp(Exception):
    """Raised inside a trial that is worse than the median of those before it."""


class Reporter:
    """What a trial tells while it is at work; raises `GivenUp` where it is not worth going on."""

    def __init__(self, attempt: Attempt, trial: OptunaTrial | None) -> None:
        self._attempt, self._trial = attempt, trial

    def step(self, number: int, score: float) -> None:
        """Take the score at a step of the inner fold that is at work, counted from 1."""
        self._report(len(self._attempt.scores) * STEPS + number, fmean([*self._attempt.scores, score]))

    def fold(self, score: float) -> None:
        """Take the score of an inner fold that is done."""
        self._attempt.scores.append(score)
        self._report(len(self._attempt.scores) * STEPS, self._attempt.score)

    def _report(self, step: int, value: float) -> None:
        self._attempt.reports.append((step, value))
        if self._trial is not None:
            self._trial.report(value, step)
            if self._trial.should_prune():
                raise GivenUp


Try = Callable[[dict[str, Value], Reporter], None]
"""Scores values on every inner fold and tells the reporter."""


def check_optuna() -> None:
    """Say what is missing where Optuna is.

    Raises
    ------
    MMQError
        If it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MMQError("a search needs Optuna: pip install 'mmq-tf[tune]'.")


def search(
    space: Space,
    preset: Mapping[str, Any],
    budget: int,
    attempt: Try,
    path: Path,
    seed: Sequence[int],
    on_attempt: Callable[[Sequence[Attempt]], None] = lambda tried: None,
) -> list[Attempt]:
    """Try `budget` sets of values, the preset first, and return them all in their order.

    What lies in `path` is not tried again; each trial is drawn from the seed, its number and those before it
    alone. So a search that was stopped goes on as if it had not been, and a larger budget continues a
    smaller one.

    Parameters
    ----------
    space
        What may be changed.
    preset
        The values where nothing is changed; they lead the search as well, where all lie in the space.
    budget
        Trials, the preset's included.
    attempt
        Called with values, none for the preset.
    path
        The file of trials, written after each.
    seed
        Of the draws.
    on_attempt
        Called with all trials after each.

    Raises
    ------
    MMQError
        If the file cannot be read, or Optuna is not installed.
    """
    check_optuna()
    tried = read_attempts(path)
    study = _new_study()
    for one in tried:
        _tell(study, one, space, preset)
    while len(tried) < budget:
        one, trial = Attempt(), None
        if tried:
            study.sampler = _sampler([*seed, len(tried)])
            trial = study.ask({name: _distribution(values) for name, values in space.items()})
            one.values = trial.params
        try:
            attempt(one.values, Reporter(one, trial))
        except GivenUp:
            one.pruned = True
        if trial is None:
            _tell(study, one, space, preset)
        else:
            _close(study, trial, one)
        tried.append(one)
        write_text(path, json.dumps([asdict(attempt) for attempt in tried], indent=1))
        on_attempt(tried)
    return tried[:budget]


def best(tried: Sequence[Attempt]) -> Attempt:
    """Return the trial with the highest score of those that were not given up; the first of equals."""
    return max((one for one in tried if not one.pruned), key=lambda one: one.score)


def read_attempts(path: Path) -> list[Attempt]:
    """Return the trials in a file, none where there is no file.

    Raises
    ------
    MMQError
        If it is something else.
    """
    try:
        found = [Attempt(**one) for one in json.loads(path.read_text("utf-8"))]
        for one in found:
            one.reports = [(int(step), float(value)) for step, value in one.reports]
            one.scores = [float(score) for score in one.scores]
            if not (isinstance(one.values, dict) and (one.pruned or isfinite(one.score))):
                raise ValueError("a trial without values or without a score")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MMQError(f"{path}: is no file of trials ({error}); remove it to search anew.") from error
    return found


def _new_study() -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(BEFORE_PRUNING, BEFORE_PRUNING, n_min_trials=BEFORE_PRUNING)
    return optuna.create_study(direction="maximize", pruner=pruner)


def _sampler(seed: Sequence[int]) -> Any:
    """Return a sampler of its own for one trial, so that none depends on what a process drew before."""
    from optuna.samplers import TPESampler

    number = int(np.random.SeedSequence(list(seed)).generate_state(1)[0])
    return TPESampler(n_startup_trials=DRAWN, seed=number)


def _close(study: Study, trial: OptunaTrial, one: Attempt) -> None:
    from optuna.trial import TrialState

    if one.pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, one.score)


def _tell(study: Study, one: Attempt, space: Space, preset: Mapping[str, Any]) -> None:
    """Give a study a trial that is done; not a preset that lies outside the space."""
    from optuna.trial import TrialState, create_trial

    values = one.values or dict(preset)
    if not all(space[name].holds(values[name]) for name in space):
        return
    study.add_trial(
        create_trial(
            state=TrialState.PRUNED if one.pruned else TrialState.COMPLETE,
            value=one.reports[-1][1] if one.pruned else one.score,
            params={name: values[name] for name in space},
            distributions={name: _distribution(space[name]) for name in space},
            intermediate_values=dict(one.reports),
        )
    )


def _distribution(values: Any) -> Any:
    from optuna import distributions as kinds

    if isinstance(values, OneOf):
        return kinds.CategoricalDistribution(list(values.values))
    if values.whole:
        return kinds.IntDistribution(int(values.low), int(values.high), log=values.log)
    return kinds.FloatDistribution(values.low, values.high, log=values.log)
