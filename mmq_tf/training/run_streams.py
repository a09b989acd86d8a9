# SPDX-License-Identifier: Apache-2.0
"""The recordings of a run as token streams, and the run's beginning, which checks them."""

from __future__ import annotations

from mmq_tf.datasets.manifest.dataset import check_classes
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest, left_out
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.windows import Stream
from mmq_tf.training.fold import CallbacksOf, FoldJob
from mmq_tf.training.run import Run, check_folds
from mmq_tf.utils.progress import SILENT, WorkProgress

SIMULATED_NOTE = "SIMULATED data: every number below is about a simulator, not about people."


def load_streams(
    run: Run, workers: int, progress: WorkProgress = SILENT, settings: TokenSettings | None = None
) -> tuple[list[Stream], list[str]]:
    """Return the token streams, and a line for every recording that was left out: bad, or never enrolled.

    Parameters
    ----------
    run : Run
    workers : int
        Processes at most.
    progress : WorkProgress
    settings : TokenSettings, optional
        How samples become tokens; the run's own, if not given.

    Raises
    ------
    MMQError, BridgeError
        If a recording is bad and the run does not leave bad ones out, or none is good.
    """
    config, name = run.config, run.config.source
    settings = settings or TokenSettings(config.front_end, config.artefacts, config.seeds[0])
    done = prepare_dataset(
        name, run.data_folder, settings, jobs=workers, skip_bad=run.facts.skip_bad, progress=progress
    )
    bad = [f"{one.name}: {one.fault}" for one in done if one.fault]
    streams = load_prepared(name, run.data_folder, settings, done)
    enrolled = enrolled_at_rest(streams, config.normalisation, config.front_end.token_s)
    return enrolled, [*bad, *left_out(streams, enrolled)]


def begin_run(
    run: Run,
    workers: int,
    progress: WorkProgress = SILENT,
    *,
    tensorboard: bool = False,
    callbacks: CallbacksOf | None = None,
) -> tuple[Run, list[FoldJob]]:
    """Load and check everything first, so that what cannot be trained leaves no run folder."""
    check_classes(run.dataset, run.config.data.task, run.config.classes)
    if run.dataset.simulated:
        progress.note(SIMULATED_NOTE)
    streams, left_out = load_streams(run, workers, progress)
    check_folds(run.jobs(streams))
    run = run.begin(streams, left_out)
    return run, run.jobs(streams, tensorboard=tensorboard, callbacks=callbacks)
