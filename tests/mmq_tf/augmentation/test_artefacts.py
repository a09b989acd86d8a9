# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.augmentation.artefacts import KINDS, POWER_FLOOR, corrupt, corrupt_signal, draw_intervals
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Signal

RATES = {
    "eeg": 128,
    "eog": 128,
    "emg": 500,
    "ecg": 256,
    "ppg": 64,
    "eda": 4,
    "resp": 16,
    "temp": 4,
    "acc": 32,
}
CASES = [(modality, kind) for modality in MODALITIES for kind in KINDS[modality]]


def clean(modality, seconds=120.0, channels=2, seed=0):
    """A wave on a level far from 0 and noise, well above every power floor."""
    rate = RATES[modality]
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    samples = 10 + np.sin(2 * np.pi * 0.31 * time) + 0.3 * rng.normal(size=(channels, time.size))
    names = tuple(f"c{i}" for i in range(channels))
    return Signal(modality, samples.astype(np.float32), rate, "x", names)


def added_snr_db(signal, dirty, start_s, stop_s):
    inside = slice(int(start_s * signal.sampling_rate_hz), int(stop_s * signal.sampling_rate_hz))
    before = signal.samples[:, inside].astype(float)
    difference = dirty.samples[:, inside].astype(float) - before
    power = np.maximum(before.var(1), POWER_FLOOR.get(signal.modality, 0) ** 2)
    return 10 * np.log10(power / (difference**2).mean(1))


@pytest.mark.parametrize(("modality", "kind"), CASES)
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0])
def test_the_snr_is_the_one_asked_for(modality, kind, snr_db):
    signal = clean(modality)
    dirty = corrupt(signal, kind=kind, snr_db=snr_db, start_s=20, stop_s=32, rng=np.random.default_rng(1))
    assert np.abs(added_snr_db(signal, dirty, 20, 32) - snr_db).max() < 0.1


@pytest.mark.parametrize(("modality", "kind"), CASES)
def test_outside_the_stretch_every_bit_stays(modality, kind):
    signal = clean(modality)
    before = signal.samples.copy()
    dirty = corrupt(signal, kind=kind, snr_db=0.0, start_s=20, stop_s=30, rng=np.random.default_rng(2))
    rate = RATES[modality]
    outside = np.r_[0 : 20 * rate, 30 * rate : before.shape[1]]
    assert (dirty.samples[:, outside] == before[:, outside]).all()
    assert (dirty.samples[:, 20 * rate : 30 * rate] != before[:, 20 * rate : 30 * rate]).any(1).all()
    assert (signal.samples == before).all()


@pytest.mark.parametrize(("modality", "kind"), CASES)
def test_lost_samples_stay_lost_and_the_rest_is_finite(modality, kind):
    signal = clean(modality)
    signal.samples[0, ::3] = np.nan
    signal.samples[1] = np.nan
    dirty = corrupt(signal, kind=kind, snr_db=0.0, start_s=20, stop_s=30, rng=np.random.default_rng(3))
    assert (np.isnan(dirty.samples) == np.isnan(signal.samples)).all()
    assert not np.isinf(dirty.samples).any()


@pytest.mark.parametrize(("modality", "kind"), CASES)
def test_a_flat_or_tiny_stretch_is_no_trouble(modality, kind):
    flat = Signal(modality, np.zeros((1, 200), np.float32), RATES[modality], "x", ("c",))
    stop = 1.5 / RATES[modality]
    for stop_s in (stop, 200 / RATES[modality]):
        dirty = corrupt(flat, kind=kind, snr_db=0.0, start_s=0, stop_s=stop_s, rng=np.random.default_rng(4))
        assert np.isfinite(dirty.samples).all()


def test_skin_conductance_never_falls_below_nothing():
    samples = np.full((1, 80), 0.01, np.float32)
    signal = Signal("eda", samples, 4.0, "uS", ("eda",))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        dirty = corrupt(signal, kind="broadband_noise", snr_db=-20, start_s=0, stop_s=20, rng=rng)
        assert dirty.samples.min() >= 0


def test_saturation_stands_on_rails():
    signal = clean("ppg")
    dirty = corrupt(signal, kind="saturation", snr_db=-5, start_s=20, stop_s=40, rng=np.random.default_rng(0))
    stretch = dirty.samples[0, 20 * 64 : 40 * 64]
    rails = (stretch == stretch.max()) | (stretch == stretch.min())
    assert rails.mean() > 0.3


def test_the_same_generator_gives_the_same_bytes():
    signal = clean("ppg")
    first, times = corrupt_signal(signal, rng=np.random.default_rng(5), token_s=5.0)
    again, times_again = corrupt_signal(signal, rng=np.random.default_rng(5), token_s=5.0)
    other, _ = corrupt_signal(signal, rng=np.random.default_rng(6), token_s=5.0)
    assert times == times_again
    assert (first.samples == again.samples).all()
    assert (first.samples != other.samples).any()


@pytest.mark.parametrize("name", ["ppg", "eda", "temp", "acc"])
def test_a_signal_changes_inside_the_intervals_only(name):
    signal = clean(name, 600.0)
    dirty, times = corrupt_signal(signal, share=0.3, rng=np.random.default_rng(7), token_s=5.0)
    inside = np.zeros(signal.samples.shape[1], bool)
    for start_s, stop_s in times:
        assert start_s % 5.0 == 0
        inside[int(start_s * signal.sampling_rate_hz) : int(stop_s * signal.sampling_rate_hz)] = True
    changed = (dirty.samples != signal.samples).any(0)
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.5


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.9), st.integers(0, 1000))
def test_about_the_share_asked_for_is_covered(share, seed):
    times = draw_intervals(0.0, 100_000.0, share, 5.0, np.random.default_rng(seed))
    covered = sum(stop - start for start, stop in times) / 100_000
    assert abs(covered - share) < 0.05
    assert all(stop <= after for (_, stop), (after, _) in zip(times, times[1:], strict=False))


def test_intervals_end_with_the_signal_and_none_are_drawn_for_nothing():
    rng = np.random.default_rng(0)
    assert draw_intervals(0.0, 100.0, 0.0, 5.0, rng) == []
    for _ in range(50):
        times = draw_intervals(0.0, 12.3, 0.9, 5.0, rng)
        assert all(0 <= start < stop <= 12.3 for start, stop in times)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "electrode_pop"}, "kind for ppg must be one of"),
        ({"snr_db": float("nan")}, "snr_db must be a finite number"),
        ({"stop_s": 1.0}, "start_s < stop_s"),
    ],
)
def test_corrupt_refuses(change, words):
    arguments = {"kind": "motion_burst", "snr_db": 0.0, "start_s": 2.0, "stop_s": 4.0} | change
    with pytest.raises(MMQError, match=words):
        corrupt(clean("ppg"), rng=np.random.default_rng(0), **arguments)


@pytest.mark.parametrize("change", [{"share": 1.0}, {"snr_db": (10, 0)}, {"token_s": 0.0}])
def test_corrupt_signal_refuses(change):
    with pytest.raises(MMQError, match="corrupt_signal"):
        corrupt_signal(clean("ppg"), **({"token_s": 5.0} | change), rng=np.random.default_rng(0))
