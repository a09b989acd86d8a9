# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks/mhacl_label_efficiency.py` compares, without training a network."""

import mhacl_label_efficiency as bench
import numpy as np
import pytest

from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.results_table import ResultRow, ResultsFile
from mmq_tf.simulation.layouts.cohort import TEXT


def make_windows(people: int = 4, trials: int = 10, seed: int = 0) -> WindowSet:
    """Two windows a trial; the label is the sign of the first feature's mean."""
    rng = np.random.default_rng(seed)
    count = people * trials * 2
    trial = np.tile(np.repeat(np.arange(trials), 2), people)
    label = (trial % 2).astype(np.int8)
    features = rng.normal(size=(count, 4, 3)).astype(np.float32)
    features[:, :, 0] += 3.0 * (2 * label[:, None] - 1)
    presence = np.ones((count, 4, 1), bool)
    empty = np.zeros((0, count, 4, 3), np.float32)
    return WindowSet(
        features,
        presence,
        label,
        np.repeat([f"p{person}" for person in range(people)], trials * 2),
        np.full(count, "1"),
        trial,
        np.zeros(count),
        empty,
        np.zeros((0, *presence.shape), bool),
        np.zeros((0, *presence.shape), bool),
    )


@pytest.mark.parametrize(("share", "trials"), [(0.01, 2), (0.1, 4), (0.5, 20), (1.0, 40)])
def test_a_share_is_of_whole_trials_and_holds_every_class(share, trials):
    windows = make_windows()
    kept = bench.labelled_share(windows, share, 3)
    assert len(kept) == 2 * trials
    assert len(set(zip(kept.subject, kept.trial, strict=True))) == trials
    assert set(kept.label) == {0, 1}


def test_every_share_is_trained_for_the_same_number_of_steps():
    config = bench.experiment_config("deap", bench.SENSORS, bench.LOCKED_RECIPE)
    assert config.front_end.modality_names == bench.SENSORS
    for windows in (40, 200, 1300):
        own = bench.settings_for(config, windows, 1e-2)
        steps = own.training.epochs * -(-windows // bench.BATCH)
        assert abs(steps - bench.STEPS) <= bench.STEPS / 4
        assert own.training.learning_rate == 1e-2
        assert own.pretraining.frozen_epochs == round(own.training.epochs / 4)


def test_the_linear_model_learns_and_the_better_on_validation_counts():
    windows = make_windows()
    sides = bench.Sides(windows, make_windows(seed=1), make_windows(seed=2))
    score, probabilities = bench.linear(sides, 1.0)
    assert score > 0.95
    assert np.mean(probabilities.argmax(axis=1) == sides.test.label) > 0.95
    worse, better, other = np.eye(3)
    assert bench.best([(0.6, worse), (0.9, better), (0.7, other)]) is better


def test_the_table_says_how_its_people_were_made(tmp_path):
    with pytest.raises(MMQError, match="mmq-tf simulate --layout deap --locked"):
        bench.how_made(tmp_path)
    text = TEXT.format(title="DEAP", name="deap", subjects=24, seed=7, length="shortened, locked")
    (tmp_path / SIMULATED_NAME).write_text(text)
    said = bench.how_made(tmp_path)
    assert said.startswith("SIMULATED recordings in the layout of DEAP")
    assert said.endswith("(24 subjects, seed 7, shortened, locked).")


def test_the_curves_say_that_they_are_simulated():
    rows = tuple(
        ResultRow(
            method=method,
            condition=f"labels-{100 * share:g}",
            metric="macro_f1",
            mean=0.7,
            low=0.6,
            high=0.8,
            n=5,
        )
        for method in (bench.SCRATCH, bench.PRETRAINED, bench.LINEAR)
        for share in bench.SHARES
    )
    table = ResultsFile(
        name="x", command="x", version="0", data="x", simulated=True, split="x", normalisation="x",
        seeds=(0,), machine="x", rows=rows,
    )  # fmt: skip
    svg = bench.draw(table)
    assert svg.lstrip().startswith("<?xml")
    assert svg == bench.draw(table)
