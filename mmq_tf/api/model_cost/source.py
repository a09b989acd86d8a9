# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf bench model` is about: a run, a bundle or a configuration, with windows to decide on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmq_bridge.bundle.flatbuffer import read_graph
from mmq_bridge.decision.bundle_files import MODEL_FILES, read_front_end
from mmq_bridge.decision.fit_together import check_fits
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.model.token_net import SIZES
from mmq_tf.training.fold import FoldJob, fold_windows
from mmq_tf.training.run_folder import FACTS_NAME, RunFacts
from mmq_tf.training.splits import joined_folds
from mmq_tf.utils.progress import SILENT, WorkProgress

DRAWN = 1000


@dataclass(frozen=True)
class CostSource:
    """Shapes and windows; of a bundle also our files. Weights do not change a cost: networks are made anew.

    Attributes
    ----------
    front_end : FrontEnd
    layout : FeatureLayout
        Of the windows.
    classes : int
        Of the task, or of all of a bundle's tasks together.
    size : str
        Our network's size, a name in `SIZES`.
    features, presence, labels : numpy.ndarray
        Training windows float32 ``[N, T, F]``, bool ``[N, T, M]``, int ``[N]``.
    data : str
        Where they come from, for the results.
    split : str
        How they were chosen.
    normalisation : str
        Of the windows.
    simulated : bool
        Whether they are drawn or recorded of simulated people.
    files : mapping of str to bytes
        Our .tflite files by recipe, of a bundle.
    """

    front_end: FrontEnd
    layout: FeatureLayout
    classes: int
    size: str
    features: np.ndarray
    presence: np.ndarray
    labels: np.ndarray
    data: str
    split: str
    normalisation: str
    simulated: bool
    files: Mapping[str, bytes] = field(default_factory=dict)


def open_source(
    source: str, data: Path | None, overrides: Sequence[str], progress: WorkProgress = SILENT
) -> CostSource:
    """Open a run folder, a bundle, a preset or a TOML file.

    Without recordings (no `data`, or a bundle) the windows are drawn at random.

    Raises
    ------
    MMQError, BridgeError
        If it is none of these, or its recordings cannot be read.
    """
    folder = Path(source)
    if (folder / MANIFEST_NAME).is_file():
        if data is not None or overrides:
            raise MMQError(f"{folder} is a bundle: --data and --set belong to a run or a configuration.")
        return _bundle(folder)
    if (folder / FACTS_NAME).is_file():
        config = load_config(folder / "config.toml", overrides)
        return _configured(config, data or Path(RunFacts.read(folder).data_folder), progress)
    return _configured(load_config(source, overrides), data, progress)


def _bundle(folder: Path) -> CostSource:
    manifest = Manifest.load(folder)
    front_end = read_front_end(manifest, folder)
    files = {name: manifest.read(folder, MODEL_FILES[name]) for name in ("int8", "float32")}
    classes = sum(len(names) for names in manifest.decision.tasks.values())
    layout = front_end.feature_layout
    windows = drawn_windows(layout, classes)
    for name, content in files.items():  # it is timed in this process: whether it runs is tried in another
        tried = TFLiteModel(content, str(folder / MODEL_FILES[name]))
        check_fits(front_end, tried, manifest.decision)
        tried.predict(windows[0][0], windows[1][0])
    size = _size_of(files["float32"], classes, folder)
    data, split = f"{manifest.data.title}: its bundle; windows drawn at random", "none"
    return CostSource(
        front_end, layout, classes, size, *windows, data, split, "none", simulated=True, files=files
    )


def _size_of(content: bytes, classes: int, folder: Path) -> str:
    """Return the size whose width the read-outs have: one query a class, `dim` wide, side by side.

    Beside them may stand a line's read-out, which is as wide as the line's summary.
    """
    graph = read_graph(content)
    shapes = {tensor.shape for tensor in graph.outputs.values()}
    ends = [(op.inputs[0], op.outputs[0]) for op in graph.ops]
    widths = {given.shape[-1] for given, made in ends if given and made and made.shape in shapes}
    for name, size in SIZES.items():
        if size["dim"] * classes in widths:
            return name
    raise MMQError(f"{folder}: its network is none of the sizes {', '.join(SIZES)}, so no other is as wide.")


def _configured(config: RunConfig, data: Path | None, progress: WorkProgress) -> CostSource:
    if data is None:
        windows = drawn_windows(config.feature_layout, len(config.classes))
        text, split, simulated = f"preset or file {config.name}; windows drawn at random", "none", True
    else:
        windows, text, split, simulated = _recorded(config, data, progress)
    return CostSource(
        config.front_end,
        config.feature_layout,
        len(config.classes),
        config.model.size,
        *windows,
        data=text,
        split=split,
        normalisation="none" if data is None else config.normalisation.mode,
        simulated=simulated,
    )


def _recorded(
    config: RunConfig, data: Path, progress: WorkProgress
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str, str, bool]:
    """Return the training windows of the run's first fold, and what they are."""
    name = config.source
    config = config.model_copy(update={"artefacts": config.artefacts.model_copy(update={"variants": 0})})
    settings = TokenSettings(config.front_end, config.artefacts, config.seeds[0])
    done = prepare_dataset(name, data, settings, jobs=os.cpu_count() or 1, progress=progress)
    streams = load_prepared(name, data, settings, done)
    split = config.split
    dataset = open_dataset(name, data)
    groups = dataset.grouped([stream.subject for stream in streams])
    folds = joined_folds(groups, split.folds, split.validation_share, 0)
    job = FoldJob(config, config.classes, folds[0], 0, config.seeds[0], Path(), tuple(streams))
    train = fold_windows(job).train
    subjects = len({stream.subject for stream in streams})
    return (
        (train.features, train.presence, train.label.astype(np.int64)),
        f"{dataset.title}, {subjects} subjects",
        f"training windows ({len(train)}) of fold 0 of {len(folds)}",
        dataset.simulated,
    )


def drawn_windows(layout: FeatureLayout, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw windows of normal features that the class shifts a little, with a tenth of the tokens absent.

    Returns
    -------
    tuple
        Features float32 ``[N, T, F]``, presence bool ``[N, T, M]``, labels int ``[N]``.
    """
    rng = np.random.default_rng(0)
    shape = (DRAWN, layout.tokens)
    labels = rng.integers(classes, size=DRAWN)
    features = rng.standard_normal((*shape, layout.n_features), dtype=np.float32)
    features += 0.1 * labels[:, np.newaxis, np.newaxis].astype(np.float32)
    presence = rng.random((*shape, len(layout.modality_names))) < 0.9
    return layout.visible(features, presence), presence, labels
