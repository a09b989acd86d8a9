"""One file a data set; every loader returns `mmq_tf.recording.Recording`."""

from __future__ import annotations

from pathlib import Path

from mmq_tf.datasets.base import Dataset, existing_folder
from mmq_tf.datasets.e4 import load_e4
from mmq_tf.datasets.eegmat import EEGMAT
from mmq_tf.datasets.folder import JSON_NAME, load_recording
from mmq_tf.datasets.simulated import SIMULATED
from mmq_tf.datasets.stress_predict import STRESS_PREDICT
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (SIMULATED, STRESS_PREDICT, EEGMAT)}
"""Every data set by name."""


def get_dataset(name: str) -> Dataset:
    """Return the data set called `name`.

    Raises
    ------
    MMQError
        If there is none of that name.
    """
    if name not in DATASETS:
        raise MMQError(f"data set must be one of {', '.join(DATASETS)}; got {name!r}.")
    return DATASETS[name]


def load_folder(folder: Path | str) -> Recording:
    """Read one recording from a folder of either kind: our own (``recording.json``) or an E4 export.

    Raises
    ------
    MMQError
        If it is neither, or a file is broken.
    """
    path = existing_folder(folder, "a recording")
    return load_recording(path) if (path / JSON_NAME).exists() else load_e4(path)


__all__ = ["DATASETS", "Dataset", "get_dataset", "load_e4", "load_folder"]
