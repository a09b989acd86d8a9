# SPDX-License-Identifier: Apache-2.0
"""Meiosis: two people who met the same second of the same stimulus exchange what came after a cut in time.

As in SGMC (arXiv 2208.00877), which ME-MHACL (arXiv 2308.01919, abstract only) builds on: pairs of people
give pairs of offspring, one of each goes into each of two groups, and the two groups of one second belong
together. SGMC's public code cuts DEAP along its channels; the cut here is in time, as the method says, and
the same for every modality.

Both parents of a pair are in both groups, so what one person's body does by itself at that time could tell
which groups belong together, and the stimulus need not be learned. Therefore offspring may be shown on one
side of the cut only: then each group holds one parent of a pair, and what people share is left to go by.

Everything is drawn as numbers of windows (`Offspring`); samples are copied once, when a batch is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmq_tf.errors import MMQError

EARLIEST_CUT, LATEST_CUT = 0.1, 0.9
"""Where a window may be cut, as shares of it."""

WHOLE, BEFORE, AFTER = 0, 1, 2
"""What is shown of an offspring."""

ABSENT = -1
"""Number of a window that a person does not have."""


@dataclass(frozen=True)
class Offspring:
    """Which windows each offspring is put together from.

    Parameters
    ----------
    before, after : numpy.ndarray
        int ``[2, P, Q]``: the number of the window whose beginning, and of the one whose end is taken, for
        both groups of P moments, Q offspring each.
    cut : numpy.ndarray
        float ``[P, Q]``, the share of the window that comes before the cut; the same in both groups.
    shown : numpy.ndarray
        int ``[P, Q]``: `WHOLE`, or the side of the cut that is shown, `BEFORE` or `AFTER`; in both groups.
    """

    before: np.ndarray
    after: np.ndarray
    cut: np.ndarray
    shown: np.ndarray

    def visible(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for windows of that many steps which come before the cut, and which are shown.

        Both bool ``[P, Q, steps]``.
        """
        ahead = np.arange(steps) < cut_step(self.cut, steps)[..., None]
        shown = self.shown[..., None]
        return ahead, (shown == WHOLE) | (ahead == (shown == BEFORE))


@dataclass(frozen=True)
class Seconds:
    """Who has a window of which second of which stimulus.

    Parameters
    ----------
    window : numpy.ndarray
        int ``[K, S]``: number of the window of each of S people in each of K seconds, or `ABSENT`.
    stimulus : numpy.ndarray
        int ``[K]``: which stimulus the second belongs to.
    start_s : numpy.ndarray
        float ``[K]``: when the window begins, from the stimulus' beginning.
    window_s : float
        Length of a window.
    """

    window: np.ndarray
    stimulus: np.ndarray
    start_s: np.ndarray
    window_s: float

    def draw(self, rng: np.random.Generator, seconds: int, pairs: int, one_sided: float = 0.0) -> Offspring:
        """Draw P seconds whose windows do not overlap, and Q pairs of people for each.

        The same people serve every second of a batch wherever they have it, and the seconds lie equally far
        into their stimuli while there are stimuli enough. So neither who they are nor how long it has been
        going on (habituation, a front end that warms up) tells which second it is. Where fewer than 2 Q
        people have it, they come again with another partner or cut.

        Parameters
        ----------
        rng
            Source of all randomness.
        seconds, pairs : int
            P and Q.
        one_sided : float
            Share of the pairs whose offspring are shown on one side of the cut only.

        Raises
        ------
        MMQError
            If there are not as many seconds that do not overlap.
        """
        rows = self._apart(rng, seconds)
        here = self.window[rows] != ABSENT
        order = np.argsort(np.where(here, rng.random(self.window.shape[1]), 2.0), axis=1)
        turn = np.arange(2 * pairs) % here.sum(1)[:, None]  # neighbours differ: at least two are here
        person = np.take_along_axis(order, turn, axis=1)
        parents = np.take_along_axis(self.window[rows], person, axis=1).reshape(seconds, pairs, 2)
        parents = rng.permuted(parents, axis=2)  # which offspring goes into which group
        side = rng.choice((BEFORE, AFTER), (seconds, pairs))
        shown = np.where(rng.random((seconds, pairs)) < one_sided, side, WHOLE)
        return cross(parents, rng.uniform(EARLIEST_CUT, LATEST_CUT, (seconds, pairs)), shown)

    def _apart(self, rng: np.random.Generator, count: int) -> list[int]:
        order = rng.permutation(len(self.stimulus))
        later_s = np.abs(self.start_s[order] - self.start_s[order[0]])
        chosen = self._packed(order[np.argsort(later_s, kind="stable")], count)
        if len(chosen) < count:  # few stimuli: as many as fit, each from its beginning on
            chosen = self._packed(order[np.argsort(self.start_s[order], kind="stable")], count)
        if len(chosen) < count:
            raise MMQError(
                f"pretraining: a batch needs {count} windows of {self.window_s:g} s that do not overlap and "
                f"that two people share, but there are {len(chosen)}; lower pretraining.seconds, or shorten "
                "front_end.tokens."
            )
        return chosen

    def _packed(self, order: np.ndarray, count: int) -> list[int]:
        chosen: list[int] = []
        for row in order.tolist():
            away = np.abs(self.start_s[chosen] - self.start_s[row]) >= self.window_s - 1e-6
            if np.all(away | (self.stimulus[chosen] != self.stimulus[row])):
                chosen.append(row)
            if len(chosen) == count:
                break
        return chosen


