# SPDX-License-Identifier: Apache-2.0
"""How an enrolment counts evidence (version 3): the rule of the core's normalise.c over whole arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOT_ON_A_BODY = ("temp", "acc")
"""Modalities that are present on a table too, so that they cannot tell that a device is worn."""


def body_modalities(names: Sequence[str]) -> tuple[str, ...]:
    """Return the modalities whose present tokens end an enrolment: those of a body, or all without any.

    Examples
    --------
    >>> body_modalities(("ppg", "temp", "acc")), body_modalities(("temp", "acc"))
    (('ppg',), ('temp', 'acc'))
    """
    return tuple(name for name in names if name not in NOT_ON_A_BODY) or tuple(names)


def evidence(names: Sequence[str], presence: np.ndarray) -> np.ndarray:
    """Return int [n]: the most present tokens that any of `body_modalities` has had by each token's end.

    Parameters
    ----------
    names : sequence of str
        The M modalities.
    presence : ndarray of bool, shape (n, M)
    """
    columns = [list(names).index(name) for name in body_modalities(names)]
    return np.cumsum(presence[:, columns] != 0, axis=0).max(axis=1, initial=0)


def enrolment_end(names: Sequence[str], presence: np.ndarray, tokens: int) -> int | None:
    """Return the first token after an enrolment of so many tokens; None where it does not end.

    Examples
    --------
    >>> present = np.array([[0, 1], [1, 1], [0, 1], [1, 1]], bool)
    >>> enrolment_end(("ppg", "temp"), present, 2), enrolment_end(("ppg", "temp"), present, 3)
    (4, None)
    """
    if tokens == 0:
        return 0
    reached = np.flatnonzero(evidence(names, presence) >= tokens)
    return int(reached[0]) + 1 if reached.size else None


def learnt_tokens(presence: np.ndarray, tokens: int) -> np.ndarray:
    """Return bool [n, M]: a modality learns from its first so many present tokens."""
    present = presence != 0
    return present & (np.cumsum(present, axis=0) <= tokens)
