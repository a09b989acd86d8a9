# SPDX-License-Identifier: Apache-2.0
"""Whatever a path is, one recording comes out; the same formats under a manifest."""

import zipfile

import numpy as np
import pytest
import xdf_writer as XDF

from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.formats.detect import files_of, form_of
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.datasets.open_recording import open_recording
from mmq_tf.errors import MMQError
from mmq_tf.simulation.simulator import Settings, simulate

START = 1_700_000_000
HEAD = """
title = "t"
licence = "l"
attribution = "a"
label_kind = "k"
"""
TASK = """
[tasks.stress]
classes = ["rest", "stress"]
values = { "baseline" = "rest", "speech" = "stress" }
"""


def manifest(folder, files, trials, task=TASK):
    text = f"{HEAD}[[files]]\n{files}\n[trials]\n{trials}\n{task}"
    (folder / "mmq-tf.toml").write_text(text)
    return open_dataset("manifest", folder)


@pytest.fixture
def e4(tmp_path):
    folder = tmp_path / "S07"
    folder.mkdir()
    for name, rate, start in (("BVP.csv", 64, START), ("EDA.csv", 4, START + 1)):
        (folder / name).write_text("\n".join([f"{start}.0", f"{rate}.0", *["0.5"] * (rate * 60)]) + "\n")
    return folder


@pytest.fixture
def cap(tmp_path):
    """A FIF file with annotations."""
    import mne

    info = mne.create_info(["Fz", "Cz", "pulse"], 100.0, "eeg")
    raw = mne.io.RawArray(1e-5 * np.ones((3, 6000)), info, verbose="ERROR")
    raw.set_channel_types({"pulse": "misc"}, on_unit_change="ignore", verbose="ERROR")
    raw.set_annotations(mne.Annotations([0, 20, 45], [20, 20, 10], ["baseline", "speech", "coffee"]))
    path = tmp_path / "P01_raw.fif"
    raw.save(path, verbose="ERROR")
    return path


@pytest.fixture
def lsl(tmp_path):
    """An XDF file of one stream and markers."""
    times = 100.0 + np.arange(4 * 60) / 4
    rows = np.arange(times.size)[:, None]
    path = tmp_path / "P01.xdf"
    path.write_bytes(
        XDF.xdf(
            XDF.header(1, "band", "GSR", 1, 4, "float32", [{"label": "g", "unit": "microsiemens"}])
            + XDF.samples(1, times, rows, "float32"),
            XDF.header(2, "log", "Markers", 1, 0, "string")
            + XDF.samples(2, np.array([100.0, 130.0]), [["baseline"], ["speech"]], "string"),
        )
    )
    return path


def test_our_own_folder(tmp_path):
    recording = simulate(Settings(minutes=7, modalities=("eda",)), 0)[0]
    save_recording(recording, tmp_path / "rec")
    assert form_of(tmp_path / "rec") == "recording"
    opened = open_recording(tmp_path / "rec")
    assert opened.simulated
    assert opened.trials == recording.trials


def test_an_e4_folder_and_its_archive(e4, tmp_path):
    with zipfile.ZipFile(tmp_path / "S07.zip", "w") as archive:
        for path in e4.iterdir():
            archive.write(path, path.name)
    folder, packed = open_recording(e4), open_recording(tmp_path / "S07.zip")
    assert folder.subject == packed.subject == "S07"
    assert np.array_equal(folder.signals["eda"].samples, packed.signals["eda"].samples)
    assert folder.signals["eda"].start_s == 1.0
    assert files_of("e4", tmp_path / "S07.zip") == [tmp_path / "S07.zip"]


def test_files_that_mne_and_pyxdf_read(cap, lsl):
    assert open_recording(cap).signals["eeg"].channels == ("Fz", "Cz")
    assert open_recording(lsl).modalities == ("eda",)
    assert files_of("mne", cap) == [cap]


def test_the_real_eeglab_file(mmq_data):
    path = mmq_data / "eeglab_sample" / "eeglab_data.set"
    assert open_recording(path).signals["eeg"].sampling_rate_hz == 128
    assert {one.name for one in files_of("mne", path)} == {"eeglab_data.set", "eeglab_data.fdt"}


# ---- under a manifest


def test_e4_with_a_trials_table_in_unix_time(e4):
    (e4.parent / "trials.csv").write_text(
        f"subject,start,stop,stress\nS07,{START + 5},{START + 15},baseline\nS07,{START + 20},,speech\n"
    )
    dataset = manifest(
        e4.parent,
        'path = "{subject}"\nformat = "e4"',
        'source = "table"\npath = "trials.csv"\ntime_unit = "unix"',
    )
    assert dataset.subjects(e4.parent) == ["S07"]
    loaded = dataset.load(e4.parent, "S07")
    assert [(t.start_s, t.stop_s, t.labels["stress"]) for t in loaded.trials] == [
        (5.0, 15.0, "rest"),
        (20.0, 61.0, "stress"),
    ]
    names = [path.name for path in dataset.source_files(e4.parent, "S07")]
    assert names == ["mmq-tf.toml", "BVP.csv", "EDA.csv", "trials.csv"]


