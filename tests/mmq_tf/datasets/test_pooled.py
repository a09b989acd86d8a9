# SPDX-License-Identifier: Apache-2.0
"""Data sets joined: two simulated cohorts with other sensors stand for two real ones."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.cache import cache_folder

import mmq_tf.datasets
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.base import Member
from mmq_tf.datasets.pooled import CLASSES, TASK, join
from mmq_tf.datasets.protocol_limits import Limits
from mmq_tf.datasets.simulated import SIMULATED
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.training.fold import FoldJob, fold_windows
from mmq_tf.training.splits import joined_folds

WORDS = {"rest": "rest", "stress": "strained"}
CHANGES = (
    "front_end.tokens=4",
    "front_end.modalities={eda={sampling_rate_hz=4}, temp={sampling_rate_hz=4}, acc={sampling_rate_hz=32}}",
    'data.task="strain"',
    "artefacts.variants=1",
    "normalisation.enrolment_s=100",
    "windows.stride_s=20",
)
SHORT = Limits(enrolment_s=50.0, window_s=10.0, stride_s=5.0)


@pytest.fixture(scope="module")
def parts():
    """Simulated people: `wrist` with eda and temp, and `chest` with acc, whose trials are short."""
    wrist = replace(SIMULATED, name="wrist", modalities=("eda", "temp"))
    chest = replace(SIMULATED, name="chest", modalities=("acc",))
    return join(
        "both", [Member(wrist, "stress", TASK, WORDS), Member(chest, "stress", TASK, WORDS, limits=SHORT)]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pooled")
    write_cohort(root / "wrist", 4, Settings(seed=3, minutes=7, modalities=("eda", "temp")))
    write_cohort(root / "chest", 3, Settings(seed=4, minutes=7, modalities=("acc",)))
    return root


@pytest.fixture
def offered(parts, monkeypatch, tmp_path):
    """The data sets can be named, and the cache is empty."""
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    sets = [parts, *(member.dataset for member in parts.members)]
    for dataset in sets:
        monkeypatch.setitem(mmq_tf.datasets.DATASETS, dataset.name, dataset)
    return parts


@pytest.fixture
def config(offered):
    """Of version 2: in version 3 nobody enrols by motion alone beside EDA."""
    changes = [f'data.dataset="{offered.name}"', "front_end.frontend_version=2", *CHANGES]
    return load_config("simulated", changes)


@pytest.fixture
def streams(config, folder):
    settings = TokenSettings(config.front_end, config.artefacts, 0)
    return load_prepared("both", folder, settings, prepare_dataset("both", folder, settings))


def test_people_are_named_by_their_data_set_and_labelled_in_the_joint_words(parts, folder):
    names = parts.subjects(folder)
    assert names == [f"chest-sim-0{i}" for i in (1, 2, 3)] + [f"wrist-sim-0{i}" for i in (1, 2, 3, 4)]
    joint, own = parts.load(folder, "wrist-sim-02"), SIMULATED.load(folder / "wrist", "sim-02")
    assert (joint.subject, joint.source, joint.modalities) == ("wrist-sim-02", "both", ("eda", "temp"))
    assert joint.simulated
    assert [(t.start_s, t.stop_s) for t in joint.trials] == [(t.start_s, t.stop_s) for t in own.trials]
    assert [t.labels for t in joint.trials] == [{TASK: WORDS[t.labels["stress"]]} for t in own.trials]
    assert joint.signals["eda"].samples.tobytes() == own.signals["eda"].samples.tobytes()


def test_a_label_without_a_joint_word_is_none(parts):
    member = replace(parts.members[0], classes={"stress": "strained"})
    own = (replace_labels("rest"), replace_labels("stress"))
    assert [trial.labels for trial in member.trials(own)] == [{}, {TASK: "strained"}]


def replace_labels(label):
    from mmq_tf.recording import Trial

    return Trial(0.0, 1.0, {"stress": label, "other": "x"}, ratings={"valence": 1.0})


def test_what_the_members_have_in_the_cache_is_not_computed_again(offered, folder, config):
    settings = TokenSettings(config.front_end, config.artefacts, 0)
    for name in ("wrist", "chest"):
        assert all(one.made for one in prepare_dataset(name, folder / name, settings))
    entries = sorted((cache_folder() / "tokens").iterdir())
    joint = prepare_dataset("both", folder, settings)
    assert [one.made for one in joint] == [()] * 7
    assert sorted((cache_folder() / "tokens").iterdir()) == entries
    alone = load_prepared(
        "wrist", folder / "wrist", settings, prepare_dataset("wrist", folder / "wrist", settings)
    )
    (stream,) = [s for s in load_prepared("both", folder, settings, joint) if s.subject == "wrist-sim-02"]
    assert (alone[1].subject, alone[1].trials[0].labels) == ("sim-02", {"stress": "rest"})
    np.testing.assert_array_equal(stream.features, alone[1].features)
    np.testing.assert_array_equal(stream.variants[0].corrupted, alone[1].variants[0].corrupted)


def test_absent_sensors_are_absent_and_leave_the_others_statistics_alone(streams, config):
    columns = config.front_end.modality_names
    assert columns == ("eda", "temp", "acc")
    for stream in streams:
        owned = [name for name, seen in zip(columns, stream.presence.any(axis=0), strict=True) if seen]
        assert owned == (["acc"] if stream.subject.startswith("chest") else ["eda", "temp"])
    together = fit_normalisation(streams, config.normalisation, 5.0)
    wrist = fit_normalisation(streams[3:], config.normalisation, 5.0)
    chest = fit_normalisation(streams[:3], config.normalisation, 5.0)
    acc = config.front_end.feature_slices["acc"]
    assert together.mean[: acc.start] == wrist.mean[: acc.start]
    assert together.std[: acc.start] == wrist.std[: acc.start]
    assert together.mean[acc] == chest.mean[acc]
    short = config.normalisation.model_copy(update={"enrolment_s": SHORT.enrolment_s})
    assert chest.mean == fit_normalisation(streams[:3], short, 5.0).mean  # its limit, not the run's 100 s


def test_short_recordings_fill_the_last_tokens_of_a_window(streams, config, offered, tmp_path):
    folds = joined_folds(offered.grouped([s.subject for s in streams]), 3, 0.2, 0)
    job = FoldJob(config, CLASSES, folds[0], 0, 0, tmp_path, tuple(streams))
    windows = fold_windows(job).train
    chest = np.char.startswith(windows.subject, "chest")
    assert chest.any()
    assert (~chest).any()
    assert not windows.presence[chest][:, :2].any()
    assert not windows.features[chest][:, :2].any()
    assert windows.presence[chest][:, 2:, 2].mean() > 0.9
    assert not windows.variant_corrupted[:, chest, :2].any()
    # 50 s enrol, so the first 10 s that are read begin there and the window of 20 s 10 s before
    assert windows.start_s[chest].min() == 40.0
    assert windows.start_s[~chest].min() == 100.0
    starts = windows.start_s[(windows.subject == windows.subject[chest][0]) & (windows.trial == 0)]
    assert set(np.diff(starts)) == {5.0}
    for row in np.flatnonzero(chest)[:5]:
        (stream,) = [s for s in streams if s.subject == windows.subject[row]]
        inside = stream.trials[windows.trial[row]]
        assert inside.start_s <= windows.start_s[row] + 10.0
        assert windows.start_s[row] + 20.0 <= inside.stop_s
        assert inside.labels[TASK] == CLASSES[windows.label[row]]


def test_a_missing_folder_or_subject_is_named(parts, folder, tmp_path):
    (tmp_path / "wrist").symlink_to(folder / "wrist")
    with pytest.raises(MMQError, match="chest is missing"):
        parts.subjects(tmp_path)
    with pytest.raises(MMQError, match=r"expected a subject named wrist-\.\.\., chest-\.\.\.; got 'sim-01'"):
        parts.load(folder, "sim-01")


def test_the_real_pool_keeps_what_its_presets_say(mmq_data):
    pool, config = get_dataset("pooled"), load_config("pooled")
    wrist, eeg = (load_config(name) for name in ("stress-predict", "eegmat"))
    assert config.classes == CLASSES
    assert config.front_end.modalities == {**wrist.front_end.modalities, **eeg.front_end.modalities}
    limits = {member.dataset.name: member.limits for member in pool.members}
    assert config.front_end.frontend_version == wrist.front_end.frontend_version == 3
    assert config.normalisation == wrist.normalisation
    assert config.model.line
    assert limits["eegmat"].enrolment_s == eeg.normalisation.enrolment_s
    assert limits["eegmat"].window_s == eeg.front_end.window_s
    for fold in joined_folds(pool.grouped(pool.subjects(mmq_data)), 5, 0.2, 0):
        for side in (fold.train, fold.validation, fold.test):
            assert {len(group) > 1 for group in pool.grouped(side)} == {True}
            assert len(pool.grouped(side)) == 2
