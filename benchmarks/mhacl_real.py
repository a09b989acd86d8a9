# SPDX-License-Identifier: Apache-2.0
"""Whether pretraining without labels helps on recordings that no stimulus locks together, honestly.

python benchmarks/mhacl_real.py --stress-predict DIR --eegmat DIR --results results/mhacl_real.json

Nobody in Stress-Predict and eegmat met the same second of the same stimulus, so neighbouring windows of the
same person and session are the positives. Everything else is as in mhacl_label_efficiency.py. Stage 1 follows
SGMC (arXiv 2208.00877), since of ME-MHACL (arXiv 2308.01919) only the abstract could be read.
"""

from __future__ import annotations

from pathlib import Path

import click
from mhacl_label_efficiency import experiment_config, judge_folds, notes, result_rows, results_of, show
from mmq_bridge.native_output import quiet_native
from rich.console import Console

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import write_results
from mmq_tf.pretraining.moments import NEIGHBOUR_RULE

SHARES = (0.1, 1.0)
LEARNING_RATES = (1e-3, 3e-3)
"""From scratch; both presets have one of them."""


@click.command()
@click.option("--stress-predict", "stress_predict", type=click.Path(path_type=Path), required=True)
@click.option("--eegmat", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", type=click.IntRange(min=2), default=5, show_default=True, help="Seeds, and folds.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(stress_predict: Path, eegmat: Path, seeds: int, results: Path | None) -> None:
    """Compare ME-MHACL pretrained with ME-MHACL from scratch on both recordings."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    console = Console()
    folders = {"stress-predict": stress_predict, "eegmat": eegmat}
    rows, titles = [], []
    for name, folder in folders.items():
        config = experiment_config(name)
        with quiet_native():
            judged = judge_folds(config, folder, range(seeds), SHARES, LEARNING_RATES, console)
        rows += result_rows(judged, SHARES, prefix=f"{name}-")
        titles.append(open_dataset(config.data.dataset, folder).title)
    show(rows, console)
    if results:
        config = load_config("stress-predict")
        table = results_of(results.stem, config, stress_predict, range(seeds), rows)
        said = (f"Positives: {NEIGHBOUR_RULE}.", *notes(config, LEARNING_RATES))
        update = {"data": " and ".join(titles), "normalisation": "enrolment", "notes": said}
        write_results(results, table.model_copy(update=update))


if __name__ == "__main__":
    main()
