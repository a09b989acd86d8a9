# SPDX-License-Identifier: Apache-2.0
"""A data set of people who all watched the same films."""

from pathlib import Path

import numpy as np
import pytest

from mmq_tf import datasets
from mmq_tf.datasets.base import Dataset
from mmq_tf.recording import Recording, Trial

N_FILMS, FILM_S, RATE_HZ = 4, 60, 4
CLASSES = ("low", "high")


def recording_of(subject, signals_of):
    """One person: `signals_of(rng, course)` follow a course shared by all, in an order of one's own."""
    rng = np.random.default_rng(ord(subject))
    order = rng.permutation(N_FILMS)
    shared = np.random.default_rng(0).normal(size=(N_FILMS, FILM_S * RATE_HZ)).cumsum(axis=1) / 20
    signals = {signal.modality: signal for signal in signals_of(rng, shared[order].ravel())}
    trials = tuple(
        Trial(n * FILM_S, (n + 1) * FILM_S, {"arousal": CLASSES[film % 2]}, {}, f"film {film}")
        for n, film in enumerate(order.tolist())
    )
    return Recording(subject, "1", signals, trials, source="films")


@pytest.fixture
def add_films(monkeypatch, tmp_path):
    """`add_films(modalities, signals_of)` adds the data set `films`; whose files are touched is noted."""

    def add(modalities: tuple[str, ...], signals_of) -> list[str]:
        seen: list[str] = []

        def load(folder: Path, subject: str) -> Recording:
            seen.append(subject)
            return recording_of(subject, signals_of)

        def files(folder: Path, subject: str) -> list[Path]:
            seen.append(subject)
            (folder / subject).write_text(subject)
            return [folder / subject]

        films = Dataset(
            "films", "films", "none", "none", "nowhere", {"arousal": CLASSES}, "none", modalities,
            lambda folder: list("abcdef"), files, load, stimulus_locked=True, simulated=True,
        )  # fmt: skip
        monkeypatch.setitem(datasets.DATASETS, "films", films)
        monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
        return seen

    return add
