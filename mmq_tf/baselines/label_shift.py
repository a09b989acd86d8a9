# SPDX-License-Identifier: Apache-2.0
"""The label-shift null control: labels shifted in time within each session; only time is left to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmq_tf.features.windows import WindowSet

LEAST_SHIFT_S = 180.0
SHIFT_SEED = 4303
_SUFFIX = "_shifted"


def shifted_name(method: str) -> str:
    """Return what a method is called in the results when its labels were moved.

    Examples
    --------
    >>> shifted_name("forest")
    'forest_shifted'
    """
    return method + _SUFFIX


def is_shifted(name: str) -> bool:
    """Tell whether a method's labels were moved."""
    return name.endswith(_SUFFIX)


def unshifted_name(name: str) -> str:
    """Return whose labels were moved: the inverse of `shifted_name`."""
    return name.removesuffix(_SUFFIX)


def shift_labels(windows: WindowSet, seed: int, least_s: float = LEAST_SHIFT_S) -> WindowSet:
    """Return the windows with the labels of each session rotated in time.

    The labels' shares and the lengths of their runs stay; their link with the signals is cut. A method that
    scores above chance on them, fitted and judged so, has learnt something else than the label: how signals
    drift, or the order of the tasks. It can do so, a little, wherever a class fills one block of a session
    that is short against the least shift: a moved label then never stands where it stood. Where the classes
    alternate it cannot. Each session's rotation is drawn from the seed and the session's own
    name alone: the same in whichever fold and on whichever side it is.

    Parameters
    ----------
    windows : WindowSet
        Of any number of subjects and sessions.
    seed : int
    least_s : float
        Seconds that labels move at least, forwards or backwards round the session's end; in a session
        shorter than six times that, a sixth of its windows. The label of a session's only window stays.
    """
    label = windows.label.copy()
    for subject, session in dict.fromkeys(
        zip(windows.subject.tolist(), windows.session.tolist(), strict=True)
    ):
        rows = np.flatnonzero((windows.subject == subject) & (windows.session == session))
        if rows.size < 2:
            continue
        rows = rows[np.argsort(windows.start_s[rows], kind="stable")]
        least = min(_windows_in(least_s, windows.start_s[rows]), max(1, rows.size // 6))
        rng = np.random.default_rng([SHIFT_SEED, seed, *f"{subject}/{session}".encode()])
        label[rows] = np.roll(windows.label[rows], int(rng.integers(least, rows.size - least + 1)))
    return replace(windows, label=label)


def _windows_in(seconds: float, start_s: np.ndarray) -> int:
    """Return how many windows, of these starts in order, begin within some seconds: at least 1."""
    stride = float(np.median(np.diff(start_s)))
    return max(1, int(np.ceil(seconds / stride))) if stride > 0 else 1
