# SPDX-License-Identifier: Apache-2.0
"""The table of a run that was judged on another data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import Dataset
from mmq_tf.evaluation.transfer import TransferJob, limits_per_model, per_model, shared_modalities
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.metrics.results_table import ResultsFile, machine_description, write_results
from mmq_tf.metrics.summary import results_from_predictions
from mmq_tf.reports.run_report import confidence_limits, enrolment_words
from mmq_tf.training.run import Run
from mmq_tf.version import __version__


def conclude_transfer(
    run: Run,
    dataset: Dataset,
    jobs: Sequence[TransferJob],
    command: str,
    left_out: Sequence[str] = (),
) -> ResultsFile:
    """Join the folds into `predictions.csv`, `results.json` and `.md` of the jobs' folder; return the table.

    Parameters
    ----------
    run : Run
        What was judged.
    dataset : Dataset
        The other one, as it lies in its folder.
    jobs : sequence of TransferJob
        Done.
    command : str
        What the results say made them.
    left_out : sequence of str
        Recordings that were not judged, and why.
    """
    folder, there = jobs[0].folder, jobs[0].there
    predictions = Predictions.concatenate([job.predictions() for job in jobs])
    write_predictions(folder / "predictions.csv", predictions)
    here, own = run.config, run.dataset
    limits = limits_per_model(confidence_limits(run, [job.fold for job in jobs]), predictions)
    lacking = [m for m in here.front_end.modality_names if m not in shared_modalities(here, there)]
    models = len(np.unique(per_model(predictions).seed))
    results = ResultsFile(
        name=f"{here.name}-on-{there.name}",
        command=command,
        version=__version__,
        data=f"{dataset.title}, {len(np.unique(predictions.subject))} subjects",
        simulated=dataset.simulated or own.simulated,
        split=(
            f"trained on {own.title}, judged on {dataset.title}: nothing is fitted on the people judged; each"
            f" of {models} models (folds and seeds) judges all of them, and a person's score is the mean over"
            " models"
        ),
        normalisation=_normalisation(here, there),
        seeds=here.seeds,
        machine=machine_description(),
        rows=tuple(results_from_predictions(per_model(predictions), limits=limits)),
        notes=(
            f"{here.model.name} is the size {here.model.size}; the label is {dataset.label_kind}.",
            *([f"{dataset.title} lacks {', '.join(lacking)}: missing throughout."] if lacking else []),
            *here.notes,
            *dataset.notes,
            *(f"Left out: {line}" for line in left_out),
        ),
    )
    write_results(folder / "results.json", results)
    return results


def _normalisation(here: RunConfig, there: RunConfig) -> str:
    """Say how the people judged are normalised: by the run's mode, enrolled where the other set says."""
    mode = here.normalisation.mode
    if mode != "enrolment":
        return mode
    length_s = min(here.normalisation.enrolment_s, there.normalisation.enrolment_s)
    settings = there.normalisation.model_copy(update={"enrolment_s": length_s})
    read = there.model_copy(update={"normalisation": settings, "front_end": here.front_end})
    return f"{mode}{enrolment_words(read)}"
