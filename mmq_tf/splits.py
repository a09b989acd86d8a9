"""Splits that keep subjects apart and leave validation subjects inside the training side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmq_tf.errors import MMQError


@dataclass(frozen=True)
class Fold:
    """One fold: who trains, who chooses, who judges. The three never share a subject."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def subject_folds(
    subjects: Sequence[str], folds: int | Literal["loso"], validation_share: float, seed: int
) -> list[Fold]:
    """Return folds of subjects: every subject is tested exactly once.

    Parameters
    ----------
    subjects
        Names; repeated ones count once.
    folds
        Number of folds, or "loso" (leave one subject out).
    validation_share
        Share of the subjects outside the test fold that choose epoch and calibration (at least one).
    seed
        Of the shuffles; the same seed gives the same folds on every machine.

    Raises
    ------
    MMQError
        If there are too few subjects for that many folds.
    """
    names = sorted(set(subjects))
    count = len(names) if folds == "loso" else folds
    if len(names) < count or len(names) - -(-len(names) // count) < 2:
        raise MMQError(
            f"{len(names)} subjects cannot be split into {count} folds with validation subjects of their "
            "own; use fewer folds or more subjects."
        )
    order = names if folds == "loso" else list(np.random.default_rng([seed, 0]).permutation(names))
    return [_fold(names, order[index::count], validation_share, seed, index) for index in range(count)]


def _fold(names: list[str], test: Sequence[str], validation_share: float, seed: int, index: int) -> Fold:
    rest = [name for name in names if name not in set(test)]
    size = min(max(1, round(validation_share * len(rest))), len(rest) - 1)
    shuffled = [str(name) for name in np.random.default_rng([seed, 1, index]).permutation(rest)]
    return Fold(
        train=tuple(sorted(shuffled[size:])),
        validation=tuple(sorted(shuffled[:size])),
        test=tuple(sorted(str(name) for name in test)),
    )
