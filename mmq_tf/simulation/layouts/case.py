# SPDX-License-Identifier: Apache-2.0
"""SIMULATED people in the layout of CASE: its interpolated files, or its raw ones.

Columns, units, rates, times and rounding are as published (see `mmq_tf.datasets.case`); the person comes from
`simulated_person`. Which clip makes whom feel what is invented: scary and amusing ones arouse, amusing and
relaxed ones are pleasant, and the joystick follows some seconds later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.datasets.case import (
    INTERPOLATED,
    JOYSTICK_END,
    JOYSTICK_HZ,
    RANGE,
    RATE_HZ,
    RAW,
    SENSORS,
    TASKS,
    CaseForm,
)
from mmq_tf.datasets.case_clips import CLIPS, DURATION_FILE, ORDER_FILE
from mmq_tf.simulation.layouts.common import SimulatedPerson, simulated_person
from mmq_tf.simulation.layouts.decimal_text import decimal_rows
from mmq_tf.simulation.simulator import physiology

EMOTIONAL = tuple(name for name in CLIPS if "-" in name)
LENGTHS_S = {
    **dict(zip(EMOTIONAL, (185.0, 173.0, 119.0, 160.0, 145.0, 147.0, 197.0, 144.0), strict=True)),
    "startVid": 101.5,
    "bluVid": 120.0,
    "endVid": 120.0,
}
"""About the lengths of the clips; together with eight blue screens they last as long as published."""

SHORT_S = {
    **{name: 60.0 + 1.25 * number for number, name in enumerate(EMOTIONAL)},
    "startVid": 12.0,
    "bluVid": 6.5,
    "endVid": 5.0,
}
AROUSING, PLEASANT = ("scary", "amusing"), ("relaxed", "amusing")
GAP_MS = (7_200, 7_450)
"""The raw layout's logger loses the rows of this quarter of a second, and jitters elsewhere."""


@dataclass(frozen=True, eq=False)
class CaseSession:
    """What one SIMULATED person saw, what sensors measured (by column, in units) and the joystick said."""

    order: tuple[str, ...]
    lengths_s: dict[str, float]
    values: dict[str, np.ndarray]
    ratings: dict[str, np.ndarray]

    def clips(self, time_s: np.ndarray) -> np.ndarray:
        """Look up the number of the clip shown at each time."""
        ends_s = np.cumsum([self.lengths_s[name] for name in self.order])
        return np.array([CLIPS[name] for name in self.order])[np.searchsorted(ends_s, time_s, side="right")]


