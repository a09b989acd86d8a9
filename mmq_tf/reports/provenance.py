# SPDX-License-Identifier: Apache-2.0
"""What is needed to make an evaluation again: commands, versions, seeds and digests."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmq_tf.evaluation.protocols import MASK_SEED, artefact_seed
from mmq_tf.training.run import Run

PACKAGES = ("mmq-tf", "tensorflow", "keras", "numpy", "scipy", "scikit-learn", "mne", "pandas", "matplotlib")


@dataclass(frozen=True)
class Provenance:
    """How to make an evaluation again, and how to see that it is the same.

    Attributes
    ----------
    commands : tuple of str
        In order, as they were typed.
    versions, seeds : mapping
        Name -> version; what it was used for -> seed.
    digests : mapping
        What -> SHA-256, of the configuration, of all token streams, and of the masks of each fold.
    recordings : mapping
        Name -> SHA-256 of the files of each recording.
    """

    commands: tuple[str, ...]
    versions: Mapping[str, str]
    seeds: Mapping[str, str]
    digests: Mapping[str, str]
    recordings: Mapping[str, str]


def provenance(run: Run, masks: Path, command: str) -> Provenance:
    """Gather what tells an evaluation of `run` from any other.

    Parameters
    ----------
    run : Run
    masks : Path
        Folder of the stored masks.
    command : str
        What was typed to evaluate.

    Raises
    ------
    MMQError
        If a recording cannot be read.
    """
    seeds = run.config.seeds
    digests = {
        "configuration (config.toml)": hashlib.sha256((run.folder / "config.toml").read_bytes()).hexdigest(),
        "all token streams, trials and training's artefacts": run.facts.streams_sha256 or "not known",
    }
    for path in sorted(masks.glob("*.npz")):
        digests[f"masks of fold {path.stem}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    dataset, folder = run.dataset, run.data_folder
    return Provenance(
        commands=(run.facts.command, command),
        versions={"Python": platform.python_version(), **_versions()},
        seeds={
            "network, baselines, training's artefacts": ", ".join(map(str, seeds)),
            "masks of A, B and C": str(MASK_SEED),
            "artefacts of E": str(artefact_seed(seeds[0])),
        },
        digests=digests,
        recordings={name: dataset.digest(folder, name) for name in dataset.subjects(folder)},
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
