# SPDX-License-Identifier: Apache-2.0
"""Recordings as MNE raws, and raws as recordings.

Every raw begins with the recording (t = 0) and ends with it, so that its times are the recording's: what a
sensor did not measure is NaN, as lost samples are, and annotated as bad. Values are in MNE's units: V for
eeg, eog, emg and ecg, S for eda (type ``gsr``), degC for temp. For resp, ppg (``bio``) and acc (``misc``) MNE
has none; they keep the recording's.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mmq_bridge.front_end.modality_aliases import is_no_signal
from mmq_bridge.front_end.resampling import rate_ratio, resampled

from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.annotations import (
    bad_is_lost,
    breaks_of,
    lost_annotations,
    merged,
    to_annotations,
    trials_of,
)
from mmq_tf.mne_bridge.eeg_raw import VOLTS
from mmq_tf.mne_bridge.notes import Place, describe, described
from mmq_tf.recording import MAX_RATE_HZ, MODALITIES, Recording, Signal

if TYPE_CHECKING:
    from mne import Info
    from mne.io import BaseRaw

logger = logging.getLogger(__name__)

TYPES = {
    "eeg": "eeg", "eog": "eog", "emg": "emg", "ecg": "ecg", "eda": "gsr", "resp": "resp",
    "temp": "temperature", "ppg": "bio", "acc": "misc",
}  # fmt: skip
"""MNE's channel type of each modality."""

TELLING = {kind: modality for modality, kind in TYPES.items() if kind not in ("bio", "misc")}
"""Modality of each channel type that says which it is."""

_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
SCALES = {**dict.fromkeys(("eeg", "eog", "emg", "ecg"), VOLTS), "eda": _SIEMENS, "temp": {"degC": 1.0}}
"""What a value in each known unit is multiplied by for MNE; in any other unit it stays as it is."""

USUAL_UNITS = {"eeg": "uV", "eog": "uV", "emg": "uV", "ecg": "mV", "eda": "uS", "temp": "degC"}
"""Units of what comes from a raw that was not made here: those of the default front end."""

MAX_BYTES = 8 * 2**30


def to_mne(recording: Recording, rate_hz: float | None = None) -> BaseRaw | dict[str, BaseRaw]:
    """Return a recording as one raw where all its rates are the same, or else as a raw by modality.

    Parameters
    ----------
    recording : Recording
    rate_hz : float, optional
        Return one raw of this rate. Signals of another rate are resampled (polyphase, with its anti-alias
        filter); a gap is bridged by a line for that, and is lost again after.

    Returns
    -------
    mne.io.RawArray, or dict of str to mne.io.RawArray
        With trials as annotations ``task=class`` (their ratings as extras), lost samples as NaN and as
        annotations ``BAD_lost``, the subject as ``his_id``. `from_mne` makes the same recording of it: a raw
        holds float64, so each float32 sample comes back bit for bit; trials come back to a microsecond, as
        MNE keeps them. A file in single precision costs one rounding more; resampling cannot be undone.

    Raises
    ------
    MMQError
        If `rate_hz` is impossible, or a raw would be larger than 8 GiB.
    """
    if rate_hz is not None and not 0 < rate_hz <= MAX_RATE_HZ:
        raise MMQError(f"to_mne: rate_hz must be above 0 and at most {MAX_RATE_HZ:g}; got {rate_hz!r}.")
    rates = {signal.sampling_rate_hz for signal in recording.signals.values()}
    if rate_hz is not None or len(rates) == 1:
        return _raw(recording, recording.signals, rate_hz or rates.pop())
    return {
        name: _raw(recording, {name: signal}, signal.sampling_rate_hz)
        for name, signal in recording.signals.items()
    }


