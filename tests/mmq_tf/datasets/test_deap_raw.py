# SPDX-License-Identifier: Apache-2.0
import shutil

import mne
import numpy as np
import pytest
from scipy.signal import welch

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.deap_protocol import EEG_CHANNELS, MIDDLE
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts import deap as layout
from mmq_tf.simulation.layouts.common import simulated_person

pytestmark = pytest.mark.slow

DEAP_RAW = get_dataset("deap_raw")
SEED, TRIALS = 5, 2
TWENTE, GENEVA, NAMELESS, TWO_NAMELESS = 0, 22, 23, 28
RATE = 512


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """People of both sites, and of each way in which Geneva's Status channel was named."""
    folder = tmp_path_factory.mktemp("deap_raw")
    layout.write_ratings(folder, [layout.presented(SEED, index) for index in range(32)], TRIALS)
    for index in (TWENTE, GENEVA, NAMELESS, TWO_NAMELESS):
        layout.write_recording(folder, SEED, index, TRIALS)
    return folder


@pytest.fixture(scope="module")
def recordings(root):
    return {
        index: DEAP_RAW.load(root, f"s{index + 1:02d}") for index in (TWENTE, GENEVA, NAMELESS, TWO_NAMELESS)
    }


def person(index, *sensors):
    """What the simulated body did, straight from the simulator."""
    aroused = layout.presented(SEED, index).ratings[:TRIALS, 1] > MIDDLE
    blocks = [(78.0 * k, 78.0 * (k + 1), bool(state)) for k, state in enumerate(aroused)]
    names = {"eeg": EEG_CHANNELS, "emg": ("zEMG", "tEMG")}
    return simulated_person(SEED, index, blocks, dict.fromkeys(sensors, 512.0), names).signals


def test_the_session_has_its_trials_where_the_videos_start(recordings):
    for index, recording in recordings.items():
        presented = layout.presented(SEED, index)
        assert recording.subject == f"s{index + 1:02d}"
        assert recording.duration_s == 78 * TRIALS
        assert [(t.start_s, t.stop_s) for t in recording.trials] == [(5.0, 65.0), (83.0, 143.0)]
        for trial, ratings in zip(recording.trials, presented.ratings, strict=False):
            assert list(trial.ratings.values()) == pytest.approx(ratings)
            assert trial.labels["arousal"] == ("high" if ratings[1] > 5 else "low")


@pytest.mark.parametrize("index", [TWENTE, GENEVA, TWO_NAMELESS])
def test_electrodes_come_in_one_order_whatever_the_file_has(root, recordings, index):
    path = root / "data_original" / f"s{index + 1:02d}.bdf"
    raw = mne.io.read_raw_bdf(path, stim_channel=[47], verbose="ERROR")
    is_geneva = tuple(raw.ch_names[:32]) == EEG_CHANNELS
    assert is_geneva == (index >= 22)
    eeg = recordings[index].signals["eeg"]
    assert eeg.channels == EEG_CHANNELS
    true = person(index, "eeg")["eeg"].samples
    for name, row, simulated in zip(eeg.channels, eeg.samples, true, strict=True):
        named = np.asarray(raw.get_data(picks=name))[0] * 1e6
        np.testing.assert_allclose(row, named, atol=1e-3)
        assert np.abs(row - simulated).max() < 41  # uV: the mains, which only a reference can remove


def test_pairs_of_electrodes_are_subtracted(recordings):
    signals = recordings[TWENTE].signals
    true = person(TWENTE, "eog", "emg")
    for name in ("eog", "emg"):
        assert np.abs(signals[name].samples - true[name].samples).max() < 0.1  # uV, of which a bit is 0.03
    frequency, power = welch(signals["eeg"].samples[0], RATE, nperseg=1024)
    assert frequency[power.argmax()] == 50  # on a single electrode there is mains


@pytest.mark.parametrize("index", [TWENTE, GENEVA])
def test_both_sites_give_conductance_in_microsiemens(recordings, index):
    eda = recordings[index].signals["eda"]
    true = person(index, "eda")["eda"].samples
    assert eda.unit == "uS"
    np.testing.assert_allclose(eda.samples, true, rtol=1e-4, atol=2e-3)


