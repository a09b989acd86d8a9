# SPDX-License-Identifier: Apache-2.0
"""A data set of one's own: a CSV file per person, with columns eda_us, temp_degc, condition at 4 Hz."""

import csv
from itertools import groupby
from pathlib import Path

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

RATE_HZ = 4.0
COLUMNS = {"eda": ("eda_us", "uS"), "temp": ("temp_degc", "degC")}


class FingerStudy:
    """What the entry point names; see `mmq_tf.datasets.plugins.DatasetPlugin`."""

    name = "finger_study"
    title = "Finger study (an example)"
    licence = "your own"
    attribution = "your laboratory"
    obtain = "ask your laboratory"
    label_kind = "condition of the experiment"
    tasks = {"stress": ("rest", "stress")}
    modalities = ("eda", "temp")
    format_version = 1  # raise it when this file changes a sample, a time or a label

    def subjects(self, folder: Path) -> list[str]:
        """Return the names of the people there are files of."""
        return [path.stem for path in folder.glob("*.csv")]

    def files(self, folder: Path, subject: str) -> list[Path]:
        """Return the files of one person."""
        path = folder / f"{subject}.csv"
        if not path.is_file():
            raise MMQError(f"{path}: not found; there is no recording of {subject!r}.")
        return [path]

    def load(self, folder: Path, subject: str) -> Recording:
        """Read one person's recording."""
        (path,) = self.files(folder, subject)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        try:
            signals = {
                modality: Signal(
                    modality,
                    np.array([[row[column] for row in rows]], np.float32),
                    RATE_HZ,
                    unit,
                    (modality,),
                )
                for modality, (column, unit) in COLUMNS.items()
            }
            trials = list(self._trials([row["condition"] for row in rows]))
        except (KeyError, ValueError) as error:
            raise MMQError(f"{path}: expected numbers in eda_us and temp_degc, and a condition.") from error
        return Recording(subject, "1", signals, tuple(trials), source=self.name)

    def _trials(self, conditions: list[str]):
        """Yield one trial for each run of rows of one condition."""
        row = 0
        for condition, run in groupby(conditions):
            first, row = row, row + len(list(run))
            yield Trial(first / RATE_HZ, row / RATE_HZ, {"stress": condition} if condition else {})
