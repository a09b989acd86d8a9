# SPDX-License-Identifier: Apache-2.0
"""From recordings to a bundle and its decisions in Python alone, on a tiny SIMULATED study."""

import json

import numpy as np
import pytest

import mmq_tf
from mmq_tf.errors import MMQError
from mmq_tf.simulation.simulator import Settings, simulate

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def bundle(run, study):
    return mmq_tf.export(run, study / "bundle", max_drop=100, slim=True, below_chance=True)


def test_a_run_says_which_call_made_it(run, study):
    facts = json.loads((run.folder / "metrics.json").read_text())
    assert facts["command"] == f"mmq_tf.train('{study / 'tiny.toml'}', '{study / 'cohort'}')"


def test_evaluate_judges_a_run_and_gives_its_table(run):
    found = mmq_tf.evaluate(run, protocols=["D"])
    assert found.folder == run.folder / "evaluation"
    assert found.report.is_file()
    assert found.ablations is None
    row = found.results.row("mmqnet", "no-eda", "auroc")
    assert row is not None
    assert row.mean is not None
    assert 0 <= row.mean <= 1
    assert found.results.command == f"mmq_tf.evaluate('{run.folder}')"
    again = mmq_tf.evaluate(run.folder, protocols=["D"])  # a folder is a run too; nothing is judged again
    assert again.results.rows == found.results.rows


def test_export_gives_a_bundle_that_decides(bundle):
    assert bundle.manifest.simulated
    worn, _ = simulate(Settings(minutes=7, modalities=("eda", "temp")), 5)
    decisions = bundle.load().decide(worn)
    assert any(not decision.abstained or decision.probabilities for decision in decisions)
    report = bundle.verify()
    assert report.problems == []


def test_a_fold_can_be_exported_and_what_is_not_there_is_refused(run, study, tmp_path):
    one = mmq_tf.export(run.folder, tmp_path / "fold", fold=1, max_drop=100, slim=True, below_chance=True)
    assert one.manifest.exported_model.startswith("fold 1")
    with pytest.raises(MMQError, match="no such fold; the run has 2"):
        mmq_tf.export(run, tmp_path / "none", fold=7)
    with pytest.raises(MMQError, match="name the folder of a finished run"):
        mmq_tf.export(study / "cohort", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_pretrained_model_is_exported_as_it_is(tmp_path):
    bundle = mmq_tf.export("wrist-stress", tmp_path / "watch")
    assert bundle.manifest.name == "wrist-stress"
    assert (bundle.folder / "mmq_bridge" / "include" / "mmq_bridge.h").is_file()
    with pytest.raises(MMQError, match="only out and sign may be given"):
        mmq_tf.export("wrist-stress", tmp_path / "other", slim=True)


def test_what_cannot_be_judged_is_one_sentence(run):
    with pytest.raises(MMQError, match="got 'F'"):
        mmq_tf.evaluate(run, protocols=["A", "F"])
    with pytest.raises(MMQError, match="got 'nobody'"):
        mmq_tf.evaluate(run, methods=["nobody"])


def test_windows_are_those_that_training_cuts(run, study):
    from mmq_tf.training.fold import fold_windows
    from mmq_tf.training.run_streams import load_streams

    job = run.jobs(load_streams(run, 1)[0])[0]
    known = fold_windows(job)
    loaded = mmq_tf.load_windows(study / "tiny.toml", study / "cohort", fit_on=job.fold.train)
    assert loaded.front_end == known.front_end
    rows = np.isin(loaded.windows.subject, job.fold.test)
    np.testing.assert_array_equal(loaded.windows.features[rows], known.test.features)
    inputs, label = loaded.to_keras()
    X, y, groups = loaded.to_sklearn()
    assert X.shape == (len(loaded), inputs["features"][0].size)
    assert [loaded.classes[one] for one in label] == y.tolist()
    assert set(groups) == set(loaded.windows.subject)
    assert loaded.data["simulated"]
    with pytest.raises(MMQError, match="there is no subject 'nobody'"):
        mmq_tf.load_windows(study / "tiny.toml", study / "cohort", fit_on=["nobody"])
