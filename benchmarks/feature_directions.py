# SPDX-License-Identifier: Apache-2.0
"""Which way each feature points in each data set: what turns around cannot be evidence elsewhere.

For every feature the AUROC of its mean over a window's present tokens for the second class, within each
person, then the mean over people: 0.5 says nothing, above 0.5 higher values mean the second class. A feature
that is above in one data set and below in another tells of the protocol (the order of tasks, whether a task
moves the hand) rather than of the state. Features that the front end counts as quality are marked.

Example: python benchmarks/feature_directions.py --data data --results results/feature_directions.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
from methods.share_table import ShareTable, conclude
from sklearn.metrics import roc_auc_score

import mmq_tf
from mmq_tf.errors import MMQError

SETS = {"stress_predict": "stress-predict", "cogwear": "cogwear", "eegmat": "eegmat"}
"""Folder of the recordings and preset."""

NOTES = (
    "auroc: of a feature's mean over the window's present tokens for the second class (stress, load), within"
    " a person; mean over people. Method: the feature, of channels their mean; condition: the data set.",
    "quality: features of which the front end says how good a signal is, or what a bad pulse spoils. The"
    " network reads them as interference only.",
    "Features are normalised as on the device. In CogWear the task comes before the rest, in the others after"
    " it: what drifts with time turns around.",
)


def measure(table: ShareTable, folder: Path, preset: str, name: str) -> set[str]:
    """Add every feature of one data set; return its people."""
    loaded = mmq_tf.load_windows(preset, folder)
    windows, layout = loaded.windows, loaded.front_end.feature_layout
    means = _means(layout.visible(windows.features.astype(np.float64), windows.presence, absent=np.nan))
    for column, (feature, quality) in enumerate(zip(layout.feature_names, layout.quality, strict=True)):
        method = f"{_kind(feature)} (quality)" if quality else _kind(feature)
        for person in np.unique(windows.subject):
            own = (windows.subject == person) & np.isfinite(means[:, column])
            label, values = windows.label[own].astype(int), means[own, column]
            if len(np.unique(label)) == 2:
                table.add((method, name, "auroc"), str(person), [roc_auc_score(label, values)])
    return {str(person) for person in np.unique(windows.subject)}


def _means(seen: np.ndarray) -> np.ndarray:
    """Return the mean over a window's tokens [N, F] of features [N, T, F] that are NaN where absent."""
    known = np.isfinite(seen)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, seen, 0.0).sum(1) / np.maximum(count, 1), np.nan)


def _kind(feature: str) -> str:
    """Return a feature's name without its channel."""
    modality, *rest = feature.removesuffix(".look_back").split(".")
    return f"{modality}.{rest[-1]}" + (", look-back" if feature.endswith(".look_back") else "")


@click.command(help=(__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MMQ_DATA", default=Path("../shared/data"),
    show_default=True, help="Folder of the real recordings.",
)  # fmt: skip
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, .md beside)."
)
def main(data: Path, results: Path | None) -> None:
    """Run the benchmark from the command line."""
    table, people = ShareTable(), {}
    try:
        for folder, preset in SETS.items():
            people[folder] = measure(table, data / folder, preset, preset)
    except MMQError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    conclude(table, "feature_directions", people, 0, NOTES, results)


if __name__ == "__main__":
    main()
