# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf export --prune` and `--qat` as a user types them, on a tiny SIMULATED run."""

import gzip
import json
import shutil

import keras
import pytest
from command_line import invoke
from mmq_bridge.decision.manifest import Manifest
from mmq_export.sparsity import zero_share
from tiny_study import write_tiny_study

from mmq_tf.cli.export import command as export_command
from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.training.fit import new_network
from mmq_tf.training.fold import calibrate, fold_windows, write_model
from mmq_tf.training.run import Run, write_golden, write_metrics
from mmq_tf.training.run_streams import load_streams

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a cohort of four as train leaves it, but with an untrained network; a cache of its own."""
    folder = tmp_path_factory.mktemp("smaller")
    write_tiny_study(folder, seeds=[0], training={"teacher_share": 0.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMQ_CACHE", str(folder / "cache"))
        config = load_config(folder / "tiny.toml")
        run = Run.plan(folder / "run", config, "test", folder / "cohort", final=False, force=False)
        streams, _ = load_streams(run, 1)
        run, job = run.begin(streams), run.jobs(streams)[0]
        windows, model = fold_windows(job), new_network(config.training_spec, 2, 0)
        write_model(run.folder, model, windows.front_end, windows.validation)
        write_golden(run, run.dataset.load(run.data_folder, job.fold.test[0]), 70.0)
        subjects = {f"{side}_subjects": getattr(job.fold, side) for side in ("train", "validation", "test")}
        decision = calibrate(model, windows.validation, job)
        write_metrics(run, {"exported_model": "fold 0", **subjects, "decision": decision}, [], 2)
        yield run.folder


def test_pruned_and_rounded_while_trained_on(run, tmp_path):
    plain, small, moved = tmp_path / "plain", tmp_path / "small", _without_recordings(run, tmp_path)
    assert invoke(export_command, run, "--out", plain, "--max-drop", 100).exit_code == 0
    result = invoke(
        export_command, moved, "--int8", "--prune", 0.75, "--qat", "--epochs", 3, "--out", small,
        "--max-drop", 100, "--data", run.parent / "cohort", "--results", tmp_path / "size.json",
    )  # fmt: skip
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    assert "75.0% of the larger kernels' weights are 0" in result.stdout
    before, after = Manifest.load(plain), Manifest.load(small)
    assert before.fine_tuning is None
    assert after.fine_tuning is not None
    assert after.fine_tuning.model_dump() == {
        "epochs": 3, "pruned_share": 0.75, "zero_share": pytest.approx(0.75, abs=0.002),
        "quantisation_aware": True,
    }  # fmt: skip
    content = (small / "model_int8.tflite").read_bytes()
    assert after.model.int8_gzip_bytes == len(gzip.compress(content, mtime=0))
    assert before.model.int8_gzip_bytes
    assert after.model.int8_gzip_bytes
    assert after.model.int8_gzip_bytes < 0.9 * before.model.int8_gzip_bytes
    # Judged against the run's own network, not against the pruned one.
    assert after.model.float32_macro_f1 == before.model.float32_macro_f1
    assert after.decision.temperature != before.decision.temperature
    rows = json.loads((tmp_path / "size.json").read_text())["rows"]
    assert {row["condition"] for row in rows} == {"float32", "int8-qat-pruned-75"}
    card = (small / "MODEL_CARD.md").read_text()
    assert "75 % were asked for" in card
    assert "quantisation-aware training" in card
    assert "before the fine-tuning" in card
    assert "smaller" not in (plain / "MODEL_CARD.md").read_text()


def _without_recordings(run, folder):
    """Return a copy of the run that looks for its recordings where none are."""
    moved = folder / "run"
    shutil.copytree(run, moved)
    facts = json.loads((moved / "run.json").read_text())
    (moved / "run.json").write_text(json.dumps({**facts, "data_folder": str(folder / "gone")}))
    return moved


def test_the_run_itself_stays_as_it_was(run):
    assert zero_share(keras.saving.load_model(run / "model.keras", compile=False)) < 0.01  # type: ignore


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prune", "0"), "0<x<1"),
        (("--prune", "1"), "0<x<1"),
        (("--prune", "half"), "--prune"),
        (("--epochs", "3"), "belong to --prune and --qat"),
        (("--data", "cohort"), "belong to --prune and --qat"),
        (("--qat", "--epochs", "0"), "--epochs"),
    ],
)
def test_impossible_options_are_refused_at_once(tmp_path, options, message):
    result = invoke(export_command, tmp_path / "no run", *options)
    assert result.exit_code == 2
    assert message in result.output


def test_a_run_without_its_recordings_is_one_sentence_and_data_names_them(run, tmp_path):
    moved = _without_recordings(run, tmp_path)
    options = ("--qat", "--epochs", 1, "--out", tmp_path / "out", "--max-drop", 100)
    result = invoke(export_command, moved, *options)
    assert isinstance(result.exception, MMQError)
    assert f"{tmp_path / 'gone'}: the recordings of {moved} are not there" in str(result.exception)
    assert "--data" in str(result.exception)
    other = tmp_path / "other"
    write_cohort(other, 4, Settings(seed=5, minutes=7, modalities=("eda", "temp")))
    result = invoke(export_command, moved, *options, "--data", other)
    assert isinstance(result.exception, MMQError)
    assert "have changed" in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]
