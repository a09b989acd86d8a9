# SPDX-License-Identifier: Apache-2.0
"""A fold's pretraining: whom it loads, that it goes on where it was, and what starts from it."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mmq_tf import datasets
from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.datasets.base import Dataset
from mmq_tf.errors import MMQError
from mmq_tf.model.ensemble import members_of
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.pretraining.job import PROBE, PretrainJob, training_only
from mmq_tf.pretraining.moments import NEIGHBOUR_RULE, STIMULUS_RULE
from mmq_tf.recording import Signal
from mmq_tf.training.fit import fit_network, new_network
from mmq_tf.training.pretrained_encoder import HeldLayers, Start, check_start
from mmq_tf.training.splits import Fold

FOLD = Fold(("a", "b", "c"), ("d",), ("e", "f"))


def signals_of(rng: np.random.Generator, course: np.ndarray) -> list[Signal]:
    """Skin conductance and temperature that follow the film, with the person's own noise."""
    return [
        Signal(
            name,
            (level + course + 0.05 * rng.normal(size=course.size))[None].astype("f4"),
            4.0,
            unit,
            (name,),
        )
        for name, level, unit in (("eda", 5.0, "uS"), ("temp", 32.0, "degC"))
    ]


@pytest.fixture
def loaded(add_films):
    return add_films(("eda", "temp"), signals_of)


def make_config(**pretraining: Any) -> RunConfig:
    values = {"seconds": 3, "pairs": 1, "steps": 3, "epochs": 2, "projection": 8, **pretraining}
    return load_config(
        "simulated",
        [
            "data={dataset='films', task='arousal'}",
            "front_end.tokens=4",
            "front_end.modalities={eda={sampling_rate_hz=4}, temp={sampling_rate_hz=4}}",
            "normalisation={mode='population'}",
            "training.epochs=3",
            "training.teacher_share=0",
            *(f"pretraining.{name}={value}" for name, value in values.items()),
        ],
    )


