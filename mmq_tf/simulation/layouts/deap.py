# SPDX-License-Identifier: Apache-2.0
"""DEAP's layout with SIMULATED people in it: pickles as Python 2's cPickle wrote them, .mat, .bdf.

Ratings follow the video and the person; arousal above 5 is what stirs the simulated body. In the *locked*
kind it is the video instead, second by second the same for everyone: see `deap_locked`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmq_tf.datasets import deap, deap_protocol, deap_raw
from mmq_tf.datasets.deap_protocol import EEG_CHANNELS, EMG_CHANNELS, SCALES, SUBJECTS, VIDEOS, Presented
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.bdf import write_bdf
from mmq_tf.simulation.layouts.common import SimulatedPerson, simulated_person
from mmq_tf.simulation.layouts.deap_locked import added_arousal, follow_sources, source_courses

PASS_BAND_HZ = (4.0, 45.0)
TWENTE_EEG_CHANNELS = (
    "Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3", "CP1", "CP5", "P7", "P3", "Pz", "PO3", "O1", "Oz",
    "O2", "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8", "FC6", "FC2", "F4", "F8", "AF4", "Fp2", "Fz", "Cz",
)  # fmt: skip
SENSORS: tuple[str, ...] = ("eeg", "eog", "emg", "eda", "resp", "ppg", "temp")
FIXATION_S, REST_S, RATING_S = 5, 3, 10
"""What surrounds a video in a raw file: the Status channel's codes 3, 5 and 1 (4 is the video)."""

SPREAD, LOCKED_SPREAD = 1.2, 0.2
"""Standard deviation of what people feel around what a video stands for, on the scales."""

SHORT_TRIALS = 8
UNUSED = ("GSR2", "Erg1", "Erg2")
NAMELESS_FROM, TWO_NAMELESS_FROM = 24, 29
"""Subjects from which the Status channel has no name, and another channel beside it neither."""


