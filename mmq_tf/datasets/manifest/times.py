# SPDX-License-Identifier: Apache-2.0
"""From the time of each row to evenly spaced samples: jitter, packets, drift and gaps of a logger's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S

MAX_SAMPLES = 2**28  # 1 GiB of float32
BLOCK_SAMPLES = 2**18
RATE_TOLERANCE = 0.02
"""A clock further from the rate that was said than this tells of another rate, not of drift."""
DRIFT_TOLERANCE = 0.002  # what a second of jittered stamps cannot tell from none
PACKETS = 60  # so many packets are looked at where rows of one packet share a stamp

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "unix": 1.0, "unix_ms": 1e-3, "unix_us": 1e-6, "unix_ns": 1e-9}
RELATIVE = ("s", "ms", "us")

USUAL_RATES_HZ = (
    0.1, 0.2, 0.25, 0.5, *range(1, 101), 12.5, 15.625, 25.6, 31.25, 51.2, 62.5, 102.4, 120, 125, 128, 130,
    160, 175, 200, 204.8, 240, 250, 256, 300, 360, 400, 500, 512, 600, 700, 750, 800, 1000, 1024, 1200, 1250,
    2000, 2048, 2500, 4000, 4096, 5000,
)  # fmt: skip

Where = Callable[[int], str]
"""Names file, row and column of a value by its index."""


@dataclass(frozen=True, eq=False)
class RowTimes:
    """When each row of a table was measured, on an even grid.

    Parameters
    ----------
    start_s : float
        Time of the first row on the file's own clock.
    rate_hz : float
        Of the samples to be made.
    measured_hz : float
        Of the rows by the file's clock: `rate_hz` unless that drifts.
    steps : numpy.ndarray
        int64 ``[rows]``: periods of `measured_hz` since the first row; where it leaps, rows were lost.
    """

    start_s: float
    rate_hz: float
    measured_hz: float
    steps: np.ndarray

    def time_s(self, row: int) -> float:
        """Start of a row's period on the file's clock, in s; the row after the last is the end."""
        step = self.steps[row] if row < len(self.steps) else self.steps[-1] + 1
        return self.start_s + float(step) / self.measured_hz

    def samples(self, values: np.ndarray) -> np.ndarray:
        """Rows float64 ``[rows, channels]`` as float32 ``[channels, n]`` at `rate_hz`; lost ones are NaN."""
        spread = np.full((values.shape[1], int(self.steps[-1]) + 1), np.nan, np.float32)
        spread[:, self.steps] = values.T
        if self.measured_hz == self.rate_hz:
            return spread
        made = np.empty((len(spread), int(spread.shape[1] * self.rate_hz / self.measured_hz)), np.float32)
        for start in range(0, made.shape[1], BLOCK_SAMPLES):
            here = slice(start, min(start + BLOCK_SAMPLES, made.shape[1]))
            at = np.arange(here.start, here.stop) * (self.measured_hz / self.rate_hz)
            left = np.minimum(at.astype(np.int64), spread.shape[1] - 1)
            right = np.minimum(left + 1, spread.shape[1] - 1)
            share = (at - left).astype(np.float32)
            made[:, here] = spread[:, left] * (1 - share) + spread[:, right] * share
        return made


def even_rows(rows: int, rate_hz: float) -> RowTimes:
    """Return the timeline of rows that have only a rate, from 0 s on."""
    return RowTimes(0.0, rate_hz, rate_hz, np.arange(rows))


def usual_rate(measured_hz: float) -> float | None:
    """Rate of a sensor that a measured one is within 1 % of, in Hz, or None.

    Examples
    --------
    >>> usual_rate(63.98), usual_rate(51.3), usual_rate(111.0)
    (64.0, 51.2, None)
    """
    nearest = min(USUAL_RATES_HZ, key=lambda rate: abs(np.log(rate / measured_hz)))
    return float(nearest) if abs(nearest / measured_hz - 1) < 0.01 else None


def seconds(values: np.ndarray, unit: str, where: Where) -> tuple[np.ndarray, str]:
    """Return times in s, and on which clock: ``relative``, ``unix``, or ``local`` (a date without a zone).

    Parameters
    ----------
    values : numpy.ndarray
        float64, text, or datetime64 (which ``iso`` takes as a local date) ``[rows]``.
    unit : str
        As in the manifest.
    where
        Names a row.

    Raises
    ------
    MMQError
        If a time is missing or is no date, naming the row.
    """
    if unit == "iso":
        return _dates(values, where)
    lost = np.flatnonzero(~np.isfinite(values))
    if lost.size:
        raise MMQError(f"{where(int(lost[0]))}: the time is missing; every row needs one.")
    return values * SECONDS[unit], "relative" if unit in RELATIVE else "unix"


def _dates(values: np.ndarray, where: Where) -> tuple[np.ndarray, str]:
    if values.dtype.kind == "M":
        lost = np.flatnonzero(np.isnat(values))
        if lost.size:
            raise MMQError(f"{where(int(lost[0]))}: the time is missing; every row needs one.")
        return values.astype("datetime64[us]").astype(np.int64) * 1e-6, "local"
    times, zones = np.empty(len(values)), set()
    for row, text in enumerate(values):
        try:
            date = datetime.fromisoformat(str(text).strip().replace(",", "."))
        except ValueError:
            raise MMQError(
                f"{where(row)}: expected an ISO 8601 date and time like 2024-05-01T09:30:00.250Z; got"
                f" {str(text)[:40]!r}."
            ) from None
        zones.add(date.tzinfo is not None)
        if len(zones) > 1:
            raise MMQError(
                f"{where(row)}: some times have a time zone, some have none; write all the same way."
            )
        times[row] = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return times, "unix" if True in zones else "local"


def place_rows(time_s: np.ndarray, rate_hz: float | None, where: Where) -> RowTimes:
    """Find the even grid that rows were measured on.

    Parameters
    ----------
    time_s : numpy.ndarray
        float64 ``[rows]`` stamps: jittered, coarse, or shared by the rows of a packet, but never going back.
    rate_hz : float, optional
        What the manifest says; the usual rate nearest to the stamps' if it says none.
    where
        Names a row.

    Returns
    -------
    RowTimes
        A stretch without rows is one of lost samples. A clock that drifts by up to 2 % is followed: samples
        are then interpolated between rows.

    Raises
    ------
    MMQError
        If a stamp goes back, a pause is impossibly long, or the stamps contradict the rate; rows are named.
    """
    _check_order(time_s, where)
    local_hz, doubt = _local_rate(time_s, rate_hz, where)
    rate = rate_hz if rate_hz is not None else usual_rate(local_hz)
    if rate is None:
        raise MMQError(
            f"{where(0)}: the times say {local_hz:.4g} Hz, which no sensor usually has; give"
            " sampling_rate_hz, or a table with one row a sample."
        )
    if abs(local_hz / rate - 1) > RATE_TOLERANCE + doubt:
        raise MMQError(
            f"{where(0)}: the times say {local_hz:.4g} Hz, sampling_rate_hz says {rate:g}; correct the rate"
            " or the time's unit."
        )
    if abs(local_hz / rate - 1) <= DRIFT_TOLERANCE + doubt:
        local_hz = rate
    steps = _steps(time_s, local_hz)
    if steps[-1] >= MAX_SAMPLES:
        raise MMQError(
            f"{where(len(time_s) - 1)}: the times span {time_s[-1] - time_s[0]:g} s, {int(steps[-1])}"
            f" samples at {rate:g} Hz; at most {MAX_SAMPLES} can be read. Cut the file into sessions."
        )
    measured = _long_rate(time_s, steps, rate)
    if measured != rate:
        steps = _steps(time_s, measured)  # what a long gap has lost is counted by the true rate
    start_s = float(time_s[0] + np.median(time_s - time_s[0] - steps / measured))
    return RowTimes(start_s, rate, measured, steps)


def _check_order(time_s: np.ndarray, where: Where) -> None:
    step = np.diff(time_s)
    back = np.flatnonzero(step < 0)
    if back.size:
        raise MMQError(
            f"{where(int(back[0]) + 1)}: the time goes back by {-step[back[0]]:g} s; rows must be in time"
            " order."
        )
    long = np.flatnonzero(step > MAX_DURATION_S)
    if long.size:
        raise MMQError(
            f"{where(int(long[0]) + 1)}: the time leaps by {step[long[0]]:g} s, more than"
            f" {MAX_DURATION_S / 86400:g} days; cut the file into sessions, or correct the time's unit."
        )


def _local_rate(time_s: np.ndarray, rate_hz: float | None, where: Where) -> tuple[float, float]:
    """Rate over many short stretches, so that gaps do not count, and the share it may be wrong by."""
    step = np.diff(time_s)
    if not (step > 0).any():
        if rate_hz is not None and len(time_s) == 1:
            return rate_hz, 0.0
        raise MMQError(f"{where(0)}: expected at least two different times, to tell the rate; there is one.")
    packet_s = _typical(step)
    shared = bool((step == 0).mean() > 0.01)
    guess_hz = rate_hz or ((len(time_s) - 1) / (time_s[-1] - time_s[0]) if shared else 1 / packet_s)
    rows = int(
        np.clip(np.ceil(guess_hz * max(1.0, PACKETS * packet_s * shared)), 1, max(1, len(time_s) // 2))
    )
    span_s = float(np.median(time_s[rows:] - time_s[:-rows]))
    if span_s <= 0:
        return guess_hz, 1.0
    return rows / span_s, 2 * packet_s / span_s if shared else 0.0


def _steps(time_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Periods since the first row: rows follow each other, but for the periods that a gap has lost.

    A late stamp is no gap: stamps after it come early again. So a leap counts as far as the earliest stamps
    after it are later than the earliest ones before it (counted against rows that follow evenly).
    """
    rows = np.arange(len(time_s))
    late = (time_s - time_s[0]) * rate_hz - rows
    step = np.diff(time_s)
    typical = _typical(step)
    span = max(1, int(np.ceil(rate_hz * max(1.0, 3 * typical))))
    lost = np.zeros(len(time_s), np.int64)
    after_gap = 0
    for row in np.flatnonzero(step * rate_hz > 1.5 * max(1.0, typical * rate_hz)) + 1:
        before = late[max(after_gap, row - span) : row].min()
        leap = int(np.rint(late[row : row + span].min() - before))
        if leap > 0:
            lost[row] = leap
            after_gap = int(row)
    return rows + np.cumsum(lost)


def _long_rate(time_s: np.ndarray, steps: np.ndarray, rate_hz: float) -> float:
    """Slope of the rows between gaps; `rate_hz` itself where a drift moves no sample by half a stamp."""
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(steps) > 1) + 1])
    counts = np.diff(np.concatenate([firsts, [len(steps)]]))

    def centred(values: np.ndarray) -> np.ndarray:
        return values - np.repeat(np.add.reduceat(values, firsts) / counts, counts)

    step, elapsed = centred(steps.astype(float)), centred(time_s - time_s[0])
    if not (step @ elapsed) > 0:
        return rate_hz
    measured = float((step @ step) / (step @ elapsed))
    drift = abs(measured / rate_hz - 1)
    coarse = max(1.0, _typical(np.diff(time_s)) * rate_hz)
    return rate_hz if drift * float(steps[-1]) < 0.5 * coarse or drift > RATE_TOLERANCE else measured


def _typical(step: np.ndarray) -> float:
    """Usual time between stamps that differ, in s: a period, or a packet's."""
    return float(np.median(step[step > 0])) if (step > 0).any() else 0.0
