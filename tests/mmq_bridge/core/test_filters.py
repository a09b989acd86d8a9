# SPDX-License-Identifier: Apache-2.0
"""Designed filters do what their names say."""

import numpy as np
import pytest
from mmq_bridge.front_end import filter_design as filters
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.filters import second_order
from scipy import signal


def response(sections: np.ndarray, hz: float, rate_hz: float) -> float:
    _, found = signal.sosfreqz(sections, [hz], fs=rate_hz)
    return float(np.abs(np.asarray(found))[0])


def gain(rows: np.ndarray, hz: float, rate_hz: float) -> float:
    return response(second_order(rows), hz, rate_hz)


def band_gain(row: np.ndarray, hz: float, rate_hz: float) -> float:
    g, a1, a2, c1, c2 = row.astype(np.float64)
    return response(np.array([[g, 0, -g, 1, a1, a2], [1, 0, -1, 1, c1, c2]]), hz, rate_hz)


@pytest.mark.parametrize(
    ("edges", "rate_hz"),
    [
        ((1.0, 4.0), 125.0),
        ((8.0, 14.0), 125.0),
        ((31.0, 45.0), 125.0),
        ((0.1, 0.6), 8.0),
        ((1.0, 4.0), 500.0),
    ],
)
def test_band_pass_is_3_db_down_at_its_edges(edges: tuple[float, float], rate_hz: float) -> None:
    row = filters.band_pass(*edges, rate_hz)
    assert row.shape == (5,)
    assert row.dtype == np.float32
    for edge in edges:
        assert band_gain(row, edge, rate_hz) == pytest.approx(np.sqrt(0.5), abs=5e-4)
    assert band_gain(row, float(np.sqrt(edges[0] * edges[1])), rate_hz) > 0.98
    assert band_gain(row, 1e-3 * edges[0], rate_hz) < 1e-4


@pytest.mark.parametrize("edges", [(1.0, 4.0), (14.0, 31.0), (5.0, 60.0)])
def test_band_pass_is_scipys_butterworth(edges: tuple[float, float]) -> None:
    row = filters.band_pass(*edges, 128.0)
    sections = np.asarray(signal.butter(2, edges, "bandpass", fs=128.0, output="sos"))
    for hz in np.linspace(0.5, 63.5, 40):
        assert band_gain(row, hz, 128.0) == pytest.approx(response(sections, hz, 128.0), abs=1e-4)


@pytest.mark.parametrize(("mains", "rate_hz"), [(50, 128.0), (50, 500.0), (60, 250.0), (60, 2000.0)])
def test_notch_takes_out_the_mains_and_leaves_45_hz(mains: int, rate_hz: float) -> None:
    rows = filters.notch(mains, rate_hz)
    assert rows.shape == (1, 5)
    assert rows.dtype == np.float32
    assert 20 * np.log10(gain(rows, mains, rate_hz) + 1e-9) < -30
    assert abs(20 * np.log10(gain(rows, 45.0, rate_hz))) < 1
    assert filters.notch(0, rate_hz).shape == (0, 5)


def test_prefilter_is_the_notch_before_the_anti_alias_filter() -> None:
    notched = {"sampling_rate_hz": 500, "notch_hz": 50}
    front_end = FrontEnd.model_validate(
        {"modalities": {"eeg": notched, "resp": notched, "eda": {"sampling_rate_hz": 64}}}
    )
    eeg = filters.prefilter("eeg", front_end.modalities["eeg"])
    np.testing.assert_array_equal(eeg[:1], filters.notch(50, 500))
    np.testing.assert_array_equal(eeg[1:], filters.anti_alias(4))
    assert filters.prefilter("resp", front_end.modalities["resp"]).shape == (1, 5)
    assert filters.prefilter("eda", front_end.modalities["eda"]).shape == (0, 5)


def test_anti_alias_passes_the_bands_and_stops_what_would_fold() -> None:
    rows = filters.anti_alias(4)
    assert gain(rows, 45.0, 500.0) == pytest.approx(1.0, abs=0.01)
    assert gain(rows, 80.0, 500.0) < 3e-3
    assert filters.anti_alias(1).shape == (0, 5)


def test_segment_plan_fits_the_token_and_holds_every_band() -> None:
    modality = FrontEnd.wearable({"eeg": 500}).modalities["eeg"]
    plan = filters.segment_plan(modality, 5.0)
    assert plan.size == 256
    width = modality.rate_hz / plan.size
    for (first, stop), band in zip(plan.bins, modality.bands, strict=True):
        assert band.low_hz <= first * width < band.low_hz + width
        assert band.high_hz - width <= (stop - 1) * width < band.high_hz
    assert filters.segment_plan(modality, 1.0).size == 64


def test_beat_windows_are_odd_and_as_published() -> None:
    front_end = FrontEnd.wearable({"ppg": 64, "ecg": 500})
    ppg = filters.beat_plan("ppg", front_end.modalities["ppg"])
    ecg = filters.beat_plan("ecg", front_end.modalities["ecg"])
    for plan, rate, short, long in ((ppg, 64, 0.111, 0.667), (ecg, 125, 0.097, 0.611)):
        assert plan.peak_window % 2 == plan.beat_window % 2 == 1
        assert plan.peak_window / rate == pytest.approx(short, abs=1 / rate)
        assert plan.beat_window / rate == pytest.approx(long, abs=1 / rate)


@pytest.mark.parametrize("rate_hz", [25.0, 64.0, 100.0, 250.0])
def test_lags_of_the_autocorrelation_are_42_to_210_beats_a_minute(rate_hz: float) -> None:
    modality = FrontEnd.wearable({"ppg": rate_hz}).modalities["ppg"]
    plan = filters.beat_plan("ppg", modality)
    slow = modality.rate_hz / plan.spectrum_decimate
    assert plan.low_lag == pytest.approx(slow * 60 / 210, abs=0.5)
    assert plan.high_lag == pytest.approx(slow * 60 / 42, abs=0.5)
    assert 3 * plan.high_lag <= plan.spectrum_samples
