# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.signal import butter, find_peaks, sosfiltfilt

from mmq_tf.errors import MMQError
from mmq_tf.simulation.simulator import RATE_HZ, Settings, physiology, simulate


@pytest.fixture(scope="module")
def everything():
    return simulate(Settings(seed=3, minutes=8, modalities=tuple(RATE_HZ), artefacts=False), 0)


def between(values, times, trials, label):
    """Mean of values at times that fall into trials of one label, the first 30 s of each left out."""
    inside = np.zeros(len(times), bool)
    for trial in trials[1:]:
        if trial.labels["stress"] == label:
            inside |= (times > trial.start_s + 30) & (times < trial.stop_s)
    return values[inside].mean()


def test_everything_says_that_it_is_simulated(everything):
    recording, _ = everything
    assert recording.simulated
    assert recording.source == "simulated"


def test_blocks_begin_with_a_long_rest_and_alternate():
    for index in range(5):
        recording, _ = simulate(Settings(), index)
        trials = recording.trials
        assert trials[0].labels == {"stress": "rest"}
        assert trials[0].stop_s >= 180
        assert [t.labels["stress"] for t in trials] == (["rest", "stress"] * len(trials))[: len(trials)]
        assert trials[-1].stop_s == recording.duration_s == 900


def test_shapes_rates_and_ranges(everything):
    signals = everything[0].signals
    for name, signal in signals.items():
        assert signal.sampling_rate_hz == RATE_HZ[name]
        assert signal.duration_s == 480
        assert np.isfinite(signal.samples).all()
    assert signals["eeg"].samples.shape[0] == 4
    assert 0.02 <= signals["eda"].samples.min() <= signals["eda"].samples.max() < 60
    assert 25 < signals["temp"].samples.min() <= signals["temp"].samples.max() < 40
    assert np.abs(signals["acc"].samples).max() <= 2


def test_r_waves_lie_where_the_truth_says(everything):
    recording, truth = everything
    ecg = recording.signals["ecg"].samples[0]
    peaks, _ = find_peaks(ecg, height=0.5 * ecg.max(), distance=256 * 0.35)
    beats = np.array(truth.beats_s)
    inside = beats[(beats > 0.5) & (beats < 479)]
    nearest = np.abs(inside[:, None] - peaks / 256).min(1)
    assert nearest.max() < 0.02
    assert abs(len(peaks) - len(beats)) <= 2


def test_pulses_follow_the_beats(everything):
    recording, truth = everything
    ppg = recording.signals["ppg"].samples[0]
    sos = butter(2, [0.7, 4.0], "band", fs=64, output="sos")
    peaks = find_peaks(sosfiltfilt(sos, ppg), distance=64 * 0.35)[0] / 64
    beats = np.array(truth.beats_s)
    beats = beats[(beats > 1) & (beats < 478)]
    lags = peaks[np.searchsorted(peaks, beats + 0.1)] - beats
    # pulse arrival and the rise of the wave: alike from beat to beat, but for movement
    assert 0.25 < np.median(lags) < 0.5
    assert np.mean(np.abs(lags - np.median(lags)) < 0.08) > 0.8


def test_breathing_modulates_the_heart(everything):
    recording, truth = everything
    beats = np.array(truth.beats_s)
    rate = np.interp(np.arange(0, 470, 0.25), (beats[1:] + beats[:-1]) / 2, 60 / np.diff(beats))
    breath = recording.signals["resp"].samples[0, : 470 * 16 : 4]
    sos = butter(2, [0.15, 0.45], "band", fs=4, output="sos")
    assert np.corrcoef(sosfiltfilt(sos, rate), sosfiltfilt(sos, breath))[0, 1] > 0.7


def change(values, rate, trials, label):
    """Mean change from the beginning of the blocks of one label to their end."""
    blocks = [trial for trial in trials[1:] if trial.labels["stress"] == label]
    ends = [values[int((t.stop_s - 10) * rate) : int(t.stop_s * rate)].mean() for t in blocks]
    starts = [values[int(t.start_s * rate) : int((t.start_s + 10) * rate)].mean() for t in blocks]
    return np.mean(ends) - np.mean(starts)


def test_the_condition_shifts_people_by_realistic_amounts():
    shifts = {"heart": [], "scr": [], "eda": [], "cooling": [], "warming": []}
    for index in range(16):
        recording, truth = simulate(Settings(seed=11, artefacts=False), index)
        beats, scr = np.array(truth.beats_s), np.array(truth.scr_s)
        series = {
            "heart": (60 / np.diff(beats), beats[1:]),
            "eda": (recording.signals["eda"].samples[0], np.arange(3600) / 4),
            "scr": (60 * np.histogram(scr, np.arange(901))[0], np.arange(900) + 0.5),
        }
        for name, (values, times) in series.items():
            stress, rest = (between(values, times, recording.trials, label) for label in ("stress", "rest"))
            shifts[name].append(stress - rest)
        temp = recording.signals["temp"].samples[0]
        shifts["cooling"].append(change(temp, 4, recording.trials, "stress"))
        shifts["warming"].append(change(temp, 4, recording.trials, "rest"))
    assert 5 < np.mean(shifts["heart"]) < 15  # bpm
    assert 1.5 < np.mean(shifts["scr"]) < 8  # a minute
    assert np.mean(shifts["eda"]) > 0.05  # uS
    assert -1.0 < np.mean(shifts["cooling"]) < -0.2  # degC in two minutes
    assert 0.05 < np.mean(shifts["warming"]) < 1.0
    # people differ: for some a system hardly responds
    assert np.std(shifts["heart"]) > 2
    assert max(shifts["cooling"]) > -0.15


