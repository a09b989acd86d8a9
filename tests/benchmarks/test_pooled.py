# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks/pooled.py` compares, without training anything."""

from pathlib import Path

import numpy as np
import pooled
import pytest

from mmq_tf.datasets import get_dataset
from mmq_tf.metrics.predictions import Predictions


@pytest.fixture
def entries():
    pool = get_dataset("pooled")
    return {one.name: one for one in pooled.contestants(pool, Path("data"), (0, 1), ["training.epochs=2"])}


def test_own_windows_are_judged_only_where_they_differ(entries):
    assert list(entries) == ["pooled", "own-stress_predict", "own-eegmat", "windows-eegmat"]
    own, same, joint = (entries[name].config for name in ("own-eegmat", "windows-eegmat", "pooled"))
    assert same.front_end.modality_names == ("eeg", "ecg")
    assert (same.front_end.token_s, same.front_end.tokens) == (
        joint.front_end.token_s,
        joint.front_end.tokens,
    )
    assert (same.data, same.classes, same.split) == (joint.data, joint.classes, own.split)
    assert (same.training, same.model) == (own.training, own.model)
    assert {one.config.seeds for one in entries.values()} == {(0, 1)}
    assert {one.config.training.epochs for one in entries.values()} == {2}


def predictions(classes, subjects, shift, conditions=("full", "no-eeg", "no-ppg")):
    """Two windows of each class a person; `shift` is how many of a person's four pairs are ranked wrongly."""
    rows = [(c, s, label, k) for c in conditions for s in subjects for k, label in enumerate((0, 0, 1, 1))]
    of_one = {0: [0.1, 0.2, 0.8, 0.9], 1: [0.1, 0.7, 0.6, 0.9]}[shift]
    one = np.array([of_one[k] for *_, k in rows])
    return Predictions(
        classes=classes,
        method=np.full(len(rows), "mmqnet"),
        condition=np.array([row[0] for row in rows]),
        seed=np.zeros(len(rows)),
        fold=np.zeros(len(rows)),
        subject=np.array([row[1] for row in rows]),
        session=np.full(len(rows), "1"),
        trial=np.array([row[2] for row in rows]),
        start_s=np.array([float(row[3]) for row in rows]),
        label=np.array([row[2] for row in rows]),
        probabilities=np.stack([1 - one, one], axis=1),
    )


def test_the_table_pairs_people_and_names_who_was_tested(entries):
    joint = entries["pooled"]
    wrist, eeg = joint.members
    people = ["stress_predict-S02", "eegmat-Subject00", "eegmat-Subject01"]
    both = predictions(("rest", "strained"), people, shift=1)
    own = predictions(("rest", "arithmetic"), ["Subject00", "Subject01"], shift=0)
    parts = [pooled.named(both, joint, member) for member in joint.members]
    parts.append(pooled.named(own, entries["own-eegmat"], eeg))
    whole = Predictions.concatenate(parts)
    assert set(whole.condition) == {"stress_predict", "stress_predict no-ppg", "eegmat", "eegmat no-eeg"}
    assert set(whole.method) == {"mmqnet (pooled)", "mmqnet (own preset)"}
    assert set(whole.subject) == set(people)
    assert (wrist.dataset.name, eeg.dataset.name) == ("stress_predict", "eegmat")
    (row,) = pooled.difference_rows(whole)
    assert (row.method, row.condition, row.n) == ("mmqnet (own preset)", "eegmat", 2)
    assert (row.mean, row.low, row.high) == (0.25, 0.25, 0.25)
    table = pooled.results_of("x", get_dataset("pooled"), joint.config, whole)
    found = {row.method: row.mean for row in table.rows if (row.condition, row.metric) == ("eegmat", "auroc")}
    assert found == {"mmqnet (pooled)": 0.75, "mmqnet (own preset)": 1.0}
    assert "pooled, 3 subjects" in table.data
