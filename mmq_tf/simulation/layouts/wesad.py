# SPDX-License-Identifier: Apache-2.0
"""SIMULATED people in the layout of WESAD: a pickle with chest and wrist, and the watch's own archive.

Shapes, rates, units, label numbers and the order of conditions are as published: see `mmq_tf.datasets.wesad`.
The person comes from `simulated_person`, aroused under stress and calm otherwise: amusement is nothing else.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmq_tf.datasets import wesad
from mmq_tf.simulation.layouts.common import simulated_person
from mmq_tf.simulation.layouts.python2_pickle import write_python2_pickle

Plan = Sequence[tuple[int, float]]
"""Label number and length in seconds of each stretch of a session."""

LONG: Plan = (
    (0, 300.5), (1, 1180.0), (0, 300.0), (2, 640.0), (0, 240.0), (4, 400.0), (0, 240.0), (5, 60.0),
    (0, 180.0), (3, 370.0), (6, 60.0), (0, 180.0), (4, 400.0), (7, 60.0), (0, 300.5),
)  # fmt: skip
SHORT: Plan = (
    (0, 20.5), (1, 480.0), (0, 20.0), (2, 240.0), (0, 10.0), (4, 70.0), (5, 10.0), (3, 180.0), (0, 10.0),
    (4, 70.0), (0, 9.5),
)  # fmt: skip
STRESSED = 2
WATCH_START_UNIX_S = 1_500_000_000
INFO = "SIMULATED: no person wore this watch.\n"


def write(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write ``S2/S2.pkl`` and ``S2/S2_E4_Data.zip``, and so on.

    Parameters
    ----------
    root : Path
        Existing, empty folder.
    subjects : int
        1 to 15.
    seed : int
        The same seed writes the same samples.
    short : bool
        Conditions of a few minutes, and pickles of protocol 2, a third of the size of protocol 0.

    Yields
    ------
    str
        Each subject's name when its files are written.
    """
    names = wesad.WESAD.published.subjects if wesad.WESAD.published else ()
    for index, name in enumerate(names[:subjects]):
        write_subject(root / name, seed, index, SHORT if short else LONG, 2 if short else 0)
        yield name


def write_subject(folder: Path, seed: int, index: int, plan: Plan, protocol: int) -> None:
    """Write one subject's folder, named as the subject; the plan lasts a whole number of seconds."""
    edges = np.cumsum([0.0, *(length_s for _, length_s in plan)])
    numbers = [number for number, _ in plan]
    label = np.repeat(np.array(numbers, np.int32), np.diff(np.round(edges * wesad.LABEL_HZ)).astype(int))
    blocks = [
        (float(start), float(stop), number == STRESSED)
        for number, start, stop in zip(numbers, edges, edges[1:], strict=False)
    ]
    signal = {
        device: _device(seed, index, blocks, sensors)
        for device, sensors in (("chest", wesad.CHEST), ("wrist", wesad.WRIST))
    }
    folder.mkdir(parents=True)
    content = {"signal": signal, "label": label, "subject": folder.name}
    write_python2_pickle(folder / f"{folder.name}.pkl", content, protocol)
    _write_watch(folder / f"{folder.name}_E4_Data.zip", signal["wrist"])


def _device(
    seed: int, index: int, blocks: list[tuple[float, float, bool]], sensors: tuple[wesad.WesadSensor, ...]
) -> dict[str, np.ndarray]:
    """Let one device see the person: float64 ``[n, channels]`` in the published units, by published name."""
    rates = {sensor.modality: sensor.rate_hz for sensor in sensors}
    signals = simulated_person(seed, index, blocks, rates).signals
    return {
        sensor.name: signals.pop(sensor.modality).samples.T.astype(np.float64) * _published(sensor)
        for sensor in sensors
    }


def _published(sensor: wesad.WesadSensor) -> float:
    """From the loader's unit to the file's; the simulator's breath of 1 is a tenth of the belt's range."""
    return 10.0 if sensor.modality == "resp" else 1.0 / sensor.scale


def _write_watch(path: Path, wrist: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, samples in wrist.items():
            head = "\n".join(
                ", ".join([f"{value:.6f}"] * samples.shape[1])
                for value in (WATCH_START_UNIX_S, wesad.WRIST_RATES_HZ[name])
            )
            text = io.StringIO()
            np.savetxt(
                text, samples, "%d" if name == "ACC" else "%.6f", delimiter=",", header=head, comments=""
            )
            archive.writestr(f"{name}.csv", text.getvalue())
        archive.writestr("tags.csv", "")
        archive.writestr("info.txt", INFO)