def test_alpha_falls_with_load():
    ratios = []
    for index in range(6):
        recording, _ = simulate(Settings(seed=4, minutes=8, modalities=("eeg",), artefacts=False), index)
        eeg = recording.signals["eeg"].samples
        power = (np.abs(np.fft.rfft(eeg.reshape(4, -1, 256), axis=2)[:, :, 16:26]) ** 2).sum((0, 2))
        times = np.arange(power.size) * 2.0 + 1
        stress, rest = (between(power, times, recording.trials, label) for label in ("stress", "rest"))
        ratios.append(stress / rest)
    assert np.mean(ratios) < 0.95


def test_artefacts_and_dropouts_are_where_the_truth_says():
    settings = {"seed": 5, "modalities": ("ppg", "eda", "temp", "acc")}
    spoiled, truth = simulate(Settings(**settings), 1)
    clean, _ = simulate(Settings(**settings, artefacts=False), 1)
    assert truth.dropouts
    assert truth.artefacts
    for name, signal in spoiled.signals.items():
        times = np.arange(signal.samples.shape[1]) / signal.sampling_rate_hz
        lost, touched = np.zeros(times.size, bool), np.zeros(times.size, bool)
        for interval in truth.dropouts:
            lost |= (interval.modality == name) & (times >= interval.start_s) & (times < interval.stop_s)
        for interval in truth.artefacts:
            touched |= (interval.modality == name) & (times >= interval.start_s) & (times < interval.stop_s)
        assert (np.isnan(signal.samples).all(0) == lost).all()
        same = (signal.samples == clean.signals[name].samples).all(0)
        assert same[~lost & ~touched].all()


def test_the_same_seed_gives_the_same_bytes_and_another_another_person():
    first, again, other = (simulate(Settings(seed=seed), 0)[0] for seed in (1, 1, 2))
    neighbour = simulate(Settings(seed=1), 1)[0]
    for name in first.signals:
        assert first.signals[name].samples.tobytes() == again.signals[name].samples.tobytes()
        assert first.signals[name].samples.tobytes() != other.signals[name].samples.tobytes()
        assert first.signals[name].samples.tobytes() != neighbour.signals[name].samples.tobytes()
    assert first.digest == again.digest
    assert len({first.digest, other.digest, neighbour.digest}) == 3


def test_eyes_and_muscles_can_be_simulated_and_spoiled():
    recording, truth = simulate(Settings(modalities=("eog", "emg")), 0)
    assert {name: signal.samples.shape[0] for name, signal in recording.signals.items()} == {
        "eog": 2,
        "emg": 1,
    }
    assert {interval.modality for interval in truth.artefacts} == {"eog", "emg"}


def test_another_sensor_does_not_change_the_others():
    few = simulate(Settings(), 0)[0]
    more = simulate(Settings(modalities=("ppg", "eda", "temp", "acc", "ecg")), 0)[0]
    assert all((few.signals[m].samples.tobytes() == more.signals[m].samples.tobytes()) for m in few.signals)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": -1}, "seed must be 0 or more"),
        ({"minutes": 3.0}, "minutes must lie between 7"),
        ({"minutes": float("nan")}, "minutes must lie between"),
        ({"modalities": ()}, "modalities must be"),
        ({"modalities": ("ppg", "ppg")}, "modalities must be"),
        ({"modalities": ("meg",)}, "modalities must be"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(MMQError, match=words):
        Settings(**settings)


def test_wandering_has_the_spread_and_memory_asked_for():
    values = physiology.wandering(200_000, 0.25, 10.0, 2.0, np.random.default_rng(0))
    assert values.std() == pytest.approx(2.0, rel=0.05)
    lag = 40  # one time constant
    assert np.corrcoef(values[:-lag], values[lag:])[0, 1] == pytest.approx(np.exp(-1), abs=0.05)


def test_lagged_follows_within_its_time_constants():
    goal = np.r_[0.0, np.ones(400)]
    value = physiology.lagged(goal, 0.25, 10.0, 20.0)
    assert value[40] == pytest.approx(1 - np.exp(-1), abs=1e-6)
    back = physiology.lagged(np.r_[1.0, np.zeros(400)], 0.25, 10.0, 20.0)
    assert back[80] == pytest.approx(np.exp(-1), abs=1e-6)
