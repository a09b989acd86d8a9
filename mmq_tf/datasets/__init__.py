# SPDX-License-Identifier: Apache-2.0
"""One file per data set; every loader returns `mmq_tf.recording.Recording`.

A data set that a manifest can describe has one in ``described/`` in place of a loader.

Other distributions add theirs by entry points: see `mmq_tf.datasets.plugins.DatasetPlugin`.
"""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.recordings.files import existing_folder

from mmq_tf.datasets.base import Dataset
from mmq_tf.datasets.case import CASE, CASE_RAW
from mmq_tf.datasets.deap import DEAP
from mmq_tf.datasets.deap_raw import DEAP_RAW
from mmq_tf.datasets.eegmat import EEGMAT
from mmq_tf.datasets.formats.e4 import load_e4
from mmq_tf.datasets.mahnob_hci import MAHNOB_HCI
from mmq_tf.datasets.manifest.dataset import MANIFEST_NAME, described_dataset, manifest_dataset
from mmq_tf.datasets.open_recording import open_recording
from mmq_tf.datasets.plugins import plugin_dataset, plugin_names, taken_name_fault
from mmq_tf.datasets.pooled import POOLED, Joint
from mmq_tf.datasets.simulated import SIMULATED
from mmq_tf.datasets.stress_predict import STRESS_PREDICT
from mmq_tf.datasets.wesad import WESAD, WESAD_CHEST
from mmq_tf.errors import MMQError
from mmq_tf.utils.suggestion import did_you_mean

COGWEAR = described_dataset(Path(__file__).parent / "described" / "cogwear.toml")

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        SIMULATED,
        STRESS_PREDICT,
        EEGMAT,
        COGWEAR,
        CASE,
        CASE_RAW,
        DEAP,
        DEAP_RAW,
        MAHNOB_HCI,
        WESAD,
        WESAD_CHEST,
        POOLED,
    )
}
"""Every data set of the toolkit itself by name."""

TAKEN = (MANIFEST_NAME,)
"""Names that mean something else where a data set is asked for."""


def spelled(name: str) -> str:
    """Return a data set's name as people are shown it: as presets are spelled, with hyphens.

    Files keep the underscores of the toolkit's own; both are understood. Plug-ins have one spelling only.

    Examples
    --------
    >>> spelled("stress_predict"), spelled("my_plugin")
    ('stress-predict', 'my_plugin')
    """
    return name.replace("_", "-") if name in DATASETS else name


def get_dataset(name: str) -> Dataset:
    """Return the data set called `name`, of the toolkit itself or of a plug-in.

    Hyphens in the name of one of the toolkit's own count as underscores.

    Raises
    ------
    MMQError
        If there is none of that name, or the plug-in that brings it is broken.
    """
    if (own := name.replace("-", "_")) in DATASETS:
        return DATASETS[own]
    others = [other for other in plugin_names() if other not in TAKEN and other not in DATASETS]
    if name not in others:
        names = [*map(spelled, DATASETS), *others]
        raise MMQError(
            f"data set must be one of {', '.join(names)}; got {name!r}.{did_you_mean(name, names)}"
        )
    return plugin_dataset(name)


def all_datasets() -> tuple[dict[str, Dataset], list[str]]:
    """Return every data set by name, plug-ins last, and one sentence on each plug-in that cannot be used."""
    found, faults = dict(DATASETS), []
    for name in plugin_names():
        if name in DATASETS or name in TAKEN:
            faults.append(taken_name_fault(name))
            continue
        try:
            found[name] = plugin_dataset(name)
        except MMQError as error:
            faults.append(str(error))
    return found, faults


def open_dataset(name: str | Joint, folder: Path | str) -> Dataset:
    """Return the data set `name` as it lies in `folder`.

    A folder written by ``mmq-tf simulate --layout`` gives one that says SIMULATED; ``manifest`` gives the one
    that the folder's ``mmq-tf.toml`` describes; a `Joint` the one that joins those in the folder's folders.

    Raises
    ------
    MMQError
        If there is none of that name, or the folder's manifest is broken, or a joined folder is missing.
    """
    if isinstance(name, Joint):
        return name.opened(existing_folder(folder, name.name), open_dataset)
    if name == MANIFEST_NAME:
        return manifest_dataset(existing_folder(folder, "a manifest"))
    return get_dataset(name).in_folder(folder)


__all__ = [
    "DATASETS",
    "MANIFEST_NAME",
    "Dataset",
    "Joint",
    "all_datasets",
    "get_dataset",
    "load_e4",
    "open_dataset",
    "open_recording",
    "spelled",
]
