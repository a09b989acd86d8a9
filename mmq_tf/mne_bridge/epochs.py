# SPDX-License-Identifier: Apache-2.0
"""Windows as MNE epochs: the raw samples a model's windows were made from, each with its label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.raws import MAX_BYTES, channel_info, scale_of
from mmq_tf.recording import Recording, Signal

if TYPE_CHECKING:
    import mne
    import pandas


@dataclass(frozen=True)
class WindowTable:
    """Where windows lie and what they are; `mmq_tf.features.windows.WindowSet` makes one.

    `subject` and `session` str [N], `trial` int [N], `start_s` float [N], `label` int8 [N], and `presence`
    bool [N, T, M].
    """

    subject: np.ndarray
    session: np.ndarray
    trial: np.ndarray
    start_s: np.ndarray
    label: np.ndarray
    presence: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


def to_epochs(
    windows: WindowTable,
    recordings: Iterable[Recording],
    front_end: FrontEnd,
    modality: str,
    classes: Sequence[str],
) -> mne.EpochsArray:
    """Return the raw samples of one modality in each window.

    An MNE user looks at samples and averages them, not tokens (for those see `WindowSet.to_sklearn`); epochs
    have one rate, so there is one modality at a time.

    Parameters
    ----------
    windows : WindowTable
    recordings : iterable of Recording
        Those the windows were cut from, in any order; read one after the other, so a generator keeps one in
        memory. Others are ignored.
    front_end : FrontEnd
        That of the windows: it knows how long they are, and which modality each column of presence is.
    modality : str
    classes : sequence of str
        In the order of the windows' labels.

    Returns
    -------
    mne.EpochsArray
        One epoch a window, in their order, from 0 s to the window's length; lost samples are NaN, values in
        MNE's units (see `mne_bridge`). Event ids are the classes, the codes their labels + 1. The metadata
        say `subject` (the group of a split), `session`, `trial`, `start_s`, `label`, and as ``present_ppg``
        and so on the share of the window's tokens in which a modality was present.

    Raises
    ------
    MMQError
        If a window's recording is not among them or lacks the modality, recordings differ in rate, unit or
        channels, the epochs would need more than 8 GiB, or pandas, which MNE's metadata need, is not
        installed.
    """
    import mne

    if not len(windows) or not set(np.unique(windows.label)) <= set(range(len(classes))):
        raise MMQError(
            f"to_epochs: expected at least one window, and labels 0 to {len(classes) - 1} for the classes"
            f" {', '.join(classes)}; got {len(windows)} windows with {sorted(set(windows.label.tolist()))}."
        )
    metadata = _metadata(windows, front_end, classes)
    values, signal = _samples(windows, recordings, front_end, modality)
    count = values.shape[2]
    # MNE wants events that differ in time; the windows' own times overlap, and are in the metadata
    codes = windows.label.astype(int) + 1
    events = np.stack([np.arange(len(windows)) * count, np.zeros(len(windows), int), codes], axis=1)
    ids = {name: code for code, name in enumerate(classes, 1) if code in codes}
    info = channel_info({modality: signal}, signal.channels, signal.sampling_rate_hz)
    return mne.EpochsArray(values, info, events, event_id=ids, metadata=metadata, verbose="ERROR")


def _metadata(windows: WindowTable, front_end: FrontEnd, classes: Sequence[str]) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError as error:
        raise MMQError("to_epochs: MNE's metadata need pandas: install it (pip install pandas).") from error
    shares = windows.presence.mean(axis=1)
    return pandas.DataFrame(
        {
            "subject": windows.subject,
            "session": windows.session,
            "trial": windows.trial,
            "start_s": windows.start_s,
            "label": [classes[label] for label in windows.label],
            **{f"present_{name}": shares[:, k] for k, name in enumerate(front_end.modality_names)},
        }
    )


def _samples(
    windows: WindowTable, recordings: Iterable[Recording], front_end: FrontEnd, modality: str
) -> tuple[np.ndarray, Signal]:
    """Cut the windows out, float64 ``[N, channels, n]`` in MNE's unit; return with them the first signal."""
    values, first, missing = np.zeros((0, 0, 0)), None, np.ones(len(windows), bool)
    for recording in recordings:
        rows = (windows.subject == recording.subject) & (windows.session == recording.session)
        if not rows.any():
            continue
        signal = recording.signals.get(modality)
        if signal is None:
            raise MMQError(f"to_epochs: the recording of {recording.subject} has no {modality}.")
        if first is None:
            first, values = signal, _room(len(windows), signal, front_end.window_s)
        _check_alike(recording.subject, first, signal)
        scale = scale_of(modality, signal.unit)
        for row in np.flatnonzero(rows):
            _cut(values[row], signal, float(windows.start_s[row]), scale)
        missing &= ~rows
    if first is None or missing.any():
        names = sorted(set(windows.subject[missing].tolist()))
        raise MMQError(
            f"to_epochs: expected the recordings the windows were cut from; missing {', '.join(names)}."
        )
    return values, first


def _room(count: int, signal: Signal, window_s: float) -> np.ndarray:
    shape = (count, len(signal.channels), max(1, round(window_s * signal.sampling_rate_hz)))
    if 8 * np.prod(shape, dtype=float) > MAX_BYTES:
        raise MMQError(
            f"to_epochs: {shape[0]} windows of {shape[1]} channels and {shape[2]} samples need more than"
            f" {MAX_BYTES / 2**30:g} GiB; take fewer windows (WindowSet.take)."
        )
    return np.full(shape, np.nan)


def _cut(room: np.ndarray, signal: Signal, start_s: float, scale: float) -> None:
    """Fill one epoch ``[channels, n]`` with what the signal has of it."""
    first = round((start_s - signal.start_s) * signal.sampling_rate_hz)
    begin, end = max(first, 0), min(first + room.shape[1], signal.samples.shape[1])
    if end > begin:
        room[:, begin - first : end - first] = signal.samples[:, begin:end].astype(np.float64) * scale


def _check_alike(subject: str, first: Signal, signal: Signal) -> None:
    for what in ("sampling_rate_hz", "unit", "channels"):
        if getattr(signal, what) != getattr(first, what):
            raise MMQError(
                f"to_epochs: every recording's {signal.modality} must have the same {what}; {subject} has"
                f" {getattr(signal, what)!r}, the first one {getattr(first, what)!r}."
            )
