# SPDX-License-Identifier: Apache-2.0
"""Data sets that a configuration joins: `data.sets`, `data.weights` and `split.by`."""

from dataclasses import replace

import numpy as np
import pytest
import tomli_w

import mmq_tf.datasets
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.protocol_limits import Limits
from mmq_tf.datasets.simulated import SIMULATED
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.training.fold import fold_windows
from mmq_tf.training.run import Run

SETS = [
    {"dataset": "one"},
    {
        "dataset": "simulated",
        "name": "two",
        "folder": "second",
        "classes": {"rest": "rest"},
        "enrolment_s": 40.0,
        "enrolment_from": "rest_half",
    },
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("joint")
    write_cohort(root / "one", 4, Settings(seed=3, minutes=7, modalities=("eda", "temp")))
    write_cohort(root / "second", 4, Settings(seed=4, minutes=7, modalities=("eda",)))
    return root


@pytest.fixture
def config(monkeypatch, tmp_path):
    """`config(**changes)`: two simulated cohorts joined."""
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(mmq_tf.datasets.DATASETS, "one", replace(SIMULATED, name="one"))

    def make(data=None, **changes):
        content = {
            "name": "both",
            "data": {"dataset": "both", "task": "stress", "sets": SETS, **(data or {})},
            "front_end": {
                "token_s": 5.0,
                "tokens": 4,
                "modalities": {"eda": {"sampling_rate_hz": 4}, "temp": {"sampling_rate_hz": 4}},
            },
            "windows": {"stride_s": 20.0},
            "normalisation": {"mode": "enrolment", "enrolment_s": 60.0, "rest_class": "rest"},
            "artefacts": {"variants": 0},
            "split": {"folds": 2},
            **changes,
        }
        path = tmp_path / "both.toml"
        path.write_text(tomli_w.dumps(content))
        return load_config(path)

    return make


def streams_of(config, folder):
    settings = TokenSettings(config.front_end, config.artefacts, 0)
    done = prepare_dataset(config.source, folder, settings)
    streams = load_prepared(config.source, folder, settings, done)
    return enrolled_at_rest(streams, config.normalisation, 5.0)


def jobs_of(config, folder, tmp_path, streams):
    run = Run.plan(tmp_path / "run", config, "test", folder, final=False, force=False)
    return run.jobs(streams)


def test_people_sensors_and_labels_of_both(config, folder):
    found = config()
    assert (found.classes, found.set_order) == (("rest", "stress"), ("one", "two"))
    dataset = open_dataset(found.source, folder)
    assert dataset.subjects(folder) == [f"one-sim-0{k}" for k in (1, 2, 3, 4)] + [
        f"two-sim-0{k}" for k in (1, 2, 3, 4)
    ]
    assert dataset.simulated
    assert dataset.licence.count("no person was measured") == 2
    recording = dataset.load(folder, "two-sim-01")
    assert (recording.subject, recording.source) == ("two-sim-01", "both")
    assert {label for trial in recording.trials for label in trial.labels.values()} == {"rest"}
    assert "two: at most enrol 40 s; enrol in half of the rest." in dataset.notes
    limits = {member.called: member.limits for member in dataset.members}
    assert limits == {"one": Limits(), "two": Limits(enrolment_s=40.0, enrolment_from="rest_half")}


def test_windows_know_their_set_and_its_weight(config, folder, tmp_path):
    found = config({"weights": {"two": 0.5}})
    streams = streams_of(found, folder)
    assert {stream.dataset: stream.earlier > 0 for stream in streams} == {"one": False, "two": True}
    for job in jobs_of(found, folder, tmp_path, streams):
        windows = fold_windows(job)
        for side in (windows.train, windows.validation):
            assert (side.dataset == np.char.partition(side.subject, "-")[:, 0]).all()
            totals = [side.weight[side.dataset == name].sum() for name in ("one", "two")]
            assert totals[1] / totals[0] == pytest.approx(0.5)
            assert (side.weight[side.dataset == "one"] == 1).all()
        assert windows.test.sample_weight is None
    plain = fold_windows(jobs_of(config(), folder, tmp_path, streams)[0]).train
    assert plain.sample_weight is None


def test_one_data_set_is_left_out(config, folder, tmp_path):
    found = config(split={"by": "dataset"})
    streams = streams_of(found, folder)
    jobs = jobs_of(found, folder, tmp_path, streams)
    assert [{name.partition("-")[0] for name in job.fold.test} for job in jobs] == [{"one"}, {"two"}]
    assert {name.partition("-")[0] for name in jobs[0].fold.train + jobs[0].fold.validation} == {"two"}


def test_it_is_written_as_it_is_read(config, tmp_path):
    found = config({"weights": {"two": 0.5}}, split={"by": "dataset"})
    (tmp_path / "again.toml").write_text(found.to_toml())
    assert load_config(tmp_path / "again.toml") == found
    assert not {"[[data.sets]]", "[data.weights]"} & set(load_config("pooled").to_toml().split("\n"))
    short = config({"sets": ["one", {"dataset": "simulated", "name": "two"}]})
    assert short.data.sets[0].called == "one"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"dataset": "pooled"}, "data.dataset 'pooled' is a data set of its own"),
        ({"sets": ["one"]}, "must be two or more with different names, got one"),
        ({"sets": ["one", "one"]}, "with different names, got one, one"),
        ({"sets": ["one", "nothing"]}, "data set must be one of"),
        ({"sets": ["one", "eegmat"]}, "data.sets eegmat: 'stress' is not a task of eegmat"),
        (
            {"sets": ["one", {"dataset": "eegmat", "task": "load", "classes": {"x": "rest"}}]},
            "'x' is not one of its classes",
        ),
        (
            {"sets": ["one", {"dataset": "eegmat", "task": "load", "classes": {"rest": "calm"}}]},
            "its classes must become some of rest, stress",
        ),
        ({"weights": {"three": 1.0}}, "data.weights: 'three' is none of the joined sets: one, two"),
        ({"weights": {"two": 0.0}}, "greater than 0"),
        ({"sets": [], "dataset": "simulated", "weights": {"one": 1.0}}, "none of the joined sets: none"),
        ({"sets": ["one", {"dataset": "simulated", "name": "a-b"}]}, "data.sets.1.name"),
    ],
)
def test_what_cannot_be_joined_is_named(config, data, words):
    with pytest.raises(MMQError, match=words):
        config(data)


def test_only_joined_sets_can_be_left_out(config):
    with pytest.raises(MMQError, match="leaves out one of several joined data sets"):
        load_config("simulated", ["split.by=dataset"])
    assert load_config("pooled", ["split.by=dataset", "data.weights={eegmat=0.5}"]).set_order == (
        "stress_predict",
        "eegmat",
    )


def test_a_missing_folder_is_named(config, folder, tmp_path):
    (tmp_path / "one").symlink_to(folder / "one")
    with pytest.raises(MMQError, match="expected the folders one, second in it, as both joins them; second"):
        open_dataset(config().source, tmp_path)


def test_the_preset_joins_two_real_ones(mmq_data):
    config = load_config("wrist")
    dataset = open_dataset(config.source, mmq_data)
    people = {name.partition("/")[0] for name in dataset.subjects(mmq_data)}
    assert len(people) == 26 + 23
    assert config.front_end.modalities == load_config("stress-predict").front_end.modalities
    assert "ODbL" in dataset.licence
    assert "MIT" in dataset.licence
