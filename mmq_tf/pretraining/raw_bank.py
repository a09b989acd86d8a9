# SPDX-License-Identifier: Apache-2.0
"""Training subjects' raw samples in one piece, and batches of offspring taken from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmq_tf.pretraining.meiosis import AFTER, BEFORE, EARLIEST_CUT, LATEST_CUT, Offspring
from mmq_tf.pretraining.moments import StimulusTimeline
from mmq_tf.pretraining.raw_front_end import RawFrontEnd
from mmq_tf.recording import Trial


@dataclass
class RawRecording:
    """One recording's samples in steps, as `RawFrontEnd.steps_of` gives them, and what was going on."""

    subject: str
    trials: tuple[Trial, ...]
    steps: np.ndarray
    presence: np.ndarray


@dataclass(frozen=True)
class RawBank:
    """Raw samples of several recordings, one after the other; a window's number is that of its first step.

    Parameters
    ----------
    samples : numpy.ndarray
        float32 ``[n, F]``: a step's samples of all modalities side by side, normalised, 0 where absent.
    presence : numpy.ndarray
        float32 ``[n, M]``, 0 or 1.
    front_end : RawFrontEnd
        Which of the F numbers is whose, and when it was measured.
    timelines : tuple of StimulusTimeline
        Whose they are.
    """

    samples: np.ndarray
    presence: np.ndarray
    front_end: RawFrontEnd
    timelines: tuple[StimulusTimeline, ...]

    @classmethod
    def of_recordings(cls, recordings: Sequence[RawRecording], front_end: RawFrontEnd) -> RawBank:
        """Normalise the recordings and put them one after the other.

        Each recording's own steps are given up as it is copied, so that no more than one is held twice.

        Parameters
        ----------
        recordings
            Of the subjects that may be seen.
        front_end
            With the normalisation measured on the training subjects.
        """
        counts = [len(one.steps) for one in recordings]
        firsts = np.cumsum([0, *counts])
        samples = np.empty((firsts[-1], recordings[0].steps.shape[1]), np.float32)
        timelines = []
        for one, first, count in zip(recordings, firsts.tolist(), counts, strict=False):
            part = samples[first : first + count]
            part[:] = one.steps
            one.steps = np.empty((0, samples.shape[1]), np.float32)
            front_end.normalise(part, one.presence)
            timelines.append(StimulusTimeline(one.subject, one.trials, first, count))
        presence = np.concatenate([one.presence for one in recordings]).astype(np.float32)
        return cls(samples, presence, front_end, tuple(timelines))

    def windows(self, first: np.ndarray) -> dict[str, np.ndarray]:
        """Return `features` ``[N, T, F]`` and `presence` ``[N, T, M]`` of windows, by their numbers."""
        rows = first[:, None] + np.arange(self.front_end.tokens)
        return {"features": self.samples[rows], "presence": self.presence[rows]}

    def take(self, offspring: Offspring) -> dict[str, np.ndarray]:
        """Return `features` ``[2 P Q, T, F]`` and `presence` ``[2 P Q, T, M]`` of offspring.

        In the order of ``[2, P, Q]``. The cut falls between two samples, at one time for all modalities: the
        step that it lies in holds samples of both windows, and is present where a shown part of it is.
        """
        steps = self.front_end.tokens
        at = np.clip(offspring.cut, EARLIEST_CUT, LATEST_CUT) * steps
        step = np.minimum(at.astype(np.int64), steps - 1)
        ahead = np.arange(steps) < step[..., None]
        rows = np.where(ahead, offspring.before[..., None], offspring.after[..., None]) + np.arange(steps)
        heads, tails = offspring.shown != AFTER, offspring.shown != BEFORE
        seen = np.where(ahead, heads[..., None], tails[..., None])
        batch = rows.reshape(-1, steps)
        both = np.broadcast_to(seen, rows.shape).reshape(batch.shape)
        features, presence = self.samples[batch], self.presence[batch]
        features[~both] = 0
        presence[~both] = 0
        index = np.broadcast_to(step, rows.shape[:3]).reshape(-1)
        mixed = self._mixed(offspring, step, at - step, heads, tails)
        features[np.arange(len(batch)), index], presence[np.arange(len(batch)), index] = mixed
        return {"features": features, "presence": presence}

    def _mixed(
        self,
        offspring: Offspring,
        step: np.ndarray,
        share: np.ndarray,
        heads: np.ndarray,
        tails: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return samples ``[2 P Q, F]`` and presence ``[2 P Q, M]`` of the steps the cuts lie in."""
        instants = self.front_end.instants
        edges = [part.start for part in self.front_end.feature_slices.values()]
        sides = (
            (offspring.before, heads[..., None] & (instants < share[..., None])),
            (offspring.after, tails[..., None] & (instants >= share[..., None])),
        )
        samples = np.add(*(self.samples[window + step] * shown for window, shown in sides))
        presence = [
            self.presence[window + step] * np.maximum.reduceat(shown, edges, axis=-1)
            for window, shown in sides
        ]
        return samples.reshape(-1, len(instants)), np.maximum(*presence).reshape(-1, len(edges))