def from_mne(
    raw: BaseRaw | Mapping[str, BaseRaw],
    *,
    subject: str | None = None,
    session: str | None = None,
    source: str | None = None,
) -> Recording:
    """Return a raw, or several that were recorded together, as one recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw, or mapping of str to mne.io.BaseRaw
        What `to_mne` gave, also after MNE's own work on it, or any other. Channel types say the modality;
        channels of type bio and misc are taken where the mapping's key names their modality (``ppg``,
        ``acc``), others are left out. Several raws are aligned by their measurement dates, if all have one.
    subject, session, source : str, optional
        By default what `to_mne` noted; else the raw's ``his_id``, ``"1"`` and ``"mne"``.

    Returns
    -------
    Recording
        Trials are the annotations of the form ``task=class``. What MNE would leave out is lost (NaN): bad
        channels, and stretches annotated as bad. So is time that a boundary left out, as
        `mmq_tf.mne_bridge.breaks` says. The digest is that of the samples and trials.

    Raises
    ------
    MMQError
        If it is no raw, has no channel of a known type, two raws have the same modality, or nobody says
        whose it is.
    """
    raws = dict(raw) if isinstance(raw, Mapping) else {"": raw}
    _check_raws(raws)
    notes = {key: described(one) for key, one in raws.items()}
    note = next((note for note in notes.values() if note), {})
    offsets = _offsets(raws)
    # a raw from elsewhere may count its samples from long before the first one it has
    zero = 0.0 if note else min(one.first_time + offsets[key] for key, one in raws.items())
    signals: dict[str, Signal] = {}
    for key, one in raws.items():
        for signal in _signals(key, one, notes[key].get("signals", {}), offsets[key] - zero):
            if signal.modality in signals:
                raise MMQError(f"from_mne: expected one raw with {signal.modality}; got two.")
            signals[signal.modality] = signal
    if not signals:
        kinds = sorted({kind for one in raws.values() for kind in one.get_channel_types()})
        raise MMQError(
            f"from_mne: expected a channel of type {', '.join(TELLING)}, or a dict that names the modality of"
            f" others; got {', '.join(kinds)}."
        )
    told = [trial for key, one in raws.items() for trial in trials_of(one, zero - offsets[key])]
    trials = merged(told, max(signal.stop_s for signal in signals.values()))
    return Recording(
        subject or _his_id(raws),
        session or note.get("session", "1"),
        signals,
        trials,
        source=note.get("source", "mne") if source is None else source,
        simulated=bool(note.get("simulated", False)),
        digest=_digest(signals, trials),
    )


def _raw(recording: Recording, signals: Mapping[str, Signal], rate_hz: float) -> BaseRaw:
    """Make one raw of signals, as long as the recording."""
    import mne

    places = _places(signals, rate_hz)
    ends = [place.first + place.samples for place in places.values()]
    total = max(math.ceil(recording.duration_s * rate_hz - 1e-6), *ends)
    names = [name for place in places.values() for name in place.channels]
    if 8 * len(names) * total > MAX_BYTES:
        raise MMQError(
            f"to_mne: {len(names)} channels of {total} samples need more than {MAX_BYTES / 2**30:g} GiB; take"
            " a lower rate_hz or fewer signals."
        )
    values = np.full((len(names), total), np.nan)
    row = 0
    for modality, signal in signals.items():
        place, count = places[modality], len(signal.channels)
        samples = resampled(signal.samples, rate_ratio(signal.sampling_rate_hz, rate_hz))
        values[row : row + count, place.first : place.first + place.samples] = samples * scale_of(
            modality, signal.unit
        )
        row += count
    info = channel_info(signals, names, rate_hz)
    info["subject_info"] = {"his_id": recording.subject}
    info["description"] = describe(recording, places, total)
    raw = mne.io.RawArray(values, info, verbose="ERROR")
    lost = lost_annotations(values, rate_hz, names)
    raw.set_annotations(to_annotations(recording.trials) + lost, verbose="ERROR")
    return raw


def _places(signals: Mapping[str, Signal], rate_hz: float) -> dict[str, Place]:
    """Say where each signal goes; channel names that two signals share take the modality in front."""
    names = [name for signal in signals.values() for name in signal.channels]
    shared = len(set(names)) < len(names)
    places = {}
    for modality, signal in signals.items():
        ratio = rate_ratio(signal.sampling_rate_hz, rate_hz)
        channels = {f"{modality} {name}" if shared else name: name for name in signal.channels}
        count = math.ceil(signal.samples.shape[1] * ratio)
        start = signal.start_s
        places[modality] = Place(channels, signal.unit, start, round(start * rate_hz), count)
    return places