def test_annotations_become_trials_and_others_are_left_out(cap):
    files = 'path = "{subject}_raw.fif"\nformat = "mne"'
    loaded = manifest(cap.parent, files, 'source = "annotations"').load(cap.parent, "P01")
    assert (loaded.subject, loaded.source) == ("P01", "manifest")
    assert [trial.labels["stress"] for trial in loaded.trials] == ["rest", "stress"]
    assert loaded.modalities == ("eeg",)


def test_what_mne_does_not_say_the_manifest_does(cap):
    files = 'path = "{subject}_raw.fif"\nformat = "mne"\nmodalities = { Cz = "ignore", pulse = "resp" }'
    loaded = manifest(cap.parent, files, 'source = "annotations"').load(cap.parent, "P01")
    assert loaded.signals["eeg"].channels == ("Fz",)
    assert loaded.modalities == ("eeg", "resp")


def test_one_of_several_under_a_manifest_and_several_without(cap):
    (cap.parent / "P02_raw.fif").write_bytes(cap.read_bytes())
    files = 'path = "{subject}_raw.fif"\nformat = "mne"'
    manifest(cap.parent, files, 'source = "annotations"')
    assert open_recording(f"{cap.parent}:P02").subject == "P02"
    with pytest.raises(MMQError, match=rf"describes 2: P01, P02. Name one: {cap.parent}:P01"):
        open_recording(cap.parent)
    with pytest.raises(MMQError, match="no recording of subject 'P03'; there are P01, P02"):
        open_recording(f"{cap.parent}:P03")
    (cap.parent / "mmq-tf.toml").unlink()
    with pytest.raises(MMQError, match=r"it holds 2: P01_raw.fif, P02_raw.fif. Name one of them"):
        open_recording(cap.parent)


def test_annotations_that_no_task_names(cap):
    files = 'path = "{subject}_raw.fif"\nformat = "mne"'
    task = '[tasks.load]\nclasses = ["low", "high"]\n'
    with pytest.raises(MMQError, match="P01_raw.fif: none of its trials.*'baseline', 'coffee', 'speech'"):
        manifest(cap.parent, files, 'source = "annotations"', task).load(cap.parent, "P01")


def test_markers_of_xdf(lsl):
    files = 'path = "{subject}.xdf"\nformat = "xdf"\nmarkers = "log"\nmodalities = { band = "eda" }'
    loaded = manifest(lsl.parent, files, 'source = "annotations"').load(lsl.parent, "P01")
    assert [(round(t.start_s), t.labels["stress"]) for t in loaded.trials] == [(0, "rest"), (30, "stress")]


def test_a_simulated_recording_must_be_called_so(tmp_path):
    save_recording(simulate(Settings(minutes=7, modalities=("eda",)), 0)[0], tmp_path / "P01")
    files, trials = 'path = "{subject}"\nformat = "recording"', 'source = "recording"'
    task = '[tasks.stress]\nclasses = ["rest", "stress"]\n'
    with pytest.raises(MMQError, match="is SIMULATED; write simulated = true"):
        manifest(tmp_path, files, trials, task).load(tmp_path, "P01")
    text = (tmp_path / "mmq-tf.toml").read_text()
    (tmp_path / "mmq-tf.toml").write_text(f"simulated = true\n{text}")
    dataset = open_dataset("manifest", tmp_path)
    assert dataset.simulated
    assert dataset.title.startswith("SIMULATED")
    assert [trial.labels["stress"] for trial in dataset.load(tmp_path, "P01").trials] == [
        "rest",
        "stress",
        "rest",
    ]


def test_a_cut_file_under_a_manifest_that_repairs_it(lsl):
    lsl.write_bytes(lsl.read_bytes()[:-9])  # inside the markers
    files = 'path = "{subject}.xdf"\nformat = "xdf"\n'
    with pytest.raises(MMQError, match="repair = true"):
        manifest(lsl.parent, files, 'source = "annotations"').load(lsl.parent, "P01")
    with pytest.raises(MMQError, match="none of its trials"):  # the markers were lost
        manifest(lsl.parent, files + "repair = true", 'source = "annotations"').load(lsl.parent, "P01")
    assert open_recording(lsl, repair=True).signals["eda"].samples.shape == (1, 240)
