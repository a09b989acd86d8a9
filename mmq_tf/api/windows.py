# SPDX-License-Identifier: Apache-2.0
"""Windows of a data set as arrays, for scikit-learn, Keras or one's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmq_tf.api.training import DEFAULT_COHORT, checked_config, make_default_cohort
from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.features.windows import WindowSet


@dataclass(frozen=True)
class LoadedWindows:
    """Labelled windows of a data set, and what made them.

    Attributes
    ----------
    windows : WindowSet
        Features float32 ``[N, T, F]``, presence bool ``[N, T, M]``, labels, whose each is and when.
    front_end : FrontEnd
        With the normalisation that was applied.
    task : str
        What the labels are about.
    classes : tuple of str
        Their names, in the order of the labels.
    data : dict
        Name, title, licence, attribution, simulated and label_kind of the data set.
    """

    windows: WindowSet
    front_end: FrontEnd
    task: str
    classes: tuple[str, ...]
    data: dict[str, Any]

    def __len__(self) -> int:
        return len(self.windows)

    def to_sklearn(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X float32 ``[N, T * F]`` with NaN where absent, y (names of classes) and groups (people)."""
        rows, label, groups = self.windows.to_sklearn(self.front_end)
        return rows, np.array(self.classes)[label], groups

    def to_keras(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return ``features`` and ``presence`` as a network takes them, float32, and labels int ``[N]``."""
        windows = self.windows
        inputs = {
            "features": windows.visible_features(self.front_end.feature_layout),
            "presence": windows.presence.astype(np.float32),
        }
        return inputs, windows.label.astype(np.int64)


def load_windows(
    preset_or_config: str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    fit_on: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    skip_bad: bool = False,
) -> LoadedWindows:
    """Read recordings, extract features (from the cache where they are there) and cut labelled windows.

    Parameters
    ----------
    preset_or_config : str, Path or RunConfig
        A preset's name, a TOML file, or a configuration.
    data : str or Path, optional
        Folder of the recordings. Only the data set ``simulated`` goes without: its SIMULATED cohort is made
        in ``./cohort``, if it is not there.
    fit_on : sequence of str, optional
        Subjects whose features set the means and deviations of the normalisation, by default all. To judge a
        method, name its training subjects here, once per split: test subjects must not take part.
    overrides : sequence of str
        ``KEY=VALUE``, each changes one value of the configuration.
    progress : WorkProgress
    jobs : int
        Recordings read side by side, each in a process of its own.
    skip_bad : bool
        Leave bad recordings out; by default they stop.

    Returns
    -------
    LoadedWindows

    Raises
    ------
    MMQError
        If the configuration or the recordings cannot be used, or `fit_on` names someone who is not there.
    """
    from mmq_tf.datasets import open_dataset
    from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
    from mmq_tf.features.normalisation import fit_normalisation
    from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
    from mmq_tf.features.token_cache import TokenSettings
    from mmq_tf.features.windows import build_windows

    config = checked_config(preset_or_config, None if data is None else Path(data), overrides)
    if data is None:
        make_default_cohort(progress)
    folder, name = Path(data or DEFAULT_COHORT), config.source
    settings = TokenSettings(
        config.front_end, config.artefacts.model_copy(update={"variants": 0}), config.seeds[0]
    )
    done = prepare_dataset(name, folder, settings, jobs=jobs, skip_bad=skip_bad, progress=progress)
    streams = load_prepared(name, folder, settings, done)
    streams = enrolled_at_rest(streams, config.normalisation, config.front_end.token_s)
    there = {stream.subject for stream in streams}
    if fit_on is not None and (absent := sorted(set(fit_on) - there)):
        raise MMQError(f"fit_on: there is no subject {absent[0]!r}; there are {', '.join(sorted(there))}.")
    fitted = [stream for stream in streams if fit_on is None or stream.subject in fit_on]
    normalisation = fit_normalisation(fitted, config.normalisation, config.front_end.token_s)
    front_end = config.front_end.with_normalisation(normalisation)
    windows = build_windows(streams, front_end, config.data.task, config.classes, config.windows.stride_s)
    dataset = open_dataset(name, folder)
    return LoadedWindows(windows, front_end, config.data.task, config.classes, dataset.facts)
