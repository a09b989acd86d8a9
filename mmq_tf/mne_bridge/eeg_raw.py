# SPDX-License-Identifier: Apache-2.0
"""Recordings as MNE sees them: EEG and EOG channels only, lost stretches cut out, positions by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log
from mmq_tf.recording import Recording, Signal

if TYPE_CHECKING:
    from mne.io import BaseRaw

    Fittable = Recording | BaseRaw
else:
    Fittable = "Recording | mne.io.BaseRaw"

logger = logging.getLogger(__name__)

VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}
SHORTEST_STRETCH_S = 10.0
"""MNE's blink finder filters with 10 s of signal; shorter pieces between losses are left out."""


def append_eog(recording: Recording) -> Recording:
    """Return the recording with the rows of its eog signal below those of its eeg signal.

    An EOG regression needs both in one modality of the front end: EEG and EOG in, EEG out.

    Raises
    ------
    MMQError
        If the two differ in rate, unit, start or length, or the recording has no eeg.
    """
    if "eeg" not in recording.signals:
        raise MMQError(f"Recording of {recording.subject}: cleaning needs a signal eeg; it has none.")
    eeg, eog = recording.signals["eeg"], recording.signals.get("eog")
    if eog is None:
        return recording
    for what in ("sampling_rate_hz", "unit", "start_s"):
        if getattr(eeg, what) != getattr(eog, what):
            raise MMQError(
                f"Recording of {recording.subject}: eeg and eog must have the same {what} to be cleaned"
                f" together; got {getattr(eeg, what)} and {getattr(eog, what)}."
            )
    if eeg.samples.shape[1] != eog.samples.shape[1]:
        raise MMQError(
            f"Recording of {recording.subject}: eeg and eog must be equally long to be cleaned together; got"
            f" {eeg.samples.shape[1]} and {eog.samples.shape[1]} samples."
        )
    joined = replace(
        eeg,
        samples=np.concatenate([eeg.samples, eog.samples]),
        channels=(*eeg.channels, *eog.channels),
    )
    others = {name: signal for name, signal in recording.signals.items() if name != "eog"}
    return replace(recording, signals={**others, "eeg": joined})


def to_raw(
    recording: Fittable,
    eog_channels: Sequence[str] | None = None,
    bads: Sequence[str] = (),
    channels: Sequence[str] | None = None,
) -> BaseRaw:
    """Turn a recording into an MNE raw of its EEG and EOG channels, in volts.

    Parameters
    ----------
    recording : Recording or mne.io.BaseRaw
        A `Recording` may have its EOG as rows of eeg or as a signal of its own. A raw is copied.
    eog_channels : sequence of str, optional
        Which channels are EOG; by default those the recording itself calls so.
    bads : sequence of str
        Bad EEG channels, beside those the raw itself names.
    channels : sequence of str, optional
        EEG channels to take, in the recording's order; by default all it calls so. Some files call everything
        EEG, also an ECG.

    Returns
    -------
    mne.io.BaseRaw
        Without stretches in which a good channel was lost (NaN), and with MNE's standard 10-05 positions
        where it had none and the names are known.

    Raises
    ------
    MMQError
        On an unknown channel, a bad EOG channel, projectors, or less than `SHORTEST_STRETCH_S` without
        losses.
    """
    import mne

    with mne_through_the_log("cleaning"):
        if isinstance(recording, Recording):
            raw = _from_recording(recording)
        elif isinstance(recording, mne.io.BaseRaw):
            raw = recording.copy().load_data()
        else:
            raise MMQError(f"cleaning: expected a Recording or an MNE raw; got {type(recording).__name__}.")
        _name_channels(raw, eog_channels, bads, channels)
        _place_electrodes(raw)
        return _without_losses(raw)


def concatenated(raws: list[BaseRaw]) -> BaseRaw:
    """Join raws end to end; MNE marks the seams, and its filters do not run over them."""
    import mne

    return raws[0] if len(raws) == 1 else cast("BaseRaw", mne.concatenate_raws(raws))


def _from_recording(recording: Recording) -> BaseRaw:
    import mne

    own_eog = recording.signals["eog"].channels if "eog" in recording.signals else ()
    eeg: Signal = append_eog(recording).signals["eeg"]
    if eeg.unit not in VOLTS:
        raise MMQError(
            f"Recording of {recording.subject}: eeg must be in {', '.join(VOLTS)}; got {eeg.unit!r}."
        )
    types: Any = ["eog" if name in own_eog else "eeg" for name in eeg.channels]
    info = mne.create_info(list(eeg.channels), eeg.sampling_rate_hz, types)
    return mne.io.RawArray(eeg.samples.astype(np.float64) * VOLTS[eeg.unit], info)