def make_job(tmp_path: Path, folder: str = "00", fold: Fold = FOLD, **pretraining: Any) -> PretrainJob:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    return PretrainJob(make_config(**pretraining), data, fold, 0, 0, tmp_path / "run" / "folds" / folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where `finished` keeps the run that it copies."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def finished(loaded, kept, tmp_path):
    """A finished job, run once for all tests that only read it."""
    if not (kept / "run").exists():
        make_job(kept).run()
    shutil.copytree(kept / "run", tmp_path / "run")
    return make_job(tmp_path)


def test_no_test_subject_is_ever_touched(loaded, tmp_path):
    job = make_job(tmp_path)
    job.run()
    assert set(loaded) == {*FOLD.train, *FOLD.validation}
    facts = json.loads((job.folder / "pretraining.json").read_text())
    assert facts["rule"] == STIMULUS_RULE
    assert len(facts["epochs"]) == 3
    assert {"loss", "accuracy", PROBE} <= facts["epochs"][-1].keys()
    assert not (job.folder / "state.npz").exists()


@pytest.mark.slow
def test_validation_subjects_are_measured_on_and_not_learned_from(loaded, tmp_path):
    """Their samples are not in the bank: without them the encoder is bit for bit the same."""
    whole = make_job(tmp_path)
    whole.run()
    alone = make_job(tmp_path, "alone", Fold(FOLD.train, (), FOLD.test))
    alone.run()
    nets: list[Any] = [keras.saving.load_model(job.folder / "encoder.keras") for job in (whole, alone)]
    weights = [net.get_weights() for net in nets]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_asking_for_a_test_subject_is_refused(loaded, tmp_path):
    job = make_job(tmp_path)
    with pytest.raises(MMQError, match="e is a test subject of this fold"):
        training_only(job.streams(("a", "e")), FOLD)
    with pytest.raises(MMQError, match="d is a validation subject"):
        training_only(job.streams(("d",)), FOLD)


@pytest.mark.slow
def test_it_goes_on_after_a_break_as_if_unbroken(loaded, tmp_path):
    def stop(epoch: int, metrics: dict[str, float]) -> None:
        raise KeyboardInterrupt

    whole, broken = make_job(tmp_path, "whole"), make_job(tmp_path, "broken")
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        broken.run(stop)
    assert not broken.done
    broken.run()
    facts = [json.loads((job.folder / "pretraining.json").read_text()) for job in (whole, broken)]
    assert facts[0] == facts[1]


def test_recordings_without_a_shared_stimulus_pair_neighbours(loaded, tmp_path, monkeypatch):
    films = datasets.DATASETS["films"]
    monkeypatch.setitem(datasets.DATASETS, "films", Dataset(**{**vars(films), "stimulus_locked": False}))
    job = make_job(tmp_path)
    job.run()
    assert json.loads((job.folder / "pretraining.json").read_text())["rule"] == NEIGHBOUR_RULE


@pytest.mark.slow
@pytest.mark.parametrize(("name", "members"), [("mhacl", 1), ("mmqnet", 1), ("mmqnet", 2)])
def test_a_network_starts_with_the_encoder_holds_it_then_lets_it_learn(finished, tmp_path, name, members):
    job = finished
    net, front_end, _, _ = job.pretrained(None)
    wish = job.config.model.model_copy(update={"name": name, "members": members, "line": False})
    config = job.config.model_copy(update={"model": wish})
    model = new_network(config.training_spec, 2, seed=5)
    held = Start(tmp_path / "run", "films", 2).into(model.net, FOLD, "00-seed7")
    layers = [one.embedding if isinstance(one, MMQNet) else one.encoder for one in members_of(model.net)]
    wanted = net.encoder.embedding if name == "mmqnet" else net.encoder
    kept = [[np.array(value) for value in layer.get_weights()] for layer in layers]
    for got in kept:
        for one, want in zip(got, wanted.get_weights(), strict=True):
            np.testing.assert_array_equal(one, want)

    from mmq_tf.features.windows import build_windows

    windows = build_windows(job.streams(FOLD.train), front_end, "arousal", ("low", "high"), 15.0)
    changed = []

    def note(epoch: int, metrics: dict[str, float]) -> None:
        now = [layer.get_weights() for layer in layers]
        changed.append(
            [
                any((a != b).any() for a, b in zip(old, new, strict=True))
                for old, new in zip(kept, now, strict=True)
            ]
        )

    fit_network(model, windows, None, config.training_spec, 0, None, note, epochs=3, before_epoch=held)
    assert changed == [[False] * members, [False] * members, [True] * members]


def test_an_encoder_that_saw_who_is_judged_is_refused(finished, tmp_path):
    job = finished
    net = new_network(job.config.training_spec, 2, seed=5).net
    other = Fold(("c", "e"), ("f",), ("a",))
    with pytest.raises(MMQError, match="has seen a, who choose or judge"):
        Start(tmp_path / "run", "films", 1).into(net, other, "00")
    assert isinstance(Start(tmp_path / "run", "other", 1).into(net, other, "00"), HeldLayers)
    assert isinstance(Start(tmp_path / "run", "films", 1).into(net, None, "00"), HeldLayers)


@pytest.mark.slow
def test_what_cannot_start_a_network_is_said(finished, tmp_path):
    job = finished
    start = Start(tmp_path / "run", "films", 1)
    config = job.config.model_copy(update={"model": job.config.model.model_copy(update={"size": "small"})})
    with pytest.raises(MMQError, match="encoder has dim = 32, this configuration needs 64"):
        start.into(new_network(config.training_spec, 2, seed=0).net, FOLD, "00")
    with pytest.raises(MMQError, match="expected a finished encoder of this fold in .*03"):
        start.into(new_network(job.config.training_spec, 2, seed=0).net, FOLD, "03")
    with pytest.raises(MMQError, match="cannot be read"):
        check_start(tmp_path)
    (job.folder / "encoder.keras").write_bytes(b"nothing")
    with pytest.raises(MMQError, match="cannot be loaded"):
        start.into(new_network(job.config.training_spec, 2, seed=0).net, FOLD, "00")
