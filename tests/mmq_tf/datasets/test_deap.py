# SPDX-License-Identifier: Apache-2.0
import logging
import pickle
import pickletools
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from scipy.signal import welch
from scipy.stats import skew

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.deap_protocol import EEG_CHANNELS, SCALES, read_presented
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts import deap as layout

pytestmark = pytest.mark.slow

DEAP = get_dataset("deap")
SEED = 5
RATE = 128
TABLE = "metadata_csv/participant_ratings.csv"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deap")
    assert list(LAYOUTS["deap"](folder, 1, SEED, True)) == ["s01"]
    return folder


@pytest.fixture(scope="module")
def dat(root):
    return root / "data_preprocessed_python" / "s01.dat"


@pytest.fixture(scope="module")
def published(dat):
    """What Python itself reads from the file."""
    with dat.open("rb") as file:
        return pickle.load(file, encoding="latin1")


@pytest.fixture(scope="module")
def recording(root):
    return DEAP.load(root, "s01")


def write(path, data, labels):
    with path.open("wb") as file:
        pickle.dump({"data": data, "labels": labels}, file, protocol=2)


def inside(recording, modality, trial):
    start, stop = round(trial.start_s * RATE), round(trial.stop_s * RATE)
    return recording.signals[modality].samples[:, start:stop]


def all_inside(recording, modality):
    return np.stack([inside(recording, modality, trial) for trial in recording.trials], axis=1)


def peak_hz(trials):
    """Frequency with the most power over trials ``[1, trials, n]``, above drift."""
    frequency, power = welch(trials[0], RATE, nperseg=RATE * 30)
    power = power.mean(0) * (frequency > 0.1)
    return frequency[power.argmax()]


def test_every_signal_has_its_rate_channels_and_unit(recording):
    described = {
        name: (signal.samples.shape, signal.sampling_rate_hz, signal.unit)
        for name, signal in recording.signals.items()
    }
    n = 4800 * RATE  # a trial every two minutes
    assert described == {
        "eeg": ((32, n), 128, "uV"),
        "eog": ((2, n), 128, "uV"),
        "emg": ((2, n), 128, "uV"),
        "ppg": ((1, n), 128, "a.u."),
        "eda": ((1, n), 128, "a.u."),
        "resp": ((1, n), 128, "a.u."),
        "temp": ((1, n), 128, "degC"),
    }
    assert recording.signals["eeg"].channels == EEG_CHANNELS
    assert recording.signals["eog"].channels == ("hEOG", "vEOG")
    assert len(recording.trials) == 40
    for trial in recording.trials:
        assert trial.stop_s - trial.start_s == 60
        assert trial.start_s % 60 == 0
        assert np.isfinite(inside(recording, "eeg", replace(trial, start_s=trial.start_s - 3))).all()


def test_the_file_is_a_pickle_of_python_2(dat, published):
    with dat.open("rb") as file:
        found = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(file)]
    names = [argument for name, argument in found if name == "GLOBAL"]
    assert names == ["numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"]
    assert ("PROTO", 2) in found
    assert {name for name, argument in found if isinstance(argument, str)} == {
        "GLOBAL",
        "SHORT_BINSTRING",
        "BINSTRING",
    }
    assert published["data"].shape == (40, 40, 8064)
    assert published["labels"].shape == (40, 4)
    assert published["data"].dtype == published["labels"].dtype == np.float64


def test_trials_come_in_the_order_of_presentation_with_their_own_signals_and_labels(
    root, recording, published
):
    presented = read_presented(root / TABLE, "s01")
    assert (np.diff(presented.videos) < 0).any()
    for trial, video in zip(recording.trials, presented.videos, strict=True):
        np.testing.assert_array_equal(
            inside(recording, "eeg", trial), published["data"][video - 1, :32, 384:].astype(np.float32)
        )
        ratings = dict(zip(SCALES, published["labels"][video - 1], strict=True))
        assert trial.ratings == pytest.approx(ratings)
        assert trial.stimulus == f"video {video}"
        assert trial.labels == {scale: "high" if rating > 5 else "low" for scale, rating in ratings.items()}
    assert {trial.labels["arousal"] for trial in recording.trials} == {"low", "high"}


def test_without_the_table_the_order_is_the_files(root, dat, published, tmp_path, caplog):
    (tmp_path / "s01.dat").symlink_to(dat)
    with caplog.at_level(logging.WARNING):
        recording = DEAP.load(tmp_path, "s01")
    assert "participant_ratings.csv is not there" in caplog.text
    first = [trial.ratings["valence"] for trial in recording.trials]
    assert first == pytest.approx(published["labels"][:, 0])


def test_breath_is_where_the_belt_is_and_pulse_where_the_plethysmograph_is(recording):
    assert 0.15 < peak_hz(all_inside(recording, "resp")) < 0.45
    assert 0.7 < peak_hz(all_inside(recording, "ppg")) < 2.0


def test_swapped_channels_would_be_seen(published):
    data = published["data"][:, :, 384:]
    assert peak_hz(data[:, 38].reshape(1, 40, -1)) > 0.7  # as if resp were read from the plethysmograph
    assert peak_hz(data[:, 37].reshape(1, 40, -1)) < 0.45


