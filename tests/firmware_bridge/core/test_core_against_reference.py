"""The C core against its float64 twin, on made-up and on real recordings.

The tolerances are those of firmware_bridge/core/README.md.
"""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_bridge.frontend import FrontEnd
from firmware_bridge.native import Bridge, extract_tokens
from firmware_bridge.reference_stream import pulse_beats, reference_tokens

ABSOLUTE = {
    "heart_rate": 1e-3, "sdnn": 1e-3, "rmssd": 1e-3, "pnn50": 1e-6, "amplitude": 2e-4,
    "amplitude_variation": 1e-3, "accepted_share": 1e-5, "skewness": 1e-3, "spectral_rate": 1e-2,
    "spectral_purity": 1e-4,
    "eda.tonic": 1e-5, "eda.slope": 1e-4, "phasic_deviation": 1e-3, "scr_count": 1e-4, "scr_amplitude": 1e-4,
    "eda.deviation": 1e-3, "temp.level": 1e-4, "temp.slope": 1e-4, "temp.deviation": 1e-3,
    "magnitude_deviation": 1e-3, "jerk": 1e-4, "tilt_x": 1e-5, "tilt_y": 1e-5, "tilt_z": 1e-5,
    "tilt_change": 1e-3,
    "active_share": 1e-6,
}  # fmt: skip


def tolerance(name: str) -> float:
    return ABSOLUTE.get(name.split(".", 1)[1]) or ABSOLUTE[name]


def compare(front_end: FrontEnd, signals: dict) -> np.ndarray:
    """Check every feature of every present token; return the greatest difference of each feature."""
    stream = extract_tokens(front_end, signals)
    wanted = reference_tokens(front_end, signals)
    assert len(wanted) == len(stream.features)
    got, worst = stream.features.astype(np.float64), np.zeros(front_end.n_features)
    for m, part in enumerate(front_end.feature_slices.values()):
        present = stream.presence[:, m]
        assert present.mean() > 0.9
        np.testing.assert_array_equal(np.isnan(got[present, part]), np.isnan(wanted[present, part]))
        difference = np.abs(got[present, part] - wanted[present, part])
        worst[part] = np.nan_to_num(difference).max(axis=0)
    return worst


def check(front_end: FrontEnd, signals: dict) -> None:
    for name, difference in zip(front_end.feature_names, compare(front_end, signals), strict=True):
        assert difference <= tolerance(name), name


@pytest.mark.parametrize("seed", [0, 1])
def test_every_wearable_feature(made: SimpleNamespace, seed: int) -> None:
    rates = made.WRIST | {"ecg": 250.0}
    check(FrontEnd.wearable(rates), made.made_up(90, rates, seed))


@pytest.mark.parametrize(
    ("offset_uv", "rate_hz", "bound"),
    [(0.0, 128.0, 1e-4), (0.0, 500.0, 1e-4), (1000.0, 500.0, 1e-3), (20_000.0, 250.0, 1e-3)],
)
def test_entropy_and_density(made: SimpleNamespace, offset_uv: float, rate_hz: float, bound: float) -> None:
    rng = np.random.default_rng(3)
    n = int(40 * rate_hz)
    x = 15 * rng.standard_normal((2, n)) + 20 * np.sin(2 * np.pi * 10 * np.arange(n) / rate_hz) + offset_uv
    front_end = FrontEnd.wearable({"eeg": rate_hz}, channels={"eeg": ("Fz", "Cz")})
    signals = {"eeg": made.Plain(x.astype(np.float32), rate_hz)}
    wanted = reference_tokens(front_end, signals)
    assert (compare(front_end, signals) / np.abs(wanted).max(axis=0)).max() < bound


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


def e4_column(folder: Path, subject: str, name: str, seconds: int, rate: int) -> np.ndarray:
    path = folder / "stress_predict" / "Raw_data" / subject / f"{name}.csv"
    return np.loadtxt(path, delimiter=",", skiprows=2, max_rows=seconds * rate, ndmin=2).T.astype(np.float32)


def test_a_stronger_pulse_moves_only_the_two_amplitudes(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"ppg": 64.0})
    weak = made.made_up(60, {"ppg": 64.0})["ppg"]
    strong = made.Plain(8 * weak.samples, 64.0)
    rows = [extract_tokens(front_end, {"ppg": x}).features[6:] for x in (weak, strong)]
    wanted = [np.log(8) * name.startswith("ppg.amplitude") for name in front_end.feature_names]
    np.testing.assert_allclose(rows[1] - rows[0], np.tile(wanted, (len(rows[0]), 1)), atol=1e-5)


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
    check(front_end, signals)
    check_beats(front_end, "ppg", signals["ppg"].samples)
    rate = extract_tokens(front_end, signals).features[12:, 0]
    assert 45 < np.nanmedian(rate) < 120


def test_a_real_eeg_and_ecg_recording(made: SimpleNamespace, mmq_data: Path) -> None:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(
            mmq_data / "eegmat" / "Subject05_1.edf", preload=True, verbose="error"
        ).crop(0, 90)
    names = [c for c in raw.ch_names if c.startswith("EEG")][:6]
    data = np.asarray(raw.get_data())
    eeg = (data[[raw.ch_names.index(c) for c in names]] * 1e6).astype(np.float32)
    ecg = data[[i for i, c in enumerate(raw.ch_names) if "ECG" in c]].astype(np.float32)
    ecg = ecg / np.abs(ecg).max()
    channels = {"eeg": tuple(c.replace(".", "") for c in names)}
    front_end = FrontEnd.wearable({"eeg": 500, "ecg": 500}, channels=channels)
    assert front_end.modalities["eeg"].decimate == 4
    signals = {"eeg": made.Plain(eeg, 500.0), "ecg": made.Plain(ecg, 500.0)}
    wanted = reference_tokens(front_end, signals)
    worst = compare(front_end, signals)
    part = front_end.feature_slices["eeg"]
    assert (worst[part] / np.abs(wanted[:, part]).max(axis=0)).max() < 1e-4
    for name, difference in list(zip(front_end.feature_names, worst, strict=True))[part.stop :]:
        assert difference <= tolerance(name), name
    check_beats(front_end, "ecg", ecg)
    assert 45 < np.median(wanted[6:, part.stop]) < 110
    offset = {
        "eeg": made.Plain(eeg + np.float32(3000), 500.0),
        "ecg": made.Plain(ecg + np.float32(50), 500.0),
    }
    raw_wanted = reference_tokens(front_end, offset)
    raw_worst = compare(front_end, offset)
    assert (raw_worst[part] / np.abs(raw_wanted[:, part]).max(axis=0)).max() < 1e-3
