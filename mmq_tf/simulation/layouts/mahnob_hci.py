# SPDX-License-Identifier: Apache-2.0
"""SIMULATED sessions in MAHNOB-HCI's layout: one folder a clip, with session.xml and a BioSemi BDF file.

Everyone meets the same clips in an order of their own, half of the clips arouse, and felt arousal follows
that. Felt valence is drawn without regard to the signals: nothing can be learned of it. Of the neutral clips
before each, which are no trials, only the first is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.datasets.mahnob_hci import EEG, LEFT_ABDOMEN, MAHNOB_HCI, RATE_HZ, RIGHT_CLAVICLE
from mmq_tf.simulation.layouts.bdf import write_bdf
from mmq_tf.simulation.layouts.common import simulated_person

LABELS = (*EEG, *(f"EXG{i}" for i in range(1, 9)), "GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Temp")
NEUTRAL_S = 30.0
CLIPS, SHORT_CLIPS = 20, 4
CLIP_S, SHORT_CLIP_S = (35.0, 117.0), (35.0, 45.0)
"""Shortest and longest; the paper's are 34.9 to 117 s."""

NEUTRAL_CLIP_S = 10.0
SESSIONS_A_PERSON = 130
CODE, PULSE_SAMPLES = 268, 8
UNITS = {"GSR1": "Ohm", "GSR2": "Ohm", "Temp": "C"}
RANGES = {"GSR1": (-8388608.0, 8388607.0), "GSR2": (-8388608.0, 8388607.0), "Temp": (-262.144, 262.143)}
OFFSET_UV = 20_000.0
"""What electrodes add; BioSemi amplifies DC."""

XML = """<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<session sessionId="{id}" date="01-01-2010" time="12:00:00" experimentType="emotion elicitation" \
isStim="{stim}" {felt}cutNr="{cut}" cutLenSec="{seconds:.2f}" mediaFile="{media}">
  <subject id="{subject}" gender="unknown" age="unknown"/>
  <track type="Physiological" filename="{bdf}"/>
</session>
"""


@dataclass(frozen=True)
class Clip:
    """One stimulus: `number` names its file."""

    number: int
    seconds: float
    arouses: bool


def write(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write that many subjects below ``Sessions/``, of 20 clips each, or 4 short ones; see `LayoutWriter`."""
    rng = np.random.default_rng([seed, 0])
    count, (least, most) = (SHORT_CLIPS, SHORT_CLIP_S) if short else (CLIPS, CLIP_S)
    clips = [Clip(i + 1, round(float(rng.uniform(least, most)), 2), i % 2 == 0) for i in range(count)]
    assert MAHNOB_HCI.published is not None
    for index, subject in enumerate(MAHNOB_HCI.published.subjects[:subjects]):
        _write_subject(root / "Sessions", int(subject[1:]), index, seed, clips)
        yield subject


def _write_subject(root: Path, subject: int, index: int, seed: int, clips: list[Clip]) -> None:
    rng = np.random.default_rng([seed, 1, index])
    shown = [Clip(0, NEUTRAL_CLIP_S, False), *(clips[i] for i in rng.permutation(len(clips)))]
    starts = np.cumsum([0, *(_file_s(clip) for clip in shown)])
    blocks = [block for clip, at in zip(shown, starts, strict=False) for block in _blocks(clip, float(at))]
    end_s = float(starts[-1])
    blocks.append(
        (end_s, (end_s // 60 + 1) * 60, False)
    )  # whole minutes: lengths that are quick to transform
    person = simulated_person(
        seed,
        index,
        blocks,
        dict.fromkeys(("eeg", "ecg", "eda", "resp", "temp"), RATE_HZ),
        {"eeg": EEG},
    )
    rows = {name: signal.samples for name, signal in person.signals.items()}
    offsets = rng.uniform(-OFFSET_UV, OFFSET_UV, (len(LABELS), 1)).astype(np.float32)
    for trial, (clip, at) in enumerate(zip(shown, starts, strict=False)):
        span = slice(round(at * RATE_HZ), round((at + _file_s(clip)) * RATE_HZ))
        samples = _channels({name: row[:, span] for name, row in rows.items()}, offsets)
        _write_session(root, subject, max(trial, 1), clip, samples, rng)


def _file_s(clip: Clip) -> int:
    """Whole seconds, as BDF records have it."""
    return int(np.ceil(NEUTRAL_S + clip.seconds + NEUTRAL_S))


def _blocks(clip: Clip, at: float) -> list[tuple[float, float, bool]]:
    begins, ends = at + NEUTRAL_S, at + NEUTRAL_S + clip.seconds
    return [(at, begins, False), (begins, ends, clip.arouses), (ends, at + _file_s(clip), False)]


def _channels(rows: Mapping[str, np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Every channel of the file but Status, ``[channels, n]``, in `UNITS`; those not connected are 0."""
    samples = np.zeros((len(LABELS), rows["eeg"].shape[1]), np.float32)
    samples[: len(EEG)] = rows["eeg"]
    half_uv = 500 * rows["ecg"][0]
    samples[LABELS.index(LEFT_ABDOMEN)], samples[LABELS.index(RIGHT_CLAVICLE)] = half_uv, -half_uv
    samples[:40] += offsets[:40]
    samples[LABELS.index("GSR1")] = 1e6 / rows["eda"][0]
    samples[LABELS.index("Resp")] = 1e3 * rows["resp"][0]
    samples[LABELS.index("Temp")] = rows["temp"][0]
    return samples


def _write_session(
    root: Path, subject: int, trial: int, clip: Clip, samples: np.ndarray, rng: np.random.Generator
) -> None:
    emotional = clip.number > 0
    cut = 2 * trial if emotional else 2 * trial - 1
    number = SESSIONS_A_PERSON * (subject - 1) + cut
    name = f"Part_{subject}_{'S' if emotional else 'N'}_Trial{trial}_emotion.bdf"
    status = np.zeros(samples.shape[1], np.int32)
    for at in (NEUTRAL_S, NEUTRAL_S + clip.seconds):
        status[round(at * RATE_HZ) :][:PULSE_SAMPLES] = CODE
    folder = root / str(number)
    folder.mkdir(parents=True)
    write_bdf(folder / name, LABELS, samples, int(RATE_HZ), status=status, units=UNITS, ranges=RANGES)
    text = XML.format(
        id=number,
        stim=int(emotional),
        felt=_felt(clip, rng) if emotional else "",
        cut=cut,
        seconds=clip.seconds,
        media=f"{clip.number}.avi" if emotional else "neutral.avi",
        subject=subject,
        bdf=name,
    )
    (folder / "session.xml").write_text(text, "utf-8")


def _felt(clip: Clip, rng: np.random.Generator) -> str:
    arousal = rng.integers(6, 10) if clip.arouses else rng.integers(1, 6)
    felt = {
        "feltEmo": rng.choice([0, 1, 2, 3, 4, 5, 6, 11, 12]),
        "feltArsl": arousal,
        "feltVlnc": rng.integers(1, 10),
        "feltCtrl": rng.integers(1, 10),
        "feltPred": rng.integers(1, 10),
    }
    return "".join(f'{name}="{value}" ' for name, value in felt.items())
