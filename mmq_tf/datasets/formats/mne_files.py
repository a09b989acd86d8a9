# SPDX-License-Identifier: Apache-2.0
"""Any file MNE reads, as a `Recording`: EDF, BDF, BrainVision, EEGLAB, FIF, ...

**Channels.** `mmq_tf.datasets.formats.mne_channels` says which modality a channel is; one that it does not
know is left out with a warning. All of one modality must have one rate, or most of them. EDF and BDF are read
at each modality's own rate; MNE by itself would bring them all to the highest.

**Annotations.** One that lasts a second or longer is a trial, and its description the class. One that begins
with ``BAD`` (any case) is time that must not be used: NaN, in the channels it names or in all. Shorter ones
are marks and left out. Trials must not overlap: where annotations do,
`counts` says which are trials. A channel that the file calls bad is lost.

**Breaks.** Where the file says that its samples do not follow each other (`mmq_tf.mne_bridge.breaks`), the
time between them is lost samples, and annotations after it are later by as much.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.units import front_end_unit
from mmq_bridge.recordings.room import check_spread

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.markers import WantedTrials
from mmq_tf.datasets.formats.mne_channels import (
    DESCRIBE,
    IGNORE,
    VOLTS,
    MneChannel,
    in_front_end_unit,
    modality_of,
    short_name,
)
from mmq_tf.datasets.formats.mne_open import Mark, Opened, open_with_mne
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.breaks import Breaks
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

logger = logging.getLogger(__name__)

SHORTEST_TRIAL_S = 1.0
OVERLAP_S = 1e-3
"""Neighbours may overlap by less: times in files are rounded."""


def load_mne(
    path: Path | str,
    *,
    types: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    task: str = "condition",
    trials: WantedTrials = "shown",
    counts: Callable[[str], bool] = bool,
    repair: bool = False,
) -> Recording:
    """Read a file with MNE.

    Parameters
    ----------
    path : path
        What `mne.io.read_raw` reads; it is chosen by the name's ending.
    types : mapping, optional
        Modality by the channel's name in the file, or ``"ignore"``; before any rule.
    units : mapping, optional
        Unit by the channel's name in the file, where that says none or a wrong one: of the numbers in the
        file for EDF and BDF, of what MNE makes of them for other formats.
    task : str
        What the annotations tell the classes of.
    trials : str
        ``"needed"``: refuse annotations that count and overlap. ``"shown"``: then there are no trials, with a
        warning. ``"none"``: there are none.
    counts : callable
        Whether an annotation's text is of a class; others are no trials, if there is one of which it is.

    repair : bool
        Read what is whole of an EDF or BDF file that was cut short or never closed.

    Returns
    -------
    Recording
        The subject is the file's name. Units are the front end's: uV (eeg, eog, emg), mV (ecg), uS (eda),
        degC (temp), g (acc); ppg and resp have none in common.

    Raises
    ------
    MMQError
        If the file is broken or lies in parts elsewhere, a name in `types` or `units` is not in it, no
        channel is a modality, rates differ within one, a unit is unknown, or trials overlap.
    """
    path = Path(path)
    opened = open_with_mne(path, repair=repair)
    modalities = _modalities(path, opened.channels, dict(types or {}))
    told = {*(types or {}), *(units or {})}
    channels = _with_units(path, opened.channels, modalities, dict(units or {}))
    _leave_out_other_rates(path, channels, modalities)
    samples = _read(path, opened, channels, modalities, told)
    marks, breaks = _with_breaks(path, opened, channels, samples)
    _lose_bad(marks, channels, samples)
    for i in samples:
        if channels[i].name in opened.bads:
            samples[i][:] = np.nan
    subject = Path(path.name.removesuffix(".gz")).stem
    said = f"mne 1 {sorted((types or {}).items())} {sorted((units or {}).items())} {task}"
    said += f" {breaks.found} {sorted(opened.bads)}" if breaks or opened.bads else ""
    digest = source_digest(said, opened.files)
    try:
        signals = {
            name: _signal(name, channels, modalities, samples) for name in dict.fromkeys(modalities.values())
        }
        stop_s = max(signal.stop_s for signal in signals.values())
        chosen = [mark for mark in marks if counts(mark.text)] or marks
        told = _trials(path, chosen, task, stop_s, trials)
        return Recording(subject, "1", signals, told, source="mne", digest=digest)
    except MMQError as error:
        raise MMQError(f"{path}: {error}") from error


def _trials(
    path: Path, marks: Sequence[Mark], task: str, stop_s: float, wanted: WantedTrials
) -> tuple[Trial, ...]:
    if wanted == "none":
        return ()
    try:
        return trials_of(marks, task, stop_s)
    except MMQError as error:
        if wanted == "needed":
            raise
        logger.warning("%s: no trials are taken: %s", path, error)
        return ()


def descriptions(path: Path) -> Counter[str]:
    """Count the annotations that are long enough to be trials, by their text.

    Raises
    ------
    MMQError
        If the file cannot be opened.
    """
    marks = (mark for mark in open_with_mne(path).marks if not mark.is_bad and not mark.is_boundary)
    return Counter(
        mark.text for mark in marks if mark.stop_s - mark.start_s >= SHORTEST_TRIAL_S and mark.text
    )


def trials_of(marks: Sequence[Mark], task: str, stop_s: float) -> tuple[Trial, ...]:
    """Turn annotations into trials, as told above; one that reaches out of the recording is cut there.

    Raises
    ------
    MMQError
        If two overlap.
    """
    spans = sorted(
        (max(mark.start_s, 0.0), min(mark.stop_s, stop_s), mark.text)
        for mark in marks
        if not mark.is_bad and not mark.is_boundary
    )
    spans = [span for span in spans if span[1] - span[0] >= SHORTEST_TRIAL_S and span[2]]
    trials: list[Trial] = []
    for start, stop, text in spans:
        if trials and start < trials[-1].stop_s:
            before = trials.pop()
            if start < before.stop_s - OVERLAP_S:
                raise MMQError(
                    f"annotations must not overlap to be trials; {text!r} begins at {start:g} s, before"
                    f" {before.labels[task]!r} ends at {before.stop_s:g} s; name those that count in `tasks`"
                    f" {DESCRIBE}, and the others under `ignore` there."
                )
            trials.append(Trial(before.start_s, start, before.labels))
        trials.append(Trial(start, stop, {task: text}))
    return tuple(trials)


def _modalities(path: Path, channels: Sequence[MneChannel], types: dict[str, str]) -> dict[int, str]:
    """Modality by place of the channel, without those left out."""
    _check_names(path, "types", types, channels)
    for name, modality in types.items():
        if modality not in (*MODALITIES, IGNORE):
            raise MMQError(
                f"{path}: types[{name!r}] must be one of {', '.join(MODALITIES)} or {IGNORE!r};"
                f" got {modality!r}."
            )
    found = [
        types.get(channel.name) or modality_of(channel.name, channel.mne_type, channel.is_told)
        for channel in channels
    ]
    modalities = {i: modality for i, modality in enumerate(found) if modality in MODALITIES}
    left = [
        channel.name
        for i, channel in enumerate(channels)
        if i not in modalities and channel.mne_type != "stim" and channel.name not in types
    ]
    if left:
        logger.warning(
            "%s: channels %s are left out: no modality by type or name; say it in `modalities` %s",
            path,
            ", ".join(left),
            DESCRIBE,
        )
    if not modalities:
        names = ", ".join(channel.name for channel in channels[:20])
        raise MMQError(
            f"{path}: no channel is one of {', '.join(MODALITIES)}; there are {names}; say what they are in"
            f" `modalities` {DESCRIBE}."
        )
    return modalities


def _with_units(
    path: Path, channels: Sequence[MneChannel], modalities: Mapping[int, str], units: dict[str, str]
) -> list[MneChannel]:
    """Channels with the units that somebody told; one that its file does not say is empty."""
    _check_names(path, "units", units, channels)
    found = []
    for i, each in enumerate(channels):
        unsaid = each.written != 1 and modalities.get(i) not in VOLTS
        found.append(replace(each, unit=units.get(each.name, "" if unsaid else each.unit)))
    return found


def _check_names(path: Path, what: str, given: Mapping[str, str], channels: Sequence[MneChannel]) -> None:
    names = [channel.name for channel in channels]
    for name in given:
        if name not in names:
            raise MMQError(
                f"{path}: {what} must name channels of the file ({', '.join(names[:40])}); got {name!r}."
            )


def _leave_out_other_rates(path: Path, channels: Sequence[MneChannel], modalities: dict[int, str]) -> None:
    """Keep of each modality the channels of the rate that most have; refuse where that is none."""
    for name in dict.fromkeys(modalities.values()):
        places = [i for i, other in modalities.items() if other == name]
        rates = Counter(channels[i].sampling_rate_hz for i in places).most_common()
        if len(rates) == 1:
            continue
        said = ", ".join(f"{channels[i].name} {channels[i].sampling_rate_hz:g} Hz" for i in places)
        if rates[0][1] == rates[1][1]:
            raise MMQError(
                f"{path}: all channels of {name} must have one rate; got {said}; write {IGNORE!r} for some in"
                f" `modalities` {DESCRIBE}."
            )
        left = [i for i in places if channels[i].sampling_rate_hz != rates[0][0]]
        names = ", ".join(channels[i].name for i in left)
        logger.warning("%s: channels %s of %s are left out: of another rate (%s)", path, names, name, said)
        for i in left:
            del modalities[i]


def _read(
    path: Path,
    opened: Opened,
    channels: Sequence[MneChannel],
    modalities: dict[int, str],
    told: Collection[str],
) -> dict[int, np.ndarray]:
    """Return samples ``[n]`` in the front end's unit by place of the channel; each rate is read once.

    A channel that does not say its unit, and of which nobody told it, is left out if there are others.
    """
    samples: dict[int, np.ndarray] = {}
    unsaid: list[MMQError] = []
    for rate in dict.fromkeys(channels[i].sampling_rate_hz for i in modalities):
        places = [i for i in modalities if channels[i].sampling_rate_hz == rate]
        rows = opened.read(places)
        for i, row in zip(places, rows, strict=True):
            channel, modality = channels[i], modalities[i]
            values = row if modality in VOLTS else row / np.float32(channel.written)
            try:
                samples[i] = in_front_end_unit(path, channel, modality, values)
            except MMQError as error:
                if channel.unit or channel.name in told:
                    raise
                unsaid.append(error)
    if not samples:
        raise unsaid[0]
    for error in unsaid:
        logger.warning("left out: %s", error)
    for i in set(modalities) - set(samples):
        del modalities[i]
    return samples


def _with_breaks(
    path: Path, opened: Opened, channels: Sequence[MneChannel], samples: dict[int, np.ndarray]
) -> tuple[list[Mark], Breaks]:
    """Put the time that a file's breaks left out back into its samples, and move its marks with it."""
    some = next(iter(samples))
    duration_s = samples[some].shape[-1] / channels[some].sampling_rate_hz
    found = []
    for mark in opened.marks:
        if mark.is_boundary:
            pause_s = next(
                (long for at, long in opened.pauses_s.items() if abs(at - mark.start_s) < 1e-4), None
            )
            is_segment = mark.text.lower().startswith("new segment")  # it lasts for one sample
            lost_s = 0.0 if is_segment or pause_s is not None else mark.stop_s - mark.start_s
            found.append((mark.start_s, lost_s if pause_s is None else pause_s))
    try:
        breaks = Breaks(found, duration_s)
    except MMQError as error:
        raise MMQError(f"{path}: {error}") from error
    if not breaks:
        return list(opened.marks), breaks
    for one in breaks.found:
        logger.warning("%s: a break at %g s: %g s of lost samples stand for it", path, one.at_s, one.lost_s)
    held = sum(row.nbytes for row in samples.values())
    lost = sum(breaks.lost_samples(channels[i].sampling_rate_hz) for i in samples)
    check_spread(path, held, held + lost * samples[some].itemsize)
    for i, row in samples.items():
        samples[i] = breaks.spread(row, channels[i].sampling_rate_hz)
    moved = [
        replace(mark, start_s=breaks.moved(mark.start_s), stop_s=breaks.moved(mark.stop_s, is_stop=True))
        for mark in opened.marks
    ]
    return moved, breaks


def _lose_bad(
    marks: Sequence[Mark], channels: Sequence[MneChannel], samples: Mapping[int, np.ndarray]
) -> None:
    for mark in marks:
        for i, row in samples.items() if mark.is_bad else ():
            if not mark.channels or channels[i].name in mark.channels:
                rate = channels[i].sampling_rate_hz
                first = max(0, int(np.floor(mark.start_s * rate + 1e-6)))
                row[first : max(first, int(np.ceil(mark.stop_s * rate - 1e-6)))] = np.nan


def _signal(
    modality: str,
    channels: Sequence[MneChannel],
    modalities: Mapping[int, str],
    samples: Mapping[int, np.ndarray],
) -> Signal:
    rows = [i for i, other in modalities.items() if other == modality]
    names = tuple(short_name(channels[i].name) for i in rows)
    if len(set(names)) < len(names):
        names = tuple(channels[i].name for i in rows)
    rate = channels[rows[0]].sampling_rate_hz
    return Signal(modality, np.stack([samples[i] for i in rows]), rate, front_end_unit(modality), names)
