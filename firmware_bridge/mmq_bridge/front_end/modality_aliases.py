# SPDX-License-Identifier: Apache-2.0
"""Words by which files and streams name what they measured, and what is no signal of a body at all.

The one table of names: every reader of files and streams goes by it. What it does not know is left out and
never taken for EEG. Sources: EDF+ (Kemp and Olivan 2003) and EDFbrowser's labels of polysomnography; the 10-5
system (Oostenveld and Praamstra 2001); BioSemi's and EGI's numbers of electrodes; Emotiv's EDF, CSV and LSL
exports (EmotivPRO, community SDK); OpenBCI's, Muse's (BlueMuse, muselsl), Shimmer's and Empatica's streams.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

WORDS = {
    **{name: name for name in SUPPORTED_MODALITIES},
    **dict.fromkeys(("heog", "veog"), "eog"),
    **dict.fromkeys(("zemg", "temg"), "emg"),
    "ekg": "ecg",
    **dict.fromkeys(("bvp", "pleth", "plet", "plethysmograph"), "ppg"),
    **dict.fromkeys(("gsr", "electrodermal"), "eda"),
    **dict.fromkeys(("respiration", "rsp", "breathing"), "resp"),
    **dict.fromkeys(("temperature", "skt"), "temp"),
    **dict.fromkeys(("accelerometer", "acceleration", "accx", "accy", "accz"), "acc"),
}
"""Modality by a word, in small letters, of a stream's type or name or a channel's."""

NO_SIGNAL = frozenset((
    # triggers and events: EDF+, BioSemi, MNE, LabStreamingLayer
    "annotation", "annotations", "event", "events", "marker", "markers", "status", "sti", "stim", "tag",
    "tags", "trigger", "trig",
    # what counts, times and carries samples: Emotiv, OpenBCI, Shimmer
    "counter", "index", "interpolate", "interpolated", "packet", "stamp", "sync", "time", "timestamp",
    "timestamps",
    # the state of the device: Emotiv (CQ_AF3, EQ.AF3, RAW_CQ), Muse (telemetry, DRL)
    "battery", "batterypercent", "cq", "drl", "eq", "gnd", "impedance", "impedances", "quality", "rawcq",
    "telemetry",
    # other sensors: Emotiv and Muse motion, OpenBCI inputs
    "analog", "digital", "gaze", "gyro", "gyroscope", "gyrox", "gyroy", "gyroz", "mag", "magnetometer",
    "pupil", "quaternion",
    # what somebody computed: pulse oximeters, the E4's HR and IBI, Emotiv's band power
    "bandpower", "bpm", "heartrate", "hr", "hrate", "hrv", "ibi", "osat", "pow", "rate", "sao", "sat", "spo",
    # polysomnography
    "cpap", "leak", "light", "ox", "position", "snore",
))  # fmt: skip
"""Words, in small letters, of what is no signal here, whatever type or unit its file says."""

OF_STREAMS = frozenset(("index", "sync", "time"))
"""Words of `NO_SIGNAL` that a whole stream of signals may have in its type or name: "TimeSeriesRaw"."""

ANY_INPUT = frozenset(("aux", "bip", "erg", "exg", "ext", "misc"))
"""Words of inputs into which anything may have been plugged: a word of `WORDS` beside them says what."""

_ELECTRODE = re.compile(
    r"(n|fp|afp|af|aff|f|ff|ffc|fft|ft|ftt|fc|fcc|c|cc|ccp|cp|cpp|t|tt|ttp|tp|tpp|p|pp|ppo|po|poo|o|oi|i)"
    r"(z|\d{1,2}h?)|[am][12]|cb[12]|pg[12]|[a-h]\d{1,2}|e\d{1,3}|eeg\s*\d{1,3}",
    re.IGNORECASE,
)
_AASM_EOG = re.compile(r"(e[12]|loc|roc)\s*-\s*([am][12]|fpz)|loc|roc", re.IGNORECASE)


def words_of(text: str) -> set[str]:
    """Words of a name in small letters; digits end one, and a capital may begin one.

    Examples
    --------
    >>> sorted(words_of("EEG.RawCq")), sorted(words_of("SpO2"))
    (['cq', 'eeg', 'raw', 'rawcq'], ['o', 'sp', 'spo'])
    """
    plain = re.findall(r"[a-z]+", text.lower())
    return {*plain, *(word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text))}


def is_no_signal(text: str) -> bool:
    """Whether a name is of what is no signal here: a counter, a time, a trigger, a battery, ...

    Examples
    --------
    >>> is_no_signal("CQ_AF3"), is_no_signal("TIME_STAMP_s"), is_no_signal("SpO2"), is_no_signal("EEG Fp1")
    (True, True, True, False)
    """
    return not NO_SIGNAL.isdisjoint(words_of(text))


def is_electrode(name: str) -> bool:
    """Whether a channel's name is that of an electrode on the head, alone or against another.

    Examples
    --------
    >>> [is_electrode(name) for name in ("Fp1", "FP1-F7", "Fc5.", "A12", "EEG 012", "AFF5h")]
    [True, True, True, True, True, True]
    >>> [is_electrode(name) for name in ("COUNTER", "O2 Sat", "X1", "Ch 1", "E1-M2", "SpO2")]
    [False, False, False, False, False, False]
    """
    if is_no_signal(name) or _AASM_EOG.fullmatch(name.strip()):
        return False
    first = re.split(r"[-\u2013:/]", name.strip())[0].strip(" .")
    return _ELECTRODE.fullmatch(first.removeprefix("EEG.")) is not None


def is_no_signal_stream(text: str) -> bool:
    """Whether a stream's type or name is of what is no signal here.

    Examples
    --------
    >>> is_no_signal_stream("EEG quality"), is_no_signal_stream("TimeSeriesRaw"), is_no_signal_stream("EEG")
    (True, False, False)
    """
    return not (NO_SIGNAL - OF_STREAMS).isdisjoint(words_of(text))


def modality_of(text: str) -> str | None:
    """Return the modality that a word of a stream's type or name means, without regard to case.

    Examples
    --------
    >>> modality_of("GSR (left hand)"), modality_of("Markers"), modality_of("EEG quality")
    ('eda', None, None)
    """
    if is_no_signal_stream(text):
        return None
    return next((WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS), None)


def modality_of_channel(name: str) -> str | None:
    """Return the modality that a channel's own name means; one of an electrode is EEG.

    A word for another sensor comes before ``eeg``: some files put that before every name.

    Examples
    --------
    >>> modality_of_channel("EEG ECG"), modality_of_channel("Fp1-A2"), modality_of_channel("E1-M2")
    ('ecg', 'eeg', 'eog')
    >>> modality_of_channel("EEG.Battery"), modality_of_channel("Right AUX"), modality_of_channel("photo")
    (None, None, None)
    """
    if is_no_signal(name):
        return None
    if _AASM_EOG.fullmatch(name.strip()):
        return "eog"
    found = [WORDS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in WORDS]
    other = next((modality for modality in found if modality != "eeg"), None)
    return other or ("eeg" if found or is_electrode(name) else None)


def is_any_input(name: str) -> bool:
    """Whether a channel is an input into which anything may have been plugged, and no word says what.

    Examples
    --------
    >>> is_any_input("EXG1"), is_any_input("EXG ECG"), is_any_input("Right AUX")
    (True, False, True)
    """
    return modality_of_channel(name) is None and not ANY_INPUT.isdisjoint(words_of(name))


def rows_by_modality(
    channel_types: Sequence[str], stream_type: str, name: str, labels: Sequence[str] = ()
) -> dict[str, list[int]]:
    """Return which channels of a stream are which modality; empty where no word is known.

    The types of the channels decide, then the stream's type, then a word of its name. A channel whose label
    is of no signal is left out; one that calls itself another sensor than EEG is that.

    Parameters
    ----------
    channel_types : sequence of str
        One a channel, empty where nothing is said.
    stream_type, name : str
        Of the stream.
    labels : sequence of str
        One a channel, empty where nothing is said; none at all if they are not known.

    Examples
    --------
    >>> rows_by_modality(["ECG", "EDA", "EDA"], "Physiology", "Opensignals")
    {'ecg': [0], 'eda': [1, 2]}
    >>> rows_by_modality(["", ""], "EEG", "Cap")
    {'eeg': [0, 1]}
    >>> rows_by_modality(["EEG"] * 4, "EEG", "Headset", ["Counter", "AF3", "Right AUX", "ECG"])
    {'eeg': [1], 'ecg': [3]}
    """
    if is_no_signal_stream(stream_type):
        return {}
    said = [modality_of(kind) for kind in channel_types]
    if not any(said):
        whole = modality_of(stream_type) or modality_of(name)
        said = [None if is_no_signal(kind) else whole for kind in channel_types]
    rows: dict[str, list[int]] = {}
    for row, (modality, label) in enumerate(zip(said, labels or [""] * len(said), strict=True)):
        if modality is None or is_no_signal(label) or is_any_input(label):
            continue
        own = modality_of_channel(label) if modality == "eeg" else None
        rows.setdefault(own or modality, []).append(row)
    return rows
