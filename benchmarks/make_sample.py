# SPDX-License-Identifier: Apache-2.0
"""Write the SIMULATED sample recording that comes with mmq-bridge, and what its wearer's enrolment taught.

Run it in this folder: ``python -m make_sample``. A test compares what it makes with what is committed.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import steps
from mmq_bridge.recordings import sample

from mmq_tf import pretrained
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.datasets.formats.truth import Interval, Truth
from mmq_tf.recording import Recording, Signal, Trial
from mmq_tf.simulation.simulator import Settings, simulate
from mmq_tf.utils.atomic_files import folder_written_whole

MODEL = "wrist-stress"
SETTINGS = Settings(seed=3, minutes=16, artefacts=False)
"""Of eight seeds that were tried one with which the model sees the stress task; with three it does not."""
START_S, STOP_S = 617.0, 857.0
"""The part that is kept: rest, a stress task, rest. What lies before it is the enrolment."""
LOST = {"ppg": (150.0, 190.0)}
"""When a sensor falls off, in s of the sample."""
STEPS = {"ppg": 0.01, "eda": 0.001, "temp": 0.01, "acc": 1 / 64}
"""Smallest differences, as an Empatica E4 writes them; also the same bytes on every processor."""


def _cut(signal: Signal, start_s: float, stop_s: float) -> Signal:
    first, last = (round(at_s * signal.sampling_rate_hz) for at_s in (start_s, stop_s))
    step = STEPS[signal.modality]
    samples = np.round(signal.samples[:, first:last].astype(np.float64) / step) * step
    return replace(signal, samples=np.ascontiguousarray(samples, np.float32))


def _without(signal: Signal, start_s: float, stop_s: float) -> Signal:
    samples = signal.samples.copy()
    samples[:, round(start_s * signal.sampling_rate_hz) : round(stop_s * signal.sampling_rate_hz)] = np.nan
    return replace(signal, samples=samples)


def worn() -> tuple[dict[str, Signal], Recording]:
    """Return the signals of the enrolment, and the recording after it."""
    whole, _ = simulate(SETTINGS, 0)
    before = {name: _cut(signal, 0.0, START_S) for name, signal in whole.signals.items()}
    after = {name: _cut(signal, START_S, STOP_S) for name, signal in whole.signals.items()}
    after |= {name: _without(after[name], *times) for name, times in LOST.items()}
    trials = tuple(
        Trial(max(trial.start_s - START_S, 0.0), min(trial.stop_s, STOP_S) - START_S, trial.labels)
        for trial in whole.trials
        if trial.stop_s > START_S and trial.start_s < STOP_S
    )
    return before, Recording("sample", "1", after, trials, source="simulated", simulated=True)


def write(folder: Path) -> None:
    """Write the sample into a new folder."""
    before, recording = worn()
    dropouts = tuple(Interval(name, *times, "dropout") for name, times in LOST.items())
    made_from = {**asdict(SETTINGS), "index": 0, "cut_from_s": START_S, "cut_to_s": STOP_S}
    save_recording(recording, folder, Truth(dropouts=dropouts), made_from)
    device = Device.from_bundle(pretrained.path(MODEL))
    for now_s, chunks in steps(before):
        for modality, samples, time_s in chunks:
            device.push(modality, samples, time_s)
        device.advance(now_s - device.front_end.grace_s)
    device.save_state(folder / sample.STATE.name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write(Path(made) / "sample")
        with folder_written_whole(sample.FOLDER) as temporary:
            for path in (Path(made) / "sample").iterdir():
                (temporary / path.name).write_bytes(path.read_bytes())