def write(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write ``data_preprocessed_python/s01.dat``, ... and the table of ratings.

    Parameters
    ----------
    root : Path
        Existing, empty folder.
    subjects : int
        1 to 32.
    seed : int
        The same seed writes the same bytes.
    short : bool
        Changes nothing: the layout fixes the number of trials and their length.

    Yields
    ------
    str
        Each subject's name when its file is written.

    Raises
    ------
    MMQError
        If there are more subjects than DEAP has.
    """
    del short
    yield from _write_pickles(root, subjects, seed, locked=False)


def write_locked(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write the same files with bodies that follow the videos, not the ratings; arguments as `write`."""
    del short
    yield from _write_pickles(root, subjects, seed, locked=True)


def _write_pickles(root: Path, subjects: int, seed: int, *, locked: bool) -> Iterator[str]:
    people = _people(subjects, seed, LOCKED_SPREAD if locked else SPREAD)
    write_ratings(root, people)
    folder = root / deap.PYTHON[0]
    folder.mkdir()
    for index, person in enumerate(people):
        with (folder / f"{SUBJECTS[index]}.dat").open("wb") as file:
            for part in _pickled(preprocessed(seed, index, locked=locked), _by_video(person)):
                file.write(part)
        yield SUBJECTS[index]


def write_matlab(root: Path, seed: int, index: int) -> Path:
    """Write ``data_preprocessed_matlab/s<index + 1>.mat`` with the arrays of the same ``.dat``."""
    from scipy.io import savemat

    path = root / deap.MATLAB[0] / f"{SUBJECTS[index]}.mat"
    path.parent.mkdir(exist_ok=True)
    savemat(path, {"data": preprocessed(seed, index), "labels": _by_video(presented(seed, index))})
    return path


def write_raw(root: Path, subjects: int, seed: int, short: bool) -> Iterator[str]:
    """Write ``data_original/s01.bdf``, ... and the table of ratings; `short` keeps `SHORT_TRIALS` of each.

    Parameters, yields and raises as `write`.
    """
    people = _people(subjects, seed)
    trials = SHORT_TRIALS if short else VIDEOS
    write_ratings(root, people, trials)
    for index in range(len(people)):
        yield write_recording(root, seed, index, trials).stem


def write_recording(root: Path, seed: int, index: int, trials: int) -> Path:
    """Write ``data_original/s<index + 1>.bdf`` as its site recorded it, with the session's first trials."""
    number = index + 1
    is_twente = number <= deap_protocol.LAST_OF_TWENTE
    person, codes = _session(seed, index, trials)
    rows = _raw_rows(person, is_twente=is_twente)
    channels = TWENTE_EEG_CHANNELS if is_twente else EEG_CHANNELS
    labels = [*channels, *(f"EXG{i}" for i in range(1, 9)), "GSR1", *UNUSED, "Resp", "Plet", "Temp"]
    labels += [""] if number >= TWO_NAMELESS_FROM else []
    silent = np.zeros(codes.size, np.float32)
    path = root / deap_raw.PLACE[0] / f"{SUBJECTS[index]}.bdf"
    path.parent.mkdir(exist_ok=True)
    write_bdf(
        path,
        labels,
        np.stack([rows.get(label, silent) for label in labels]),
        int(deap_raw.RATE_HZ),
        status=codes,
        units={"GSR1": "nS" if is_twente else "Ohm", "Temp": "C"},
        ranges={"GSR1": (-8388608.0, 8388607.0), "Temp": (-100.0, 100.0)},
    )
    if number >= NAMELESS_FROM:
        with path.open("r+b") as file:
            file.seek(256 + 16 * len(labels))
            file.write(b" " * 16)
    return path


def write_ratings(root: Path, people: list[Presented], trials: int = VIDEOS) -> Path:
    """Write ``metadata_csv/participant_ratings.csv`` for the first people, and the first trials of each."""
    head = ("Participant_id", "Trial", "Experiment_id", "Start_time", *(s.capitalize() for s in SCALES))
    lines = [",".join((*head, "Familiarity"))]
    for number, person in enumerate(people, 1):
        for trial, (video, row) in enumerate(zip(person.videos, person.ratings, strict=True), 1):
            if trial <= trials:
                felt = ",".join(f"{rating:.2f}" for rating in row)
                lines.append(f"{number},{trial},{video},{trial * 78_000_000},{felt},{1 + video % 5}")
    path = root / deap_protocol.RATINGS_FOLDER / deap_protocol.RATINGS_NAME
    path.parent.mkdir(exist_ok=True)
    path.write_text("\r\n".join(lines) + "\r\n", "utf-8")
    return path


def _people(subjects: int, seed: int, spread: float = SPREAD) -> list[Presented]:
    if not 1 <= subjects <= len(SUBJECTS):
        raise MMQError(f"simulate: DEAP has 1 to {len(SUBJECTS)} subjects; got {subjects}.")
    return [presented(seed, index, spread) for index in range(subjects)]


def _felt_by_all(seed: int) -> np.ndarray:
    """Draw what each video stands for, float ``[40, 4]`` on the scales, in the order of the videos."""
    return np.random.default_rng([seed, 40]).uniform(2.5, 7.5, (VIDEOS, len(SCALES)))


def _stands_for(seed: int) -> np.ndarray:
    """Return the arousal each video stands for, ``[40]`` from -1 to 1."""
    return (_felt_by_all(seed)[:, SCALES.index("arousal")] - deap_protocol.MIDDLE) / 2.5


def presented(seed: int, index: int, spread: float = SPREAD) -> Presented:
    """Draw the order in which one person sees the videos, and what they feel."""
    rng = np.random.default_rng([seed, 40, index])
    order = rng.permutation(VIDEOS)
    ratings = np.clip(_felt_by_all(seed)[order] + rng.normal(0, spread, (VIDEOS, len(SCALES))), 1, 9)
    return Presented(order + 1, np.round(ratings, 2))


def preprocessed(seed: int, index: int, *, locked: bool = False) -> np.ndarray:
    """Simulate one person: float64 ``[40 videos, 40 channels, 8064]``, in the order of the videos."""
    person, length = presented(seed, index), deap.SHAPES["data"][2]
    body = (_locked_body if locked else _body)(seed, index, person)
    data = np.empty(deap.SHAPES["data"])
    for modality, (where, _, names) in deap.CHANNELS.items():
        samples = body.signals.pop(modality).samples
        trials = samples.reshape(len(names), VIDEOS, length).transpose(1, 0, 2)
        data[person.videos - 1, where] = _as_published(modality, trials)
    return data


def _body(seed: int, index: int, person: Presented, response: np.ndarray | None = None) -> SimulatedPerson:
    """Return one person's body in all 40 videos, stirred by their ratings, or by a response alone."""
    each_s = deap.SHAPES["data"][2] / deap.RATE_HZ
    stirred = [aroused and response is None for aroused in _aroused(person)]
    blocks = [(k * each_s, (k + 1) * each_s, aroused) for k, aroused in enumerate(stirred)]
    return simulated_person(seed, index, blocks, dict.fromkeys(SENSORS, deap.RATE_HZ), _named(), response)


def _locked_body(seed: int, index: int, person: Presented) -> SimulatedPerson:
    """Return the same person's body as the videos stir everyone's."""
    level, videos = _stands_for(seed), person.videos - 1
    body = _body(seed, index, person, added_arousal(seed, level)[videos].ravel())
    courses = source_courses(seed, index, level, videos)
    eeg = body.signals["eeg"]
    samples = follow_sources(eeg.samples, deap.RATE_HZ, courses, seed)
    body.signals["eeg"] = replace(eeg, samples=samples)
    return body


def _as_published(modality: str, trials: np.ndarray) -> np.ndarray:
    """Do to samples ``[trials, channels, n]`` of the simulator's units what the publishers did."""
    if modality == "eeg":
        from scipy.fft import irfft, rfft, rfftfreq

        frequency = rfftfreq(trials.shape[2], 1 / deap.RATE_HZ)
        keep = (frequency >= PASS_BAND_HZ[0]) & (frequency <= PASS_BAND_HZ[1])
        return np.asarray(irfft(np.asarray(rfft(trials)) * keep.astype(np.float32), trials.shape[2]))
    if modality in ("eda", "temp"):  # a resistance, and a level that is taken away
        values = 1e6 / trials if modality == "eda" else trials
        before = round(deap.BASELINE_S * deap.RATE_HZ)
        return values - values[:, :, :before].mean(axis=2, keepdims=True)
    return trials * {"resp": 1000.0, "ppg": 10.0}.get(modality, 1.0)


def _session(seed: int, index: int, trials: int) -> tuple[SimulatedPerson, np.ndarray]:
    """One person at the raw files' rate, and the Status channel's code at every sample."""
    stretches = ((FIXATION_S, 3), (int(deap_protocol.VIDEO_S), 4), (REST_S, 5), (RATING_S, 1))
    each_s = sum(length_s for length_s, _ in stretches)
    rate = int(deap_raw.RATE_HZ)
    codes = np.zeros((trials, each_s * rate), int)
    at_s = 0
    for length_s, code in stretches:
        codes[:, at_s * rate : at_s * rate + rate // 4] = code  # a trigger is held for a moment
        at_s += length_s
    aroused = _aroused(presented(seed, index))[:trials]
    blocks = [(float(k * each_s), float((k + 1) * each_s), state) for k, state in enumerate(aroused)]
    rates = dict.fromkeys(SENSORS, deap_raw.RATE_HZ)
    return simulated_person(seed, index, blocks, rates, _named()), codes.ravel()


def _raw_rows(person: SimulatedPerson, *, is_twente: bool) -> dict[str, np.ndarray]:
    """Return samples by label; single electrodes share the mains, which their difference does not hold."""
    signals = {modality: signal.samples for modality, signal in person.signals.items()}
    conductance_us = signals["eda"][0]
    clock_s = np.arange(conductance_us.size) / deap_raw.RATE_HZ
    hum = (40 * np.sin(2 * np.pi * 50 * clock_s)).astype(np.float32)
    rows = {name: row + hum for name, row in zip(EEG_CHANNELS, signals["eeg"], strict=True)}
    for modality, pairs in deap_raw.PAIRS.items():
        for (first, second), row in zip(pairs, signals[modality], strict=True):
            rows |= {first: row + hum, second: hum}
    rows["GSR1"] = 1e3 * conductance_us if is_twente else 1e6 / conductance_us
    for modality, gain in (("resp", 1000.0), ("ppg", 10.0), ("temp", 1.0)):
        rows[deap_raw.SINGLES[modality]] = gain * signals[modality][0]
    return rows


def _aroused(person: Presented) -> list[bool]:
    return (person.ratings[:, SCALES.index("arousal")] > deap_protocol.MIDDLE).tolist()


def _by_video(person: Presented) -> np.ndarray:
    return person.ratings[np.argsort(person.videos)]


def _named() -> dict[str, tuple[str, ...]]:
    return {"eeg": EEG_CHANNELS, "emg": EMG_CHANNELS}


def _pickled(data: np.ndarray, labels: np.ndarray) -> Iterator[bytes | memoryview]:
    """Protocol 2 as Python 2's cPickle wrote it: byte strings without a codec, numpy's names of then."""
    made = b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
    again = b"h\x03h\x04K\x00\x85U\x01b\x87R"
    number = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = b"cnumpy\ndtype\nq\x06U\x02f8K\x00K\x01\x87Rq\x07(K\x03U\x01<" + number
    yield b"\x80\x02}q\x01(U\x06labelsq\x02" + made + b"q\x05(K\x01K(K\x04\x86" + dtype
    yield from _raw_bytes(labels)
    yield b"tbU\x04dataq\x08" + again + b"q\x09(K\x01K(K(M\x80\x1f\x87h\x07"
    yield from _raw_bytes(data)
    yield b"tbu."


def _raw_bytes(array: np.ndarray) -> Iterator[bytes | memoryview]:
    """Yield False (not in Fortran's order) and the samples as one byte string."""
    little = np.ascontiguousarray(array, "<f8")
    yield b"\x89T" + little.nbytes.to_bytes(4, "little")
    yield little.data.cast("B")