def write(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write the interpolated files: ``data/interpolated/{physiological,annotations}/sub_1.csv`` and so on."""
    yield from _write(INTERPOLATED, root, subjects, seed, short)


def write_raw(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write the raw files of the same people: volts and counts, jittered times, and what was lost."""
    yield from _write(RAW, root, subjects, seed, short)


def _write(form: CaseForm, root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    orders = []
    for index in range(subjects):
        session = simulated_session(seed, index, SHORT_S if short else LENGTHS_S)
        files = form.files(root, index + 1)
        for path, rows in zip(files, _raw(session) if form.raw else _interpolated(session), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(rows)
        orders.append(session.order)
        _write_metadata(root, orders, session.lengths_s)
        yield f"sub_{index + 1}"


def simulated_session(seed: int, index: int, lengths_s: dict[str, float]) -> CaseSession:
    """Let a person watch eight clips in an order of their own, blue screens before each."""
    rng = np.random.default_rng([seed, index, *b"case"])
    order = ("startVid", *(name for clip in _order(rng) for name in ("bluVid", clip)), "endVid")
    edges = np.cumsum([0.0, *(lengths_s[name] for name in order)]).tolist()
    blocks = [
        (start, stop, name.startswith(AROUSING))
        for start, stop, name in zip(edges, edges[1:], order, strict=False)
    ]
    channels = {"emg": ("emg_zygo", "emg_coru", "emg_trap")}
    rates = dict.fromkeys(dict.fromkeys(sensor.modality for sensor in SENSORS), RATE_HZ)
    values = _values(simulated_person(seed, index, blocks, rates, channels))
    ratings = {
        "valence": _joystick(order, edges, PLEASANT, rng),
        "arousal": _joystick(order, edges, AROUSING, rng),
    }
    return CaseSession(order, lengths_s, values, ratings)


def _order(rng: np.random.Generator) -> list[str]:
    """Shuffle until no two clips of one emotion follow each other, as the protocol of CASE asks."""
    while True:
        order = [str(name) for name in rng.permutation(EMOTIONAL)]
        kinds = [name.partition("-")[0] for name in order]
        if all(a != b for a, b in zip(kinds, kinds[1:], strict=False)):
            return order


def _values(person: SimulatedPerson) -> dict[str, np.ndarray]:
    """Bring signals to what CASE's sensors put out: pulse and breath in percent, muscles as RMS of 0.1 s."""
    signals = {name: signal.samples.astype(np.float64) for name, signal in person.signals.items()}
    from scipy.ndimage import uniform_filter1d

    power = uniform_filter1d(signals["emg"] ** 2, round(0.1 * RATE_HZ), axis=1)
    zygo, coru, trap = np.sqrt(np.maximum(power, 0))
    return {
        "ecg": signals["ecg"][0],
        "bvp": 45 + signals["ppg"][0] / 20,
        "gsr": signals["eda"][0],
        "rsp": 35 + 4 * signals["resp"][0],
        "skt": signals["temp"][0],
        "emg_zygo": zygo,
        "emg_coru": coru,
        "emg_trap": trap,
    }


def _joystick(
    order: Sequence[str], edges: Sequence[float], kinds: tuple[str, ...], rng: np.random.Generator
) -> np.ndarray:
    """Rest in the middle, and move above it some seconds into a clip of the `kinds`, below it in another."""
    time = np.arange(round(edges[-1] * JOYSTICK_HZ)) / JOYSTICK_HZ
    goal = np.full(time.size, 5.0)
    for name, start, stop in zip(order, edges, edges[1:], strict=False):
        if name in EMOTIONAL:
            height = rng.uniform(1.5, 3.5) * (1 if name.startswith(kinds) else -1)
            goal[(time >= start + rng.uniform(3, 8)) & (time < stop)] += height
    rating = physiology.lagged(goal - 5, 1 / JOYSTICK_HZ, 1.0, 1.0) + 5
    rating += physiology.wandering(time.size, 1 / JOYSTICK_HZ, 10.0, 0.15, rng)
    return np.clip(rating, *RANGE)


def _interpolated(session: CaseSession) -> Iterator[Iterator[bytes]]:
    daq_ms = np.arange(len(session.values["ecg"])) * (1000 / RATE_HZ)
    yield _table(("daqtime", daq_ms), *session.values.items(), ("video", session.clips(daq_ms / 1000)))
    js_ms = np.arange(len(session.ratings["valence"])) * (1000 / JOYSTICK_HZ)
    yield _table(("jstime", js_ms), *session.ratings.items(), ("video", session.clips(js_ms / 1000)))


def _table(*columns: tuple[str, np.ndarray]) -> Iterator[bytes]:
    names, values = zip(*columns, strict=True)
    yield (",".join(names) + "\n").encode()
    yield from decimal_rows(values, [3] * len(names), ",")


def _raw(session: CaseSession) -> Iterator[Iterator[bytes]]:
    rng = np.random.default_rng(len(session.values["ecg"]))
    kept = np.arange(len(session.values["ecg"]))
    kept = kept[(kept < GAP_MS[0]) | (kept >= GAP_MS[1])]
    time_s = (kept + rng.uniform(0, 0.4, kept.size)) / RATE_HZ
    volts = [(session.values[s.column][kept] - s.offset) / s.gain for s in SENSORS]
    yield decimal_rows([time_s, *volts], [6] * 9, "\t")
    time_s = np.arange(len(session.ratings["valence"])) / JOYSTICK_HZ
    low, high = RANGE
    counts = [
        (session.ratings[name] - low) / (high - low) * 2 * JOYSTICK_END - JOYSTICK_END for name in TASKS
    ]
    yield decimal_rows([time_s, *counts], [6, 0, 0], "\t")


def _write_metadata(root: Path, orders: Sequence[Sequence[str]], lengths_s: dict[str, float]) -> None:
    (root / ORDER_FILE).parent.mkdir(exist_ok=True)
    head = "\t".join(f'"seq_sub{number}"' for number in range(1, len(orders) + 1))
    rows = ["\t".join(f'"{name}"' for name in row) for row in zip(*orders, strict=True)]
    (root / ORDER_FILE).write_text("\n".join([head, *rows]) + "\n", "utf-8")
    rows = [f'"{name}"\t{1000 * length_s:.12g}' for name, length_s in lengths_s.items()]
    (root / DURATION_FILE).write_text("\n".join(['"video_name"\t"video_duration"', *rows]) + "\n", "utf-8")
