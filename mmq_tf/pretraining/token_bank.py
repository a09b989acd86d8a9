# SPDX-License-Identifier: Apache-2.0
"""Training subjects' front-end tokens in one piece, and batches of offspring taken from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.features.windows import Stream, normalised_within
from mmq_tf.pretraining.meiosis import Offspring
from mmq_tf.pretraining.moments import StimulusTimeline


@dataclass(frozen=True)
class TokenBank:
    """Tokens of several recordings, one after the other; a window's number is that of its first token.

    Parameters
    ----------
    features : numpy.ndarray
        float32 ``[n, F]``, normalised, 0 where absent.
    presence : numpy.ndarray
        float32 ``[n, M]``, 0 or 1.
    tokens : int
        Tokens in a window, T.
    timelines : tuple of StimulusTimeline
        Whose they are.
    """

    features: np.ndarray
    presence: np.ndarray
    tokens: int
    timelines: tuple[StimulusTimeline, ...]

    @classmethod
    def of_streams(cls, streams: Sequence[Stream], front_end: FrontEnd) -> TokenBank:
        """Normalise the streams, as training does, and put them one after the other.

        Parameters
        ----------
        streams
            Of the subjects that may be seen.
        front_end
            With the normalisation measured on the training subjects.
        """
        timelines, features, first = [], [], 0
        for stream in streams:
            count = len(stream.features)
            timelines.append(StimulusTimeline(stream.subject, stream.trials, first, count))
            normalised = normalised_within(stream.limits, front_end, stream.features, stream.presence)
            features.append(front_end.feature_layout.visible(normalised, stream.presence))
            first += count
        presence = np.concatenate([stream.presence for stream in streams]).astype(np.float32)
        return cls(np.concatenate(features), presence, front_end.tokens, tuple(timelines))

    def take(self, offspring: Offspring) -> dict[str, np.ndarray]:
        """Return `features` ``[2 P Q, T, F]`` and `presence` ``[2 P Q, T, M]`` of offspring.

        In the order of ``[2, P, Q]``: the first groups of all P moments, then their complements.
        """
        ahead, shown = offspring.visible(self.tokens)
        rows = np.where(ahead, offspring.before[..., None], offspring.after[..., None])
        rows = (rows + np.arange(self.tokens)).reshape(-1, self.tokens)
        shown = np.broadcast_to(shown, (2, *shown.shape)).reshape(-1, self.tokens, 1)
        return {"features": self.features[rows] * shown, "presence": self.presence[rows] * shown}