def _name_channels(
    raw: BaseRaw,
    eog_channels: Sequence[str] | None,
    bads: Sequence[str],
    channels: Sequence[str] | None,
) -> None:
    """Set types and bads, and leave only EEG and EOG."""
    for what, names in (("eog_channels", eog_channels or ()), ("bads", bads), ("channels", channels or ())):
        unknown = [name for name in names if name not in raw.ch_names]
        if unknown:
            raise MMQError(
                f"{what}: {', '.join(unknown)} is not in the recording, whose channels are"
                f" {', '.join(raw.ch_names)}."
            )
    if raw.info["projs"]:
        raise MMQError(
            "cleaning: expected a recording without projectors; got one with raw.info['projs'], which the"
            " device would not have: read it again without them."
        )
    if eog_channels is not None:
        raw.set_channel_types({name: "eeg" for name in _of_type(raw, "eog")}, on_unit_change="ignore")
        raw.set_channel_types({name: "eog" for name in eog_channels}, on_unit_change="ignore")
    eeg, eog = _of_type(raw, "eeg"), _of_type(raw, "eog")
    eeg = [name for name in eeg if channels is None or name in channels]
    kept = [name for name in raw.ch_names if name in {*eeg, *eog}]
    if not eeg:
        raise MMQError("cleaning: the recording has no EEG channel: set the channel types of the raw.")
    raw.pick(kept)
    raw.info["bads"] = [name for name in kept if name in {*raw.info["bads"], *bads}]
    wrong = [name for name in eog if name in raw.info["bads"]]
    if wrong:
        raise MMQError(f"bads: {', '.join(wrong)} is an EOG channel: leave it out of eog_channels instead.")


def _of_type(raw: BaseRaw, kind: str) -> list[str]:
    return [name for name, its in zip(raw.ch_names, raw.get_channel_types(), strict=True) if its == kind]


def standard_montage():
    """Return MNE's 10-05 positions, whose name changed with MNE 1.13."""
    import mne

    known = mne.channels.get_builtin_montages()
    return mne.channels.make_standard_montage("colin27_1005" if "colin27_1005" in known else "standard_1005")


def _place_electrodes(raw: BaseRaw) -> None:
    """Give the positions of the 10-05 system to a recording that brings none.

    The last word of a name counts, without what follows a hyphen: many EDF files say ``EEG Fp1-A1``.
    """
    if raw.get_montage() is None:
        short = {name: (name.split() or [""])[-1].split("-")[0] for name in raw.ch_names}
        renamed = len(set(short.values())) == len(short) and all(short.values())
        if renamed:
            raw.rename_channels(short)
        raw.set_montage(standard_montage(), match_case=False, on_missing="ignore")
        if renamed:
            raw.rename_channels({its: name for name, its in short.items()})
        unplaced = without_position(raw)
        if len(unplaced) < len(_of_type(raw, "eeg")):
            for name in unplaced:
                logger.warning("%s is no name of the 10-05 system: is it EEG? (see channels)", name)


def without_position(raw: BaseRaw) -> list[str]:
    """Names of the EEG channels whose place on the head is not known."""
    places = {channel["ch_name"]: channel["loc"][:3] for channel in raw.info["chs"]}
    return [n for n in _of_type(raw, "eeg") if not np.isfinite(places[n]).all() or not places[n].any()]


def _without_losses(raw: BaseRaw) -> BaseRaw:
    """Cut out every stretch in which a good channel is NaN; a bad channel's own losses become 0."""
    import mne

    samples = np.asarray(raw.get_data())
    bad = [name in raw.info["bads"] for name in raw.ch_names]
    samples[bad] = np.nan_to_num(samples[bad])
    lost = ~np.isfinite(samples).all(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], lost, [True]]).astype(np.int8)))
    shortest = SHORTEST_STRETCH_S * raw.info["sfreq"]
    spans = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]
    if not spans:
        raise MMQError(
            f"cleaning: expected at least {SHORTEST_STRETCH_S:g} s in which no good channel is lost; found"
            " none: name the channels that are lost in bads."
        )
    if spans == [(0, samples.shape[1])]:
        return mne.io.RawArray(samples, raw.info.copy())
    return concatenated([mne.io.RawArray(samples[:, a:b], raw.info.copy()) for a, b in spans])
