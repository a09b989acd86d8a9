# SPDX-License-Identifier: Apache-2.0
"""The C core against its float64 twin on real EEG, ECG, EOG, respiration, skin conductance and PPG."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.quality import quality


def eegmat(folder: Path, subject: str, seconds: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Channel names, EEG (uV), ECG (mV) at 500 Hz."""
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(folder / "eegmat" / f"{subject}_1.edf", preload=True, verbose="error")
        data = np.asarray(raw.crop(0, seconds, include_tmax=False).get_data())
    names = [c for c in raw.ch_names if c.startswith("EEG") and "A2" not in c]
    eeg = (data[[raw.ch_names.index(c) for c in names]] * 1e6).astype(np.float32)
    ecg = data[[i for i, c in enumerate(raw.ch_names) if "ECG" in c]].astype(np.float32)
    return tuple(c.replace(".", "") for c in names), eeg, ecg * np.float32(1e3)


def eeglab(folder: Path, seconds: int) -> tuple[list[str], np.ndarray]:
    """Channel names and samples (uV) at 128 Hz."""
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = folder / "eeglab_sample" / "eeglab_data.set"
        raw = mne.io.read_raw_eeglab(path, preload=True, verbose="error")
        data = np.asarray(raw.crop(0, seconds, include_tmax=False).get_data())
    return list(raw.ch_names), (data * 1e6).astype(np.float32)


def physiokit(folder: Path) -> np.ndarray:
    """EDA, respiration, finger and ear PPG as ADC counts [4, n], at about 250 Hz by its own clock."""
    path = next((folder / "physiokit_sample").glob("P12_baseline*.csv"))
    return np.genfromtxt(path, delimiter=",", skip_header=1)[:, :4].T.astype(np.float32)


def agree(front_end: FrontEnd, signals: dict) -> np.ndarray:
    """Check every token's reasons against the twin's; return the core's."""
    stream, twin = extract_tokens(front_end, signals), quality(front_end, signals)
    assert twin.certain.mean() > 0.9
    np.testing.assert_array_equal(stream.reasons[twin.certain], twin.reasons[twin.certain])
    return stream.reasons


@pytest.mark.parametrize("subject", ["Subject03", "Subject05"])
def test_eeg_and_ecg(made: SimpleNamespace, mmq_data: Path, subject: str) -> None:
    names, eeg, ecg = eegmat(mmq_data, subject, 90)
    front_end = FrontEnd.wearable({"eeg": 500, "ecg": 500}, channels={"eeg": names})
    assert front_end.modalities["eeg"].decimate == 4
    signals = {"eeg": made.Plain(eeg, 500.0), "ecg": made.Plain(ecg, 500.0)}
    wanted = made.check(made.any_shape(front_end), signals)
    part = front_end.feature_slices["eeg"]
    assert 45 < np.nanmedian(wanted[6:, part.stop]) < 110
    assert not agree(front_end, signals)[:, 0].any()
    offset = {
        "eeg": made.Plain(eeg + np.float32(3000), 500.0),
        "ecg": made.Plain(ecg + np.float32(50), 500.0),
    }
    wanted, worst = made.compare(made.any_shape(front_end), offset)
    assert (worst[part] / np.abs(wanted[:, part]).max(axis=0)).max() < 1e-4


def test_eog_with_blinks(made: SimpleNamespace, mmq_data: Path) -> None:
    names, data = eeglab(mmq_data, 120)
    rows = [names.index("EOG1"), names.index("EOG2")]
    front_end = FrontEnd.wearable({"eog": 128}, {"eog": ("EOG1", "EOG2")})
    signals = {"eog": made.Plain(data[rows], 128.0)}
    made.check(front_end, signals)
    assert not agree(front_end, signals).any()


def test_the_chip_s_own_counts_of_respiration_and_both_ppg(made: SimpleNamespace, mmq_data: Path) -> None:
    """The belt hardly moves in this recording: much of it must be called absent, as the twin says."""
    counts = physiokit(mmq_data)
    front_end = FrontEnd.wearable({"resp": 250.0, "ppg": 250.0}, {"ppg": ("finger", "ear")}, grace_s=2.0)
    signals = {"resp": made.Plain(counts[1:2], 250.0), "ppg": made.Plain(counts[2:4], 250.0)}
    reasons = agree(front_end, signals)
    assert (reasons[:, 0] & ~(Reason.BAND | Reason.STEP | Reason.UNJUDGED) == 0).all()
    assert (reasons[:, 1] == 0).mean() > 0.8
    made.check(made.any_shape(front_end), signals)
    ear = extract_tokens(front_end, signals).features[
        12:, front_end.feature_names.index("ppg.ear.heart_rate")
    ]
    assert 45 < np.nanmedian(ear) < 110


def test_skin_conductance_at_a_high_rate(made: SimpleNamespace, mmq_data: Path) -> None:
    """Counts of the ADC as if they were nS: the shape is real, the level is not."""
    counts = physiokit(mmq_data)[:1] / np.float32(1000)
    front_end = FrontEnd.wearable({"eda": 250.0})
    assert front_end.modalities["eda"].decimate == 62
    signals = {"eda": made.Plain(counts, 250.0)}
    made.check(front_end, signals)
    assert not agree(front_end, signals).any()


@pytest.mark.parametrize("subject", ["S03", "S12"])
def test_quality_of_a_real_wrist(made: SimpleNamespace, mmq_data: Path, subject: str) -> None:
    folder, signals = mmq_data / "stress_predict" / "Raw_data" / subject, {}
    for name, file, rate, scale in (("ppg", "BVP", 64, 1), ("eda", "EDA", 4, 1), ("temp", "TEMP", 4, 1),
                                    ("acc", "ACC", 32, 64)):  # fmt: skip
        rows = np.loadtxt(folder / f"{file}.csv", delimiter=",", skiprows=2, max_rows=900 * rate, ndmin=2)
        signals[name] = made.Plain((rows.T / scale).astype(np.float32), float(rate))
    reasons = agree(FrontEnd.wearable(made.WRIST), signals)
    present = (reasons == 0).mean(axis=0)
    assert present[0] > 0.7  # a moving wrist hides its pulse
    assert present[1:].min() > 0.9


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("subject", ["S03", "S12"])
def test_version_3_on_a_real_pulse_with_lost_packets(
    made: SimpleNamespace, mmq_data: Path, subject: str, share: float
) -> None:
    """As the twin says; without a loss as version 2."""
    path = mmq_data / "stress_predict" / "Raw_data" / subject / "BVP.csv"
    x = np.loadtxt(path, delimiter=",", skiprows=2, max_rows=900 * 64, ndmin=2).T.astype(np.float32)
    lost = np.repeat(np.random.default_rng(1).random(x.shape[1] // 10) < share, 10)
    x[:, : len(lost)][:, lost] = np.nan
    signals = {"ppg": made.Plain(x, 64.0)}
    reasons = agree(FrontEnd.wearable({"ppg": 64}, frontend_version=3), signals)
    older = extract_tokens(FrontEnd.wearable({"ppg": 64}, frontend_version=2), signals).reasons
    if share == 0:
        np.testing.assert_array_equal(reasons, older)
    else:
        assert (reasons == 0).mean() < (older == 0).mean()