def test_breath_pulse_and_temperature_are_where_they_must_be(recordings):
    for index in (TWENTE, GENEVA):
        signals = recordings[index].signals
        true = person(index, "resp", "ppg", "temp")
        for name in ("resp", "ppg"):
            assert np.corrcoef(signals[name].samples[0], true[name].samples[0])[0, 1] > 0.999
        np.testing.assert_allclose(signals["temp"].samples, true["temp"].samples, atol=1e-3)


def test_a_resistance_below_nothing_is_lost(root, tmp_path):
    copy(root, tmp_path, "s23")
    path = tmp_path / "s23.bdf"
    overwrite(path, label_row=40, value=-5)
    eda = DEAP_RAW.load(tmp_path, "s23").signals["eda"].samples[0]
    assert np.isnan(eda[:RATE]).all()
    assert np.isfinite(eda[RATE:]).all()


def copy(root, folder, subject):
    shutil.copytree(root / "metadata_csv", folder / "metadata_csv")
    shutil.copy(root / "data_original" / f"{subject}.bdf", folder)


def overwrite(path, label_row, value):
    """Set the first second of one channel to a digital value."""
    data = bytearray(path.read_bytes())
    channels = int(data[252:256])
    at = 256 * (channels + 1) + 3 * RATE * label_row
    data[at : at + 3 * RATE] = value.to_bytes(3, "little", signed=True) * RATE
    path.write_bytes(data)


def relabel(path, old, new):
    data = path.read_bytes()
    assert old.ljust(16) in data[: 256 + 16 * 48]
    path.write_bytes(data.replace(old.ljust(16), new.ljust(16), 1))


def test_the_command_can_write_it(tmp_path):
    assert list(LAYOUTS["deap_raw"](tmp_path, 1, 0, True)) == ["s01"]
    recording = DEAP_RAW.load(tmp_path, "s01")
    assert len(recording.trials) == layout.SHORT_TRIALS
    assert DEAP_RAW.subjects(tmp_path) == ["s01"]


def test_without_ratings_there_are_no_labels(root, tmp_path):
    shutil.copy(root / "data_original" / "s01.bdf", tmp_path)
    with pytest.raises(MMQError, match=r"participant_ratings\.csv: not found; it comes with DEAP"):
        DEAP_RAW.load(tmp_path, "s01")


def test_every_rating_needs_its_video(root, tmp_path):
    copy(root, tmp_path, "s01")
    layout.write_ratings(tmp_path, [layout.presented(SEED, 0)], TRIALS + 1)
    with pytest.raises(MMQError, match=r"s01\.bdf: expected 3 starts of videos .* got 2"):
        DEAP_RAW.load(tmp_path, "s01")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"GSR1", b"GSR7", "expected a channel named GSR1; got fp1, af3"),
        (b"PO3", b"PO9", "expected a channel named PO3"),
        (
            b"Status",
            b"Stat",
            "expected a channel named Status, or a last one without a name; the last is 'Stat'",
        ),
    ],
)
def test_a_file_without_a_channel_is_refused(root, tmp_path, old, new, words):
    copy(root, tmp_path, "s01")
    relabel(tmp_path / "s01.bdf", old, new)
    with pytest.raises(MMQError, match=rf"s01\.bdf: {words}"):
        DEAP_RAW.load(tmp_path, "s01")


def test_a_broken_file_is_refused(root, tmp_path):
    copy(root, tmp_path, "s24")
    path = tmp_path / "s24.bdf"
    whole = path.read_bytes()
    for keep in (0, 200, 5000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(MMQError, match=r"s24\.bdf"):
            DEAP_RAW.load(tmp_path, "s24")


def test_a_video_that_does_not_last_is_refused(root, tmp_path):
    copy(root, tmp_path, "s01")
    path = tmp_path / "s01.bdf"
    whole = path.read_bytes()
    channels, records = int(whole[252:256]), int(whole[236:244])
    record = 3 * RATE * channels
    kept = 256 * (channels + 1) + 100 * record
    path.write_bytes(whole[:236] + b"100     " + whole[244:kept])
    assert records == 156
    with pytest.raises(MMQError, match=r"s01\.bdf: trial 2 must last 60 s from 83 s on"):
        DEAP_RAW.load(tmp_path, "s01")
