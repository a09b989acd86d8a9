# SPDX-License-Identifier: Apache-2.0
"""The C core against its float64 twin, on made-up and on real recordings.

The tolerances are those of firmware_bridge/core/README.md, kept in conftest.py.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.stream import pulse_beats


@pytest.mark.parametrize("seed", [0, 1])
def test_every_feature_of_every_modality(made: SimpleNamespace, seed: int) -> None:
    made.check(FrontEnd.wearable(made.ALL), made.made_up(90, made.ALL, seed))


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [
        ("eeg", 128.0, 11), ("eeg", 500.0, 3), ("eog", 250.0, 2), ("emg", 1000.0, 9), ("ecg", 500.0, 2),
        ("ppg", 100.0, 3), ("ppg", 25.0, 1), ("eda", 64.0, 2), ("temp", 32.0, 3), ("acc", 32.0, 6),
        ("resp", 250.0, 2), ("resp", 8.0, 1), ("resp", 100.0, 9),
    ],
)  # fmt: skip
def test_many_channels_and_other_rates(made: SimpleNamespace, name: str, rate: float, channels: int) -> None:
    count = {name: channels}
    front_end = FrontEnd.wearable({name: rate}, made.numbered(count))
    made.check(front_end, made.made_up(70, {name: rate}, seed=2, channels=count))


@pytest.mark.parametrize("token_s", [1.0, 2.0, 7.3])
def test_other_token_lengths(made: SimpleNamespace, token_s: float) -> None:
    rates = {"eeg": 128.0, "emg": 500.0, "ppg": 64.0, "resp": 25.0, "eda": 16.0, "acc": 50.0}
    made.check(FrontEnd.wearable(rates, token_s=token_s), made.made_up(45, rates, seed=4))


@pytest.mark.parametrize("name", ["eeg", "ecg", "resp"])
def test_with_a_notch(made: SimpleNamespace, name: str) -> None:
    content = {"modalities": {name: {"sampling_rate_hz": 500, "notch_hz": 50}}}
    signals = made.made_up(60, {name: 500.0}, seed=6)
    t = np.arange(30_000) / 500
    signals[name].samples += (signals[name].samples.std() * np.sin(2 * np.pi * 50 * t)).astype(np.float32)
    made.check(FrontEnd.model_validate(content), signals)


def change_by_the_notch(made: SimpleNamespace, mains: int, tone_hz: int) -> np.ndarray:
    """Decibel that entropy and density of a tone lose in a band about it."""
    t, rows = np.arange(40 * 500) / 500, []
    band = {"name": "tone", "low_hz": tone_hz - 1, "high_hz": tone_hz + 1}
    tone = made.Plain((20 * np.sin(2 * np.pi * tone_hz * t))[None].astype(np.float32), 500.0)
    for notch_hz in (0, mains):
        part = {"sampling_rate_hz": 500, "bands": [band], "notch_hz": notch_hz, "min_deviation": 0}
        front_end = FrontEnd.model_validate({"modalities": {"eeg": part}})
        rows.append(extract_tokens(front_end, {"eeg": tone}).features[-1])
    return 10 / np.log(10) * (rows[1] - rows[0]) * np.array([2, 1])  # de is half the log of the power


@pytest.mark.parametrize(("mains", "beside"), [(50, 45), (60, 54)])
def test_the_notch_takes_30_db_of_mains_and_under_1_db_beside_it(
    made: SimpleNamespace, mains: int, beside: int
) -> None:
    assert change_by_the_notch(made, mains, mains).max() < -30
    assert np.abs(change_by_the_notch(made, mains, beside)).max() < 1


@pytest.mark.parametrize(
    ("offset_uv", "rate_hz", "bound"),
    [(0.0, 128.0, 1e-4), (0.0, 500.0, 1e-4), (1000.0, 500.0, 1e-4), (20_000.0, 250.0, 1e-4)],
)
def test_entropy_and_density(made: SimpleNamespace, offset_uv: float, rate_hz: float, bound: float) -> None:
    rng = np.random.default_rng(3)
    n = int(40 * rate_hz)
    x = 15 * rng.standard_normal((2, n)) + 20 * np.sin(2 * np.pi * 10 * np.arange(n) / rate_hz) + offset_uv
    front_end = FrontEnd.wearable({"eeg": rate_hz}, channels={"eeg": ("Fz", "Cz")})
    wanted, worst = made.compare(front_end, {"eeg": made.Plain(x.astype(np.float32), rate_hz)})
    assert (worst / np.abs(wanted).max(axis=0)).max() < bound


@pytest.mark.parametrize("name", ["ecg", "ppg", "resp"])
def test_an_electrode_offset_changes_little(made: SimpleNamespace, name: str) -> None:
    rate = made.ALL[name]
    signals = made.made_up(60, {name: rate}, seed=8)
    signals[name].samples += np.float32({"ecg": 50.0, "ppg": 3000.0, "resp": 4000.0}[name])
    made.check(FrontEnd.wearable({name: rate}), signals)


def beats_found(front_end: FrontEnd, name: str, samples: np.ndarray) -> np.ndarray:
    """Collect the places (s) of every beat the core finds, read at each token's end."""
    modality = front_end.modalities[name]
    rate, step = modality.sampling_rate_hz, int(modality.sampling_rate_hz * front_end.token_s)
    bridge, places = Bridge(front_end), []
    for start in range(0, samples.shape[1] - step + 1, step):
        bridge.push(name, samples[:, start : start + step], start / rate)
        newest = ((start + step - 1) // modality.decimate) / modality.rate_hz
        places += [
            newest - age for age in bridge.beats(name) if not places or newest - age > places[-1] + 0.05
        ]
    return np.array(places)


def check_beats(front_end: FrontEnd, name: str, samples: np.ndarray) -> np.ndarray:
    """Every beat of the core within one sample of the twin's; returns their places in s."""
    modality = front_end.modalities[name]
    core = beats_found(front_end, name, samples)
    twin = pulse_beats(name, modality, samples.astype(np.float64))[1].places / modality.rate_hz
    twin = twin[: len(core)]
    assert len(core) > 10
    np.testing.assert_allclose(core, twin, atol=1 / modality.rate_hz)
    return core


@pytest.mark.parametrize("name", ["ecg", "ppg"])
def test_beats_within_a_sample_of_the_twin_and_of_the_truth(made: SimpleNamespace, name: str) -> None:
    rates = {"ecg": 250.0, "ppg": 64.0}
    samples = made.made_up(60, {name: rates[name]}, seed=5)[name].samples
    core = check_beats(FrontEnd.wearable({name: rates[name]}), name, samples)
    truth = np.cumsum(0.8 + 0.03 * np.random.default_rng(5).standard_normal(77))
    delays = core[3:-1] - truth[np.abs(core[3:-1, None] - truth[None, :]).argmin(axis=1)]
    assert np.abs(delays - np.median(delays)).max() < 0.02
    assert np.diff(core)[3:].max() < 1.0


def test_breathing_is_the_true_rate_and_depth(made: SimpleNamespace) -> None:
    t = np.arange(32 * 120) / 32
    x = 40 * np.sin(2 * np.pi * 0.2 * t) + np.random.default_rng(0).standard_normal(len(t))
    front_end = FrontEnd.wearable({"resp": 32.0})
    last = extract_tokens(front_end, {"resp": made.Plain(x[None].astype(np.float32), 32.0)}).features[-1]
    assert last[0] == pytest.approx(12.0, abs=0.1)
    assert np.exp(last[1]) == pytest.approx(80.0, rel=0.03)


def test_muscle_activity_is_the_true_rms_and_mean_frequency(made: SimpleNamespace) -> None:
    x = 80 * np.random.default_rng(0).standard_normal((1, 30_000))
    stream = extract_tokens(
        FrontEnd.wearable({"emg": 500.0}), {"emg": made.Plain(x.astype(np.float32), 500.0)}
    )
    assert np.exp(stream.features[:, 10]) == pytest.approx(80.0, rel=0.05)
    assert stream.features[:, 11] == pytest.approx(126.0, rel=0.05)


def test_a_stronger_pulse_moves_only_the_two_amplitudes(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"ppg": 64.0})
    weak = made.made_up(60, {"ppg": 64.0})["ppg"]
    strong = made.Plain(8 * weak.samples, 64.0)
    rows = [extract_tokens(front_end, {"ppg": x}).features[6:] for x in (weak, strong)]
    wanted = [np.log(8) * name.startswith("ppg.amplitude") for name in front_end.feature_names]
    np.testing.assert_allclose(rows[1] - rows[0], np.tile(wanted, (len(rows[0]), 1)), atol=1e-5)


def e4_column(folder: Path, subject: str, name: str, seconds: int, rate: int) -> np.ndarray:
    path = folder / "stress_predict" / "Raw_data" / subject / f"{name}.csv"
    return np.loadtxt(path, delimiter=",", skiprows=2, max_rows=seconds * rate, ndmin=2).T.astype(np.float32)


@pytest.mark.parametrize("subject", ["S03", "S12"])
def test_a_real_wrist_recording(made: SimpleNamespace, mmq_data: Path, subject: str) -> None:
    signals = {
        name: made.Plain(e4_column(mmq_data, subject, file, 600, rate), float(rate))
        for name, file, rate in (
            ("ppg", "BVP", 64),
            ("eda", "EDA", 4),
            ("temp", "TEMP", 4),
            ("acc", "ACC", 32),
        )
    }
    signals["acc"].samples /= 64
    signals["eda"].samples[:, 0] = signals["eda"].samples[:, 1]  # the E4's first row is 0
    front_end = FrontEnd.wearable(made.WRIST)
    made.check(front_end, signals, least_present=0.7)
    check_beats(front_end, "ppg", signals["ppg"].samples)
    rate = extract_tokens(front_end, signals).features[12:, 0]
    assert 45 < np.nanmedian(rate) < 120
