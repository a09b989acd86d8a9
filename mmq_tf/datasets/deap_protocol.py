# SPDX-License-Identifier: Apache-2.0
"""What DEAP's publisher says of people, trials, scales and channels, preprocessed or raw.

Koelstra et al., DEAP: A Database for Emotion Analysis using Physiological Signals, IEEE Trans. Affective
Computing 3(1), 2012, and https://www.eecs.qmul.ac.uk/mmv/datasets/deap/readme.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.datasets.formats.files.tables import read_table
from mmq_tf.errors import MMQError
from mmq_tf.recording import Trial

SUBJECTS = tuple(f"s{number:02d}" for number in range(1, 33))
LAST_OF_TWENTE = 22
"""Subjects to here were recorded in Twente, the others in Geneva."""

SCALES = ("valence", "arousal", "dominance", "liking")
"""In the order of the columns of `labels`."""

CLASSES = ("low", "high")
LOWEST, HIGHEST, MIDDLE = 1.0, 9.0, 5.0
TASKS: dict[str, tuple[str, ...]] = {scale: CLASSES for scale in SCALES}
VIDEOS = 40
VIDEO_S = 60.0

EEG_CHANNELS = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
    "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)  # fmt: skip
"""Geneva's order, that of the preprocessed files; Twente's raw files have another."""

EOG_CHANNELS = ("hEOG", "vEOG")
EMG_CHANNELS = ("zEMG", "tEMG")
"""Zygomaticus major and trapezius."""

RATINGS_NAME = "participant_ratings.csv"
RATINGS_FOLDER = "metadata_csv"
ROUNDED = 0.02
"""The table and the data files may round a rating differently."""

LICENCE = "DEAP end user licence agreement: academic research only, no redistribution"
ATTRIBUTION = (
    "Koelstra et al., DEAP: A Database for Emotion Analysis using Physiological Signals, IEEE Trans."
    " Affective Computing 3(1), 2012"
)
OBTAIN = "https://www.eecs.qmul.ac.uk/mmv/datasets/deap/download.html, after signing the licence agreement"


@dataclass(frozen=True, eq=False)
class Presented:
    """What one person saw and felt, in the order of presentation.

    Parameters
    ----------
    videos : numpy.ndarray
        int ``[trials]``, numbers (Experiment_id) from 1.
    ratings : numpy.ndarray
        float64 ``[trials, 4]`` in the order of `SCALES`.
    """

    videos: np.ndarray
    ratings: np.ndarray


def files_by_subject(folder: Path, inner: str, suffix: str) -> dict[str, Path]:
    """Find ``s01<suffix>``, ... in DEAP's folder `inner`, or in `folder` itself."""
    place = folder / inner if (folder / inner).is_dir() else folder
    return {
        path.stem: path for path in sorted(place.glob(f"s*{suffix}")) if re.fullmatch(r"s\d\d", path.stem)
    }


def ratings_file(folder: Path) -> Path | None:
    """Find the table of ratings in DEAP's folder, or beside the one with the data files."""
    places = (folder / RATINGS_FOLDER, folder, folder.parent / RATINGS_FOLDER)
    return next((place / RATINGS_NAME for place in places if (place / RATINGS_NAME).is_file()), None)


def read_presented(path: Path, subject: str) -> Presented:
    """Read one person's rows of the table of ratings.

    Parameters
    ----------
    path : Path
        ``participant_ratings.csv``.
    subject : str
        ``"s01"``, ...

    Raises
    ------
    MMQError
        If the table is broken, has no row of this person, trials or videos that are not numbered 1, 2, ...
        or a rating outside 1 to 9.
    """
    names = ("Participant_id", "Trial", "Experiment_id", *(scale.capitalize() for scale in SCALES))
    table = read_table(path, names)
    rows = np.flatnonzero(table["Participant_id"] == int(subject[1:]))
    rows = rows[np.argsort(table["Trial"][rows], kind="stable")]
    trials, videos = table["Trial"][rows], table["Experiment_id"][rows]
    if not rows.size or (trials != np.arange(1, rows.size + 1)).any():
        raise MMQError(
            f"{path}: participant {int(subject[1:])} must have one row for each trial 1, 2, ...; got the"
            f" trials {', '.join(f'{trial:g}' for trial in trials[:45]) or 'none'}."
        )
    if not np.isin(videos, np.arange(1, VIDEOS + 1)).all() or np.unique(videos).size != videos.size:
        raise MMQError(
            f"{path}: participant {int(subject[1:])} must have different Experiment_id from 1 to {VIDEOS};"
            f" got {', '.join(f'{video:g}' for video in videos)}."
        )
    ratings = np.stack([table[name][rows] for name in names[3:]], axis=1)
    check_ratings(path, ratings, (f"participant {int(subject[1:])}, trial {trial:g}" for trial in trials))
    return Presented(videos.astype(int), ratings)


def check_ratings(path: Path, ratings: np.ndarray, places: Iterable[str]) -> None:
    """Check that ratings ``[trials, 4]`` lie between 1 and 9; `places` name the rows in the error.

    Raises
    ------
    MMQError
        If one does not, or is NaN.
    """
    for place, row in zip(places, ratings, strict=True):
        for scale, rating in zip(SCALES, row, strict=True):
            if not LOWEST <= rating <= HIGHEST:
                raise MMQError(
                    f"{path}: {place}: {scale} must lie between {LOWEST:g} and {HIGHEST:g}; got {rating:g}."
                )


def trial_of(video: int, ratings: np.ndarray, start_s: float) -> Trial:
    """Return the trial of a video that starts at `start_s`; high is above the middle of the scale.

    Examples
    --------
    >>> trial = trial_of(7, np.array([7.1, 5.0, 5.01, 1.0]), 60.0)
    >>> dict(trial.labels), trial.stimulus
    ({'valence': 'high', 'arousal': 'low', 'dominance': 'high', 'liking': 'low'}, 'video 7')
    """
    numbers = {scale: float(rating) for scale, rating in zip(SCALES, ratings, strict=True)}
    labels = {scale: CLASSES[rating > MIDDLE] for scale, rating in numbers.items()}
    return Trial(start_s, start_s + VIDEO_S, labels, numbers, f"video {video}")
