# SPDX-License-Identifier: Apache-2.0
"""A cleaning step as a matrix, and steps made into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mne.io import BaseRaw


@dataclass(frozen=True, eq=False)
class Step:
    """One fitted step over all n channels of a recording: ``y = matrix @ x + offset``.

    Attributes
    ----------
    name : str
        What it does, for people.
    matrix : ndarray, shape (n, n)
        float64, no unit; rows and columns in the order of the recording's channels.
    offset : ndarray, shape (n,)
        In V. The device leaves it out: its front end takes the mean off before the matrix.
    apply : callable
        The same done by MNE itself, to a raw in place; the matrix is judged against it.
    """

    name: str
    matrix: np.ndarray
    offset: np.ndarray
    apply: Callable[[BaseRaw], object]


def probe(raw: BaseRaw, apply: Callable[[BaseRaw], object]) -> tuple[np.ndarray, np.ndarray]:
    """Find out exactly which matrix and offset an operation of MNE is, by running it.

    The operation gets n + 1 samples: all zeros, then 1 V at each channel in turn. Right for everything that
    treats samples one by one; `mne.preprocessing.EOGRegression` does not (it takes off the mean over time).

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Channels, types, bads and positions; its samples are not looked at.
    apply : callable
        Changes a raw in place.

    Returns
    -------
    matrix : ndarray, shape (n, n)
    offset : ndarray, shape (n,)
        In V.
    """
    import mne

    count = len(raw.ch_names)
    impulses = np.concatenate([np.zeros((count, 1)), np.eye(count)], axis=1)
    trial = mne.io.RawArray(impulses, raw.info.copy())
    apply(trial)
    answer = np.asarray(trial.get_data())
    offset = answer[:, 0].copy()
    return answer[:, 1:] - offset[:, None], offset


def compose(steps: Sequence[Step], channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Multiply steps into one, the first applied first.

    Returns
    -------
    matrix : ndarray, shape (channels, channels)
        The identity where there is no step.
    offset : ndarray, shape (channels,)
    """
    matrix, offset = np.eye(channels), np.zeros(channels)
    for step in steps:
        matrix, offset = step.matrix @ matrix, step.matrix @ offset + step.offset
    return matrix, offset
