# SPDX-License-Identifier: Apache-2.0
"""Samples of EDF and BDF files through MNE: at each signal's own rate, in the unit its header states.

MNE brings every signal read together to the highest rate among them, turns uV and mV into V but leaves other
units, and joins the records of a discontinuous file. Here only signals of one rate are read together, units
are left as written, and the time between records is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmq_bridge.recordings.room import check_spread

from mmq_tf.datasets.formats.files.edf import EdfHeader, record_onsets
from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S

if TYPE_CHECKING:
    from mne.io import BaseRaw

MAX_SAMPLES = 2**30
CHUNK_SAMPLES = 2**21

SCALED_BY_MNE = {"uV": 1e-6, "\u00b5V": 1e-6, "\u03bcV": 1e-6, "\x83\xcaV": 1e-6, "mV": 1e-3}
"""What MNE multiplies samples with, by the physical dimension in the header; 1 for any other."""


def read_edf_signals(path: Path, header: EdfHeader, wanted: Sequence[int]) -> np.ndarray:
    """Read signals of one rate.

    Parameters
    ----------
    path : Path
        A file that `mmq_tf.datasets.formats.files.edf.check_edf` passed.
    header : EdfHeader
        What it returned.
    wanted : sequence of int
        Places in `header.signals`, all of one rate.

    Returns
    -------
    numpy.ndarray
        float32 ``[wanted, n]``, in each signal's own unit, from the first data record on; NaN between the
        records of a discontinuous file.

    Raises
    ------
    MMQError
        If the signals differ in rate, one has no range, they are too many samples for memory, or MNE cannot
        read the file.
    """
    for i in wanted:
        if not header.signals[i].has_range:
            raise MMQError(
                f"{path}: signal {i + 1} ({header.signals[i].label}): its minimum and its maximum are the"
                " same, so its samples mean nothing."
            )
    counts = {header.signals[i].samples_a_record for i in wanted}
    if len(counts) != 1:
        names = ", ".join(header.signals[i].label for i in wanted)
        raise MMQError(f"{path}: expected signals of one rate; {names} differ.")
    onsets = record_onsets(path, header)
    rate_hz = header.signals[wanted[0]].sampling_rate_hz
    duration_s = onsets[-1] + header.record_s
    if duration_s > MAX_DURATION_S or duration_s * rate_hz * len(wanted) > MAX_SAMPLES:
        raise MMQError(
            f"{path}: expected at most {MAX_DURATION_S / 86400:g} days and {MAX_SAMPLES} samples; its header"
            f" promises {duration_s:.6g} s of {len(wanted)} signals at {rate_hz:g} Hz."
        )
    samples = _read(path, header, wanted)
    count = counts.pop()
    if header.continuous or samples.shape[1] == round(duration_s * rate_hz):
        return samples
    check_spread(path, samples.nbytes, samples.itemsize * len(wanted) * round(duration_s * rate_hz))
    spread = np.full((len(wanted), round(duration_s * rate_hz)), np.nan, np.float32)
    for number, onset in enumerate(onsets):
        start = min(round(onset * rate_hz), spread.shape[1] - count)
        spread[:, start : start + count] = samples[:, number * count : (number + 1) * count]
    return spread


def open_edf(path: Path, header: EdfHeader, include: Sequence[str] = ()) -> BaseRaw:
    """Open with MNE, without reading samples; no channel is taken for a trigger, and names are unique.

    MNE's warnings are left out: they are of filters, and of what `check_edf` has seen already.

    Raises
    ------
    MMQError
        If MNE cannot read the file.
    """
    import mne

    reader = mne.io.read_raw_bdf if header.format == "BDF" else mne.io.read_raw_edf
    settings: dict[str, Any] = {"include": list(include) or None, "stim_channel": None, "verbose": "ERROR"}
    with mne_errors(path):
        return reader(path, exclude_after_unique=True, **settings)


@contextmanager
def mne_errors(path: Path) -> Iterator[None]:
    """Turn whatever MNE's readers raise on a broken file into an `MMQError` that names it."""
    try:
        yield
    except MMQError:
        raise
    except Exception as error:  # a parser fails in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(f"{path}: MNE cannot read this file ({reason[:200]}).") from error


def _read(path: Path, header: EdfHeader, wanted: Sequence[int]) -> np.ndarray:
    with_samples = [i for i, signal in enumerate(header.signals) if not signal.is_annotations]
    names = dict(zip(with_samples, open_edf(path, header).ch_names, strict=True))
    raw = open_edf(path, header, [names[i] for i in wanted])
    rows = [raw.ch_names.index(names[i]) for i in wanted]
    scales = np.array([[SCALED_BY_MNE.get(header.signals[i].unit, 1.0)] for i in wanted])
    return read_in_parts(path, raw, rows, 1 / scales)


def read_in_parts(path: Path, raw: BaseRaw, rows: Sequence[int], scale: np.ndarray) -> np.ndarray:
    """Read some channels as float32 ``[rows, n]``, times `scale` ``[rows, 1]``, a stretch at a time.

    MNE itself reads float64.

    Raises
    ------
    MMQError
        If they are too many samples for memory, or MNE cannot read them.
    """
    if len(rows) * raw.n_times > MAX_SAMPLES:
        raise MMQError(
            f"{path}: expected at most {MAX_SAMPLES} samples; it holds {raw.n_times} of {len(rows)} channels."
        )
    samples = np.empty((len(rows), raw.n_times), np.float32)
    step, picks = max(1, CHUNK_SAMPLES // len(rows)), np.array(rows)
    with mne_errors(path):
        for start in range(0, raw.n_times, step):
            stop = min(start + step, raw.n_times)
            samples[:, start:stop] = scale * np.asarray(raw.get_data(picks=picks, start=start, stop=stop))
    return samples
