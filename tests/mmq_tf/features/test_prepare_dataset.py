# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import streams_digest
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.utils.progress import WorkProgress


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "sim"
    return write_cohort(out, 3, Settings(minutes=7, modalities=("eda", "temp")))


class Heard(WorkProgress):
    """Keeps what it is told."""

    def __init__(self):
        self.totals, self.recordings, self.notes = [], [], []

    def on_total(self, total):
        self.totals.append(total)

    def on_recording(self, name, fault):
        self.recordings.append(name)

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    config = load_config(
        "simulated", ["front_end.modalities={eda={sampling_rate_hz=4}}", "artefacts.variants=0"]
    )
    return TokenSettings(config.front_end, config.artefacts, 0)


@pytest.mark.slow
def test_side_by_side_gives_what_one_after_the_other_gives(cohort, settings, tmp_path, monkeypatch):
    heard = Heard()
    done = prepare_dataset("simulated", cohort, settings, jobs=2, progress=heard)
    assert heard.totals == [3]
    assert sorted(heard.recordings) == [one.name for one in done] == ["sim-01", "sim-02", "sim-03"]
    assert all(one.made == ("eda",) and not one.fault for one in done)
    side_by_side = streams_digest(load_prepared("simulated", cohort, settings, done))
    assert all(one.made == () for one in prepare_dataset("simulated", cohort, settings))
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "another"))
    alone = prepare_dataset("simulated", cohort, settings, jobs=1)
    assert streams_digest(load_prepared("simulated", cohort, settings, alone)) == side_by_side


@pytest.fixture
def broken(cohort, tmp_path):
    copy = shutil.copytree(cohort, tmp_path / "copy")
    (copy / "sim-02" / "eda.npy").write_bytes(b"")
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_subject_stops_by_default(broken, settings, jobs):
    with pytest.raises(MMQError, match=r"sim-02.eda\.npy"):
        prepare_dataset("simulated", broken, settings, jobs=jobs)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_subject_is_skipped_only_when_asked_and_reported(broken, settings, jobs):
    done = prepare_dataset("simulated", broken, settings, jobs=jobs, skip_bad=True)
    assert [one.name for one in done if one.fault] == ["sim-02"]
    assert "eda.npy" in done[1].fault
    assert [stream.subject for stream in load_prepared("simulated", broken, settings, done)] == [
        "sim-01",
        "sim-03",
    ]


def test_nothing_but_bad_subjects_is_an_error(broken, settings):
    for path in broken.glob("*/eda.npy"):
        path.write_bytes(b"")
    with pytest.raises(MMQError, match="none of the 3 recordings can be read"):
        prepare_dataset("simulated", broken, settings, skip_bad=True)


def test_what_was_finished_before_a_stop_is_kept(broken, settings, cohort):
    with pytest.raises(MMQError):
        prepare_dataset("simulated", broken, settings)
    shutil.copy(cohort / "sim-02" / "eda.npy", broken / "sim-02" / "eda.npy")
    done = prepare_dataset("simulated", broken, settings)
    assert [one.made for one in done] == [(), ("eda",), ("eda",)]
