# SPDX-License-Identifier: Apache-2.0
"""Training windows as of wearers whose enrolment was short, or missed a sensor (front-end version 3)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mmq_bridge.front_end.enrolment import body_modalities
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig

MISSED_SHARE = 0.25
"""Of the modalities of a drawn window: normalised by the population, as one that joined later."""


@dataclass(frozen=True)
class ShortEnrolments:
    """How many windows are drawn.

    Attributes
    ----------
    share : float
        Of all windows.
    seed : int
        Of the draws; each recording has draws of its own.
    """

    share: float
    seed: int

    @classmethod
    def of(cls, settings: NormalisationConfig, seed: int) -> ShortEnrolments | None:
        """Return those of a configuration, None where it has none."""
        return None if settings.short_share is None else cls(settings.short_share, seed)

    def drawn(self, who: str, front_end: FrontEnd, windows: int) -> DrawnEnrolments:
        """Draw for the windows of one recording.

        Parameters
        ----------
        who : str
            Names the recording.
        front_end : FrontEnd
            With its normalisation; the recording's own enrolment.
        windows : int
        """
        rng = np.random.default_rng([self.seed, zlib.crc32(who.encode())])
        names = front_end.modality_names
        rows = rng.random(windows) < self.share
        tokens = int(rng.integers(front_end.enrolment_least, front_end.enrolment_tokens + 1))
        missed = rng.random((windows, len(names))) < MISSED_SHARE
        body = [names.index(name) for name in body_modalities(names)]
        missed[np.arange(windows), rng.choice(body, windows)] = False  # the one that ended the enrolment
        return DrawnEnrolments(rows, missed & rows[:, None], tokens, front_end)


@dataclass(frozen=True)
class DrawnEnrolments:
    """The draws for N windows of one recording.

    Attributes
    ----------
    rows : numpy.ndarray
        bool ``[N]``: which windows are as after an enrolment of `tokens`.
    missed : numpy.ndarray
        bool ``[N, M]``: which of their modalities are normalised by the population.
    tokens : int
        Between the least and all.
    front_end : FrontEnd
        With the whole enrolment.
    """

    rows: np.ndarray
    missed: np.ndarray
    tokens: int
    front_end: FrontEnd

    def into(self, windows: np.ndarray, normalised: Callable[[FrontEnd], np.ndarray]) -> np.ndarray:
        """Return windows float32 ``[N, T, F]``, those that were drawn as they would be.

        Parameters
        ----------
        windows : numpy.ndarray
            As after the whole enrolment.
        normalised : callable
            Returns the same windows as a front end with another normalisation gives them.
        """
        given, made = self.front_end.normalisation, windows.copy()
        if given is None or not self.rows.any():
            return windows
        shorter = self.front_end.with_enrolment(self.tokens * self.front_end.token_s)
        made[self.rows] = normalised(shorter)[self.rows]
        alone = {"mode": "population", "enrolment_s": 0.0, "enrolment_least": None, "look_back_s": 0.0}
        joined = normalised(self.front_end.with_normalisation(given.model_copy(update=alone)))
        population = np.zeros_like(made)  # of look-backs too: one that joined later has none yet
        population[..., self.front_end.measured_layout.places_in(self.front_end.feature_layout)] = joined
        for m, part in enumerate(self.front_end.feature_slices.values()):
            missed = self.missed[:, m]
            made[missed, :, part] = population[missed, :, part]
        return made
