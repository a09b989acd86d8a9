# SPDX-License-Identifier: Apache-2.0
"""Splits that keep subjects apart and leave validation subjects inside the training side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from mmq_tf.errors import MMQError

SIDES = ("train", "validation", "test")


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


def joined_folds(
    groups: Sequence[Sequence[str]], folds: int | Literal["loso"], validation_share: float, seed: int
) -> list[Fold]:
    """Return folds of several groups of subjects, each the union of every group's own fold of that number.

    So every side of every fold has people of each group in the group's share, and a model of one group alone
    is judged on the very people that a model of all groups is. One group gives `subject_folds`.

    Parameters
    ----------
    groups
        Names; nobody belongs to two of them.
    folds, validation_share, seed
        As for `subject_folds`.

    Raises
    ------
    MMQError
        If a group has too few subjects, or one subject is to be left out of several groups.
    """
    if folds == "loso" and len(groups) > 1:
        raise MMQError(
            "leaving one subject out tests people of one data set a fold, and the pooled ones are to be "
            "judged together; give a number of folds."
        )
    own = [subject_folds(group, folds, validation_share, seed) for group in groups]
    return [
        Fold(*(tuple(sorted(chain(*(getattr(fold, side) for fold in parts)))) for side in SIDES))
        for parts in zip(*own, strict=True)
    ]


def dataset_folds(groups: Sequence[Sequence[str]], validation_share: float, seed: int) -> list[Fold]:
    """Return a fold for each group of subjects, which tests all of it; of each other group some choose.

    Parameters
    ----------
    groups
        Subjects by data set; nobody belongs to two of them.
    validation_share, seed
        As for `subject_folds`; the share is taken of each group.

    Raises
    ------
    MMQError
        If there are not two groups, or one has fewer than two subjects.
    """
    names = [sorted(set(group)) for group in groups]
    if len(names) < 2 or min(map(len, names)) < 2:
        raise MMQError(
            "leaving one data set out needs two or more of them, each with two subjects or more; got "
            f"{', '.join(str(len(group)) for group in names) or 'none'}."
        )
    folds = []
    for index, test in enumerate(names):
        parts = [
            _fold(sorted({*group, *test}), test, validation_share, seed, index)
            for other, group in enumerate(names)
            if other != index
        ]
        train, validation = (
            tuple(sorted(chain(*(getattr(part, side) for part in parts)))) for side in SIDES[:2]
        )
        folds.append(Fold(train, validation, tuple(test)))
    return folds


def _fold(names: list[str], test: Sequence[str], validation_share: float, seed: int, index: int) -> Fold:
    rest = [name for name in names if name not in set(test)]
    size = min(max(1, round(validation_share * len(rest))), len(rest) - 1)
    shuffled = [str(name) for name in np.random.default_rng([seed, 1, index]).permutation(rest)]
    return Fold(
        train=tuple(sorted(shuffled[size:])),
        validation=tuple(sorted(shuffled[:size])),
        test=tuple(sorted(str(name) for name in test)),
    )
