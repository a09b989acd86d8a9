"""Designed filters do what their names say."""

import numpy as np
import pytest
from scipy import signal

from firmware_bridge import filters
from firmware_bridge.frontend import FrontEnd
from firmware_bridge.reference import second_order


def gain(rows: np.ndarray, hz: float, rate_hz: float) -> float:
    _, response = signal.sosfreqz(second_order(rows), [hz], fs=rate_hz)
    return float(np.abs(np.asarray(response))[0])


@pytest.mark.parametrize("edges", [(1.0, 4.0), (8.0, 14.0), (31.0, 45.0)])
def test_band_pass_is_3_db_down_at_its_edges(edges: tuple[float, float]) -> None:
    rows = filters.band_pass(*edges, 125.0)
    assert rows.shape == (2, 5)
    assert rows.dtype == np.float32
    for edge in edges:
        assert gain(rows, edge, 125.0) == pytest.approx(np.sqrt(0.5), abs=2e-4)
    assert gain(rows, float(np.sqrt(edges[0] * edges[1])), 125.0) > 0.98
    assert gain(rows, 1e-3, 125.0) < 1e-4


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
