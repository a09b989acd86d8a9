# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.signal import find_peaks, periodogram

from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.common import simulated_person

BLOCKS = [(0.0, 120.0, False), (120.0, 240.0, True), (240.0, 360.0, False)]
NAMES = tuple(f"E{number}" for number in range(32))


@pytest.fixture(scope="module")
def person():
    rates = {"eeg": 128, "eog": 128, "emg": 1000, "ecg": 700, "ppg": 128, "resp": 128, "eda": 8, "acc": 700}
    return simulated_person(4, 1, BLOCKS, rates, {"eeg": NAMES, "emg": ("zEMG", "tEMG")})


def band_share(samples, rate, low_hz, high_hz):
    frequency, power = periodogram(samples, rate)
    return power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / power.sum()


def test_every_sensor_has_the_rate_length_and_channels_asked_for(person):
    for signal in person.signals.values():
        assert signal.duration_s == 360
        assert np.isfinite(signal.samples).all()
    assert person.signals["eeg"].channels == NAMES
    assert person.signals["emg"].channels == ("zEMG", "tEMG")
    assert person.signals["eog"].channels == ("hEOG", "vEOG")
    assert person.signals["emg"].samples.shape == (2, 360_000)
    assert person.signals["acc"].samples.shape == (3, 252_000)


def test_blinks_are_in_the_vertical_channel_where_the_truth_says(person):
    across, upwards = person.signals["eog"].samples
    assert 12 < len(person.blinks_s) / 6 < 24  # a minute
    assert np.diff(person.blinks_s).min() > 0.5
    peaks = find_peaks(upwards, height=100, prominence=80, distance=40)[0] / 128
    closed = person.blinks_s + 0.1
    assert (np.abs(closed[:, None] - peaks).min(1) < 0.1).mean() > 0.9
    assert (np.abs(peaks[:, None] - closed).min(1) < 0.1).mean() > 0.9
    blink = np.round(closed * 128).astype(int)
    before = np.round((person.blinks_s - 0.1) * 128).astype(int)
    assert np.median(upwards[blink] - upwards[before]) > 100
    assert np.median(upwards[blink] - upwards[before]) > 5 * abs(np.median(across[blink] - across[before]))


def test_the_eyes_jump_across(person):
    across = person.signals["eog"].samples[0]
    moved = np.abs(across[8:] - across[:-8])  # 62 ms: longer than a saccade
    assert 30 < np.quantile(moved, 0.97)
    assert np.median(moved) < 10  # the noise between saccades


def test_muscle_lies_in_its_band_and_tenses_with_arousal():
    tensed = []
    for index in range(6):
        emg = simulated_person(1, index, BLOCKS, {"emg": 1000}).signals["emg"].samples[0]
        assert band_share(emg, 1000, 19, 451) > 0.98
        rms = np.sqrt((emg.reshape(360, 1000) ** 2).mean(1))
        tensed.append(np.median(rms[150:240]) / np.median(rms[:120]))
    assert np.median(tensed) > 1.3


def test_a_low_rate_keeps_muscle_under_half_of_it():
    emg = simulated_person(1, 0, BLOCKS, {"emg": 128}).signals["emg"].samples[0]
    assert band_share(emg, 128, 19, 62) > 0.98
    assert 1 < np.median(np.abs(emg)) < 40  # uV


def test_no_two_electrodes_or_muscles_are_the_same(person):
    for name in ("eeg", "emg"):
        correlation = np.corrcoef(person.signals[name].samples)
        assert np.abs(correlation - np.eye(len(correlation))).max() < 0.9


def test_breath_and_pulse_have_their_rates_at_any_sampling_rate(person):
    frequency, power = periodogram(person.signals["resp"].samples[0], 128)
    assert 0.13 < frequency[power.argmax()] < 0.45
    assert abs(len(person.beats_s) / 360 - 1.2) < 0.5
    ecg = person.signals["ecg"].samples[0]
    peaks = find_peaks(ecg, height=0.5 * ecg.max(), distance=240)[0] / 700
    inside = person.beats_s[(person.beats_s > 0.5) & (person.beats_s < 359)]
    assert np.abs(inside[:, None] - peaks).min(1).max() < 0.02


def test_the_body_does_not_depend_on_its_sensors(person):
    other = simulated_person(4, 1, BLOCKS, {"acc": 32, "eda": 8})
    assert (other.beats_s == person.beats_s).all()
    assert (other.blinks_s == person.blinks_s).all()
    assert (other.signals["eda"].samples == person.signals["eda"].samples).all()
    assert simulated_person(4, 2, BLOCKS, {"eda": 8}).beats_s.size != person.beats_s.size


@pytest.mark.parametrize(
    ("blocks", "rates", "channels", "words"),
    [
        ([], {"eda": 4}, {}, "blocks must follow"),
        ([(0.0, 60.0, False), (61.0, 120.0, True)], {"eda": 4}, {}, "blocks must follow"),
        (BLOCKS, {"meg": 4}, {}, "sensors are .* got 'meg'"),
        (BLOCKS, {"eda": 4}, {"eda": ("a", "b")}, "only eeg and emg can have other channels; got 'eda'"),
    ],
)
def test_impossible_people_are_refused(blocks, rates, channels, words):
    with pytest.raises(MMQError, match=words):
        simulated_person(0, 0, blocks, rates, channels)
