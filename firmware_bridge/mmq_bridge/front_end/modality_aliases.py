# SPDX-License-Identifier: Apache-2.0
"""Words by which files and streams name what they measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

WORDS = {
    **{name: name for name in SUPPORTED_MODALITIES},
    "ekg": "ecg",
    "bvp": "ppg",
    "pleth": "ppg",
    "plethysmograph": "ppg",
    "gsr": "eda",
    "electrodermal": "eda",
    "respiration": "resp",
    "rsp": "resp",
    "breathing": "resp",
    "temperature": "temp",
    "skt": "temp",
    "accelerometer": "acc",
    "acceleration": "acc",
}
"""Modality by a word, in small letters, of a stream's type or name or a channel's."""


def modality_of(text: str) -> str | None:
    """Return the modality that a word of `text` means, without regard to case.

    Examples
    --------
    >>> modality_of("GSR (left hand)"), modality_of("Markers")
    ('eda', None)
    """
    return next((WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS), None)


def rows_by_modality(channel_types: Sequence[str], stream_type: str, name: str) -> dict[str, list[int]]:
    """Return which channels of a stream are which modality; empty where no word is known.

    The types of the channels decide, then the stream's type, then a word of its name.

    Parameters
    ----------
    channel_types : sequence of str
        One a channel, empty where nothing is said.
    stream_type, name : str
        Of the stream.

    Examples
    --------
    >>> rows_by_modality(["ECG", "EDA", "EDA"], "Physiology", "Opensignals")
    {'ecg': [0], 'eda': [1, 2]}
    >>> rows_by_modality(["", ""], "EEG", "Cap")
    {'eeg': [0, 1]}
    """
    by_type: dict[str, list[int]] = {}
    for row, kind in enumerate(channel_types):
        modality = modality_of(kind)
        if modality:
            by_type.setdefault(modality, []).append(row)
    modality = modality_of(stream_type) or modality_of(name)
    if by_type or modality is None:
        return by_type
    return {modality: list(range(len(channel_types)))}