def test_eyes_muscles_brain_and_skin_are_where_they_must_be(recording):
    across, upwards = all_inside(recording, "eog").reshape(2, -1)
    assert skew(upwards) > 1.5  # blinks stand out upwards
    assert abs(skew(across)) < 0.5
    for modality, low_hz, high_hz in (("emg", 19, 62), ("eeg", 4, 45)):
        frequency, power = welch(all_inside(recording, modality), RATE, nperseg=512)
        kept = (frequency >= low_hz) & (frequency <= high_hz)
        assert power[..., kept].sum() > 0.97 * power.sum()
    temp = all_inside(recording, "temp")
    assert np.abs(temp).max() < 2  # changes since the baseline
    eda = all_inside(recording, "eda")
    assert 0.01 < eda.min() < eda.max() < 60  # what the front end takes for worn


def test_eda_falls_with_resistance_and_knows_no_level(root, recording, published, tmp_path):
    data = published["data"].astype(np.float32)
    data[:, 36] += np.linspace(-4e4, 9e5, 40)[:, None]  # whatever was taken away from each trial
    write(tmp_path / "s01.dat", data, published["labels"])
    shutil.copytree(root / "metadata_csv", tmp_path / "metadata_csv")
    shifted = all_inside(DEAP.load(tmp_path, "s01"), "eda")
    np.testing.assert_allclose(shifted, all_inside(recording, "eda"), rtol=1e-5)
    order = read_presented(root / TABLE, "s01").videos - 1
    resistance = data[order, 36, 384:]
    for trial, ohm in zip(shifted[0], resistance, strict=True):
        assert np.corrcoef(np.log(trial), ohm)[0, 1] < -0.9999


def test_matlab_files_give_the_same_recording_and_python_files_come_first(root, recording, tmp_path):
    layout.write_matlab(tmp_path, SEED, 0)
    shutil.copytree(root / "metadata_csv", tmp_path / "metadata_csv")
    assert DEAP.subjects(tmp_path) == ["s01"]
    other = DEAP.load(tmp_path, "s01")
    assert other.trials == recording.trials
    for name, signal in recording.signals.items():
        np.testing.assert_array_equal(other.signals[name].samples, signal.samples)
    (tmp_path / "data_preprocessed_python").mkdir()
    (tmp_path / "data_preprocessed_python" / "s01.dat").write_bytes(b"broken")
    with pytest.raises(MMQError, match=r"s01\.dat"):
        DEAP.load(tmp_path, "s01")


def test_the_inner_folder_will_do(root, recording):
    inner = root / "data_preprocessed_python"
    assert DEAP.subjects(inner) == ["s01"]
    assert DEAP.load(inner, "s01").trials == recording.trials  # the table is found beside it
    with pytest.raises(MMQError, match="no recording of subject 's02'"):
        DEAP.load(root, "s02")


def test_the_digest_knows_the_samples_and_the_order(root, dat, tmp_path):
    (tmp_path / "s01.dat").symlink_to(dat)
    bare = DEAP.digest(tmp_path, "s01")
    shutil.copytree(root / "metadata_csv", tmp_path / "metadata_csv")
    assert len({bare, DEAP.digest(tmp_path, "s01")}) == 2
    assert DEAP.digest(tmp_path, "s01") == DEAP.digest(root, "s01")


def test_the_same_seed_simulates_the_same_person():
    first, again, other = (layout.presented(seed, 3) for seed in (1, 1, 2))
    assert (first.ratings == again.ratings).all()
    assert (first.videos == again.videos).all()
    assert (first.ratings != other.ratings).any()
    with pytest.raises(MMQError, match="1 to 32 subjects; got 33"):
        next(LAYOUTS["deap"](Path(), 33, 0, True))


def test_the_features_of_a_trial_do_not_know_the_trials_before(recording):
    front_end = load_config("deap").front_end
    trial = recording.trials[7]
    tokens = slice(round(trial.start_s / front_end.token_s), round(trial.stop_s / front_end.token_s))

    def alone(signal):
        samples = signal.samples.copy()
        samples[:, : round((trial.start_s - 3) * RATE)] = np.nan
        return replace(signal, samples=samples)

    stop_s = trial.stop_s + 4
    whole = extract_tokens(front_end, recording.signals, stop_s)
    only = extract_tokens(front_end, {name: alone(s) for name, s in recording.signals.items()}, stop_s)
    np.testing.assert_array_equal(whole.presence[tokens], only.presence[tokens])
    np.testing.assert_array_equal(whole.features[tokens], only.features[tokens])
    assert whole.presence[tokens].mean(0).min() > 0.8  # every modality is usable, from the first token on
    late = [name == "resp" for name in front_end.modality_names]  # judged over 10 s, of which 5 are there
    assert (whole.presence[tokens][0].astype(bool) | late).all()
    before = slice(tokens.start - 30, tokens.start - 2)
    assert not whole.presence[before].any()


def test_the_preset_fits_the_loader():
    config = load_config("deap")
    front_end = config.front_end
    assert config.classes == ("low", "high")
    assert front_end.tokens * len(front_end.modality_names) <= 160
    assert set(front_end.modality_names) == set(DEAP.modalities)
    assert DEAP.published is not None
    for name, (count, rate) in DEAP.published.signals.items():
        assert len(front_end.modalities[name].channels) == count
        assert front_end.modalities[name].sampling_rate_hz == rate
    assert front_end.modalities["eeg"].channels == EEG_CHANNELS


def test_one_subject_needs_little_memory(root):
    tracemalloc.start()
    try:
        DEAP.load(root, "s01")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 280 * 2**20  # the file's arrays and the recording, and one of them as float32
