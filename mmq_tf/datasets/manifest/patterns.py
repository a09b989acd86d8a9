# SPDX-License-Identifier: Apache-2.0
"""From the names of files to a path pattern: which part says the person, the session, the sensor."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SENSOR_WORDS = {
    "eeg": ("eeg",),
    "eog": ("eog", "heog", "veog"),
    "emg": ("emg",),
    "ecg": ("ecg", "ekg"),
    "ppg": ("ppg", "bvp", "pleth", "plethysmograph", "pulse"),
    "eda": ("eda", "gsr", "scl", "electrodermal", "conductance"),
    "resp": ("resp", "rsp", "respiration", "breath", "breathing"),
    "temp": ("temp", "temperature", "skt"),
    "acc": ("acc", "accel", "accelerometer", "acceleration"),
}
"""Words that name a modality in a file's or a column's name."""

_MARKS = re.compile(r"([/_\-. ]+)")


def sensor_of(text: str) -> str | None:
    """Modality that a name speaks of, or None.

    Examples
    --------
    >>> sensor_of("wrist_BVP"), sensor_of("ecg1"), sensor_of("x")
    ('ppg', 'ecg', None)
    """
    words = re.findall(r"[a-z]+", text.lower())
    return next((name for name, known in SENSOR_WORDS.items() if any(word in known for word in words)), None)


@dataclass(frozen=True)
class Pattern:
    """A path with placeholders and the files it was seen in; `doubt` says what could not be told."""

    path: str
    files: tuple[str, ...]
    sensor: str | None = None
    doubt: str = ""


def find_patterns(paths: Sequence[str]) -> list[Pattern]:
    """Find patterns that together mean all the paths.

    Parameters
    ----------
    paths : sequence of str
        Relative, with ``/``.

    Returns
    -------
    list of Pattern
        Names are split at ``/ _ - .`` and spaces. Files whose names have the same parts belong together, but
        for a part that names sensors. The first part that differs is the person, a second one the session.

    Examples
    --------
    >>> [p.path for p in find_patterns(["P01_eda.csv", "P02_eda.csv", "P01_bvp.csv", "P02_bvp.csv"])]
    ['{subject}_bvp.csv', '{subject}_eda.csv']
    >>> [p.path for p in find_patterns(["sub-1/ses-a/eeg.edf", "sub-1/ses-b/eeg.edf", "sub-2/ses-a/eeg.edf"])]
    ['sub-{subject}/ses-{session}/eeg.edf']
    """
    groups: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for path in sorted(paths):
        pieces = _MARKS.split(path)
        words = pieces[::2]
        sensors = tuple(word.lower() for word in words if sensor_of(word) is not None)
        ending = words[-1].lower() if "." in pieces[-2:-1] else ""
        groups[(*pieces[1::2], ending, *sensors)].append(pieces)
    return sorted((_pattern(group) for group in groups.values()), key=lambda pattern: pattern.path)


def _pattern(group: list[list[str]]) -> Pattern:
    columns = list(zip(*group, strict=True))
    varying = [at for at, column in enumerate(columns) if len(set(column)) > 1]
    doubt = ""
    if not varying:
        varying = [len(columns) - (3 if columns[-2:-1] == [(".",)] else 1)]
        doubt = "there is only one, so which part of its name is the person could not be told"
    roles: dict[tuple[str, ...], list[int]] = {}
    for at in varying:
        roles.setdefault(columns[at], []).append(at)
    pairs = set(zip(*list(roles)[:2], strict=False)) if len(roles) > 1 else set()
    if len(roles) > 2:
        doubt = "more than two parts of the names differ; only the first two became placeholders"
    elif pairs and all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1)):
        doubt = "two parts of the names differ together; which of them is the person could not be told"
    pieces = list(group[0])
    for name, places in zip(("{subject}", "{session}"), roles.values(), strict=False):
        for at in places:
            pieces[at] = name
    sensor = next((found for word in group[0][::2] if (found := sensor_of(word))), None)
    return Pattern("".join(pieces), tuple("".join(one) for one in group), sensor, doubt)