def channel_info(signals: Mapping[str, Signal], names: Sequence[str], rate_hz: float) -> Info:
    """Return MNE's description of the channels of signals: types, and no unit where MNE's does not hold."""
    import mne
    from mne.io.constants import FIFF

    kinds: Any = [TYPES[modality] for modality, signal in signals.items() for _ in signal.channels]
    info = mne.create_info(list(names), rate_hz, kinds)
    owners = [signal for signal in signals.values() for _ in signal.channels]
    for channel, signal in zip(info["chs"], owners, strict=True):
        if signal.unit not in SCALES.get(signal.modality, {}):
            channel["unit"] = FIFF.FIFF_UNIT_NONE
    return info


def scale_of(modality: str, unit: str) -> float:
    """Return what a value is multiplied by to be in MNE's unit; 1 where it is in no unit that is known."""
    return SCALES.get(modality, {}).get(unit, 1.0)


def _check_raws(raws: Mapping[str, Any]) -> None:
    from mne.io import BaseRaw

    wrong = [one for one in raws.values() if not isinstance(one, BaseRaw)]
    if wrong or not raws:
        got = type(wrong[0]).__name__ if wrong else "an empty dict"
        raise MMQError(f"from_mne: expected an MNE raw, or a dict of raws by modality; got {got}.")


def _his_id(raws: Mapping[str, BaseRaw]) -> str:
    ids = [(raw.info["subject_info"] or {}).get("his_id") for raw in raws.values()]
    if not any(ids):
        raise MMQError(
            "from_mne: the raw does not say whose it is (subject_info has no his_id): give subject=."
        )
    return next(name for name in ids if name)


def _offsets(raws: Mapping[str, BaseRaw]) -> dict[str, float]:
    """Seconds between each raw's measurement date and the earliest; 0 where one has none."""
    dates = {key: raw.info["meas_date"] for key, raw in raws.items()}
    if any(date is None for date in dates.values()):
        return dict.fromkeys(raws, 0.0)
    first = min(dates.values())
    return {key: (date - first).total_seconds() for key, date in dates.items()}


def _signals(key: str, raw: BaseRaw, noted: Mapping[str, Place], offset_s: float) -> list[Signal]:
    """Read the signals of one raw, in the order of `MODALITIES`."""
    chosen: dict[str, dict[str, str]] = {}
    ours = {name: modality for modality, place in noted.items() for name in place.channels}
    for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
        modality = ours.get(name) or TELLING.get(kind) or (key if kind in ("bio", "misc") else None)
        if modality in MODALITIES and name not in ours and is_no_signal(name):
            logger.warning("from_mne: channel %s is left out: by its name it is no signal", name)
            continue
        if modality in MODALITIES:
            place = noted.get(modality)
            chosen.setdefault(modality, {})[name] = place.channels.get(name, name) if place else name
    return [
        _signal(raw, modality, chosen[modality], noted.get(modality), offset_s)
        for modality in MODALITIES
        if modality in chosen
    ]


def _signal(
    raw: BaseRaw, modality: str, channels: Mapping[str, str], place: Place | None, offset_s: float
) -> Signal:
    names = list(channels)
    rows = np.array(
        [raw.ch_names.index(name) for name in names]
    )  # by name, "ecg" would mean all of that type
    samples = np.asarray(raw.get_data(picks=rows))
    bad_is_lost(samples, raw, names)
    unit = place.unit if place else USUAL_UNITS.get(modality, "a.u.")
    start_s = raw.first_time + offset_s
    if place and raw.n_times == place.total and raw.first_samp == 0:
        samples = samples[:, place.first : place.first + place.samples]
        start_s = place.start_s
    if breaks := breaks_of(raw):
        samples = breaks.spread(samples, float(raw.info["sfreq"]))
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(samples / scale_of(modality, unit), np.float32)
    return Signal(
        modality, values, float(raw.info["sfreq"]), unit, tuple(channels.values()), max(0.0, start_s)
    )


def _digest(signals: Mapping[str, Signal], trials: tuple[Any, ...]) -> str:
    """Hex SHA-256 of samples and trials: a raw that was filtered is another recording."""
    digest = hashlib.sha256(repr(trials).encode())
    for signal in signals.values():
        head = (signal.modality, signal.sampling_rate_hz, signal.unit, signal.channels, signal.start_s)
        digest.update(repr((head, signal.samples.shape)).encode())
        digest.update(signal.samples.tobytes())
    return digest.hexdigest()
