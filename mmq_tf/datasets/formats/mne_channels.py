# SPDX-License-Identifier: Apache-2.0
"""Which modality a channel is, by its type and its name, and what brings it to the front end's unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.modality_aliases import WORDS, is_any_input, is_no_signal, modality_of_channel
from mmq_bridge.front_end.units import UNITS, front_end_unit, unit_factor

from mmq_tf.datasets.formats.conductance import conductance_us
from mmq_tf.errors import MMQError

IGNORE = "ignore"
"""Word of a manifest for a channel or stream that is left out."""

BY_TYPE = {
    **{kind: kind for kind in ("eeg", "eog", "emg", "ecg", "resp")},
    "temperature": "temp",
    "gsr": "eda",
}
"""Modality by MNE's channel type."""

UNSURE_TYPES = ("eeg", "misc", "bio")
"""Types under which files keep other things too (MNE calls all of EDF eeg): here the name decides."""

VOLTS = ("eeg", "eog", "emg", "ecg")
"""Modalities that every format measures in volts."""

DESCRIBE = "in mmq-tf.toml (`mmq-tf datasets new` writes one)"
"""Where somebody who reads a file can say what it does not."""

KELVIN_OF_0_DEGC = 273.15


@dataclass(frozen=True)
class MneChannel:
    """One channel as its file describes it; `unit` is that of the numbers that are read.

    `is_told` is whether file or electrode positions say that it is of its type, not only MNE's default.
    `written` is what MNE multiplied the file's number with where the file does not say the unit.
    """

    name: str
    mne_type: str
    unit: str
    sampling_rate_hz: float
    is_told: bool = False
    written: float = 1.0


def modality_of(name: str, mne_type: str, is_told: bool = False) -> str | None:
    """Modality of a channel, or None for one that is none or that nobody knows.

    Parameters
    ----------
    name : str
        It decides for a channel of `UNSURE_TYPES`, by `mmq_bridge.front_end.modality_aliases`.
    mne_type : str
        MNE's channel type.
    is_told : bool
        Whether the file itself says this type; otherwise an unknown name is not taken for EEG.

    Examples
    --------
    >>> modality_of("ECG ECG", "eeg"), modality_of("EEG Fp1", "eeg"), modality_of("Fp1", "eeg")
    ('ecg', 'eeg', 'eeg')
    >>> modality_of("GSR1", "misc"), modality_of("Photo", "misc"), modality_of("VEOG", "eog")
    ('eda', None, 'eog')
    >>> modality_of("COUNTER", "eeg", is_told=True), modality_of("X1", "eeg"), modality_of("X1", "eeg", True)
    (None, None, 'eeg')
    """
    if mne_type not in UNSURE_TYPES:
        return BY_TYPE.get(mne_type)
    found = modality_of_channel(name)
    if found is not None and (found != "eeg" or mne_type == "eeg" or "eeg" in name.lower()):
        return found
    if is_no_signal(name) or is_any_input(name) or not is_told:
        return None
    return BY_TYPE.get(mne_type)


def short_name(name: str) -> str:
    """Name without the type that EDF+ puts in front of it.

    Examples
    --------
    >>> short_name("EEG Fp1"), short_name("Resp oro-nasal"), short_name("EOG 1"), short_name("Fp1")
    ('Fp1', 'oro-nasal', 'EOG 1', 'Fp1')
    """
    first, _, rest = name.strip().partition(" ")
    return rest.strip() if first.lower() in WORDS and re.search("[A-Za-z]", rest) else name.strip()


def in_front_end_unit(path: Path, channel: MneChannel, modality: str, samples: np.ndarray) -> np.ndarray:
    """Bring one channel's float32 samples to the unit of `mmq_bridge.front_end.units.front_end_unit`.

    Raises
    ------
    MMQError
        If nothing is known that leads there from the channel's unit.
    """
    unit = UNITS.get(channel.unit.lower(), channel.unit)
    if modality == "temp" and unit.upper() == "K":
        return samples - np.float32(KELVIN_OF_0_DEGC)
    if modality == "temp" and unit.upper() in ("C", "DEGC"):
        return samples
    if modality == "eda" and unit.lower() == "ohm":
        return conductance_us(path, samples, unit)
    try:
        return samples * np.float32(unit_factor(modality, unit or "a.u."))
    except ValueError as error:
        raise MMQError(
            f"{path}: channel {channel.name!r} ({modality}) is in {channel.unit!r}, from which nothing leads"
            f" to {front_end_unit(modality)}; say its unit in `units`, or {IGNORE!r} in `modalities`,"
            f" {DESCRIBE}."
        ) from error