@dataclass(frozen=True)
class Neighbours:
    """Windows of recordings that are not locked to a stimulus: two that touch in time belong together.

    Parameters
    ----------
    first, count : tuple of int
        First step of each session in the bank, and its number of steps.
    steps : int
        Steps in a window.
    """

    first: tuple[int, ...]
    count: tuple[int, ...]
    steps: int

    def draw(self, rng: np.random.Generator, seconds: int, pairs: int, one_sided: float = 0.0) -> Offspring:
        """Draw P pairs of touching windows that do not overlap each other; nothing is exchanged.

        They come from one session while it lasts, since a person is easier to tell than a moment. `pairs` and
        `one_sided` have no meaning here: each group is one window.

        Raises
        ------
        MMQError
            If all sessions together hold fewer pairs.
        """
        del pairs, one_sided
        starts: list[int] = []
        for session in rng.permutation(len(self.first)).tolist():
            both = 2 * self.steps
            phase = int(rng.integers(both))
            slots = rng.permutation(max(0, self.count[session] - both + 1) // both)
            starts += (self.first[session] + phase + slots * both).tolist()
            if len(starts) >= seconds:
                left = np.array(starts[:seconds])[:, None]
                windows = np.stack([left, left + self.steps])
                whole = np.full((seconds, 1), WHOLE)
                return Offspring(windows, windows, np.full((seconds, 1), 0.5), whole)
        raise MMQError(
            f"pretraining: {seconds} pairs of touching windows are needed a batch, but the recordings hold "
            f"only {len(starts)}; lower pretraining.seconds, or shorten front_end.tokens."
        )


def cross(parents: np.ndarray, cut: np.ndarray, shown: np.ndarray) -> Offspring:
    """Let pairs of windows exchange what comes after the cut.

    Parameters
    ----------
    parents : numpy.ndarray
        int ``[P, Q, 2]``: numbers of the two windows of each pair. The first group's offspring begin as the
        first of them and end as the second; the other group's are the complements.
    cut : numpy.ndarray
        float ``[P, Q]``, share of the window that comes before the cut.
    shown : numpy.ndarray
        int ``[P, Q]``, what is shown of each pair's offspring.

    Examples
    --------
    >>> offspring = cross(np.array([[[3, 8]]]), np.array([[0.5]]), np.array([[WHOLE]]))
    >>> offspring.before.ravel().tolist(), offspring.after.ravel().tolist()
    ([3, 8], [8, 3])
    """
    both = np.moveaxis(parents, 2, 0)
    return Offspring(before=both, after=both[::-1], cut=cut, shown=shown)


def cut_step(cut: np.ndarray, steps: int) -> np.ndarray:
    """Return after how many of a window's steps the cut falls: whole, never outside 10 to 90 % of it.

    A window of fewer than ten steps is cut after at least one and before the last.

    Examples
    --------
    >>> cut_step(np.array([0.1, 0.5, 0.9]), 12).tolist(), cut_step(np.array([0.1, 0.9]), 4).tolist()
    ([2, 6, 10], [1, 3])
    """
    low = max(1, int(np.ceil(EARLIEST_CUT * steps - 1e-9)))
    high = min(steps - 1, int(np.floor(LATEST_CUT * steps + 1e-9)))
    return np.clip(np.rint(cut * steps).astype(np.int64), low, high)
