# SPDX-License-Identifier: Apache-2.0
"""From the names of files to a path pattern: which part says the person, the session, the sensor."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmq_bridge.front_end.modality_aliases import WORDS, is_no_signal

from mmq_tf.datasets.manifest.paths import placeholders_in
from mmq_tf.datasets.manifest.people import kind_of_names

OFFERED = {
    **dict.fromkeys(("pulse",), "ppg"),
    **dict.fromkeys(("scl", "conductance"), "eda"),
    "breath": "resp",
    "accel": "acc",
}
"""More words of files' and columns' names, which are only an offer that the user reads."""

PERSON_WORDS = ("sub", "subj", "subject", "participant", "person", "patient", "proband")
SESSION_WORDS = ("ses", "sess", "session", "visit", "day", "night")
"""Words in front of a part of a name that say what it is, as BIDS has it."""

MAX_CHOICES = 4
_SHOWN = 3
_MARKS = re.compile(r"([/_\-. ]+)")


def sensor_of(text: str) -> str | None:
    """Modality that a name speaks of, or None.

    Examples
    --------
    >>> sensor_of("wrist_BVP"), sensor_of("ecg1"), sensor_of("x")
    ('ppg', 'ecg', None)
    """
    if is_no_signal(text):
        return None
    words = re.findall(r"[a-z]+", text.lower())
    return next((found for word in words if (found := {**WORDS, **OFFERED}.get(word))), None)


@dataclass(frozen=True)
class Choice:
    """A pattern that may be meant, and whom it would make people."""

    path: str
    people: tuple[str, ...]
    kind: str = ""

    @property
    def note(self) -> str:
        """How many people it makes, for a comment."""
        shown = ", ".join(self.people[:_SHOWN]) + (", ..." if len(self.people) > _SHOWN else "")
        one = "1 person" if len(self.people) == 1 else f"{len(self.people)} people"
        return f"{one}: {shown}" + (f" (these look like {self.kind})" if self.kind else "")


@dataclass(frozen=True)
class Pattern:
    """A path with placeholders and the files it was seen in; `doubt` says what could not be told.

    Where the names do not say which of their parts is the person, `path` is empty and `choices` are what may
    be meant.
    """

    path: str
    files: tuple[str, ...]
    sensor: str | None = None
    doubt: str = ""
    choices: tuple[Choice, ...] = ()

    @property
    def has_sessions(self) -> bool:
        """Whether its paths may tell sessions apart."""
        return any("{session}" in path for path in (self.path, *(one.path for one in self.choices)))


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
        for a part that names sensors. A part that differs alone is the person, unless it is a date, a serial
        number or a condition. Of several the one after a word of `PERSON_WORDS` is; without such a word
        nobody can know, and all that may be meant are choices.

    Examples
    --------
    >>> [p.path for p in find_patterns(["P01_eda.csv", "P02_eda.csv", "P01_bvp.csv", "P02_bvp.csv"])]
    ['{subject}_bvp.csv', '{subject}_eda.csv']
    >>> [p.path for p in find_patterns(["sub-1/ses-a/eeg.edf", "sub-1/ses-b/eeg.edf", "sub-2/ses-a/eeg.edf"])]
    ['sub-{subject}/ses-{session}/eeg.edf']
    >>> (asked,) = find_patterns(["rest_P01.edf", "rest_P02.edf", "task_P01.edf"])
    >>> [one.path for one in asked.choices]
    ['{session}_{subject}.edf', '{condition}_{subject}.edf', '{subject}_{session}.edf']
    """
    groups: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for path in sorted(paths):
        pieces = _MARKS.split(path)
        words = pieces[::2]
        sensors = tuple(word.lower() for word in words if sensor_of(word) is not None)
        ending = words[-1].lower() if "." in pieces[-2:-1] else ""
        groups[(*pieces[1::2], ending, *sensors)].append(pieces)
    found = (_pattern(group) for group in groups.values())
    return sorted(found, key=lambda pattern: (pattern.path, pattern.files))


def _pattern(group: list[list[str]]) -> Pattern:
    files = tuple("".join(one) for one in group)
    sensor = next((found for word in group[0][::2] if (found := sensor_of(word))), None)
    columns = list(zip(*group, strict=True))
    roles: dict[tuple[str, ...], list[int]] = {}
    for at in (at for at, column in enumerate(columns) if len(set(column)) > 1):
        roles.setdefault(columns[at], []).append(at)
    if not roles:
        at = len(columns) - (3 if columns[-2:-1] == [(".",)] else 1)
        path = _with_roles(group[0], {"{subject}": [at]})
        doubt = "there is only one, so which part of its name is the person could not be told"
        return Pattern(path, files, sensor, doubt)
    told = _told(group[0], roles)
    if told:
        return Pattern(_with_roles(group[0], told), files, sensor)
    choices = [one for values, places in roles.items() if (one := _choice(group, roles, values, places))]
    choices += _of_conditions(choices, roles)
    choices.sort(key=lambda one: ("", "serial numbers", "conditions", "dates").index(one.kind))
    if len(roles) == 1 and choices and not choices[0].kind:
        return Pattern(choices[0].path, files, sensor)
    doubt = "which part of the names is the person could not be told"
    if not choices:
        doubt = "no pattern means these names; put the files into one folder a person"
    return Pattern("", files, sensor, doubt, tuple(choices[:MAX_CHOICES]))


def _with_roles(pieces: Sequence[str], roles: Mapping[str, Sequence[int]]) -> str:
    found = list(pieces)
    for name, places in roles.items():
        for at in places:
            found[at] = name
    return "".join(found)


def _told(pieces: Sequence[str], roles: Mapping[tuple[str, ...], Sequence[int]]) -> dict[str, list[int]]:
    """Places of the person and the session, where words in front of them say so; else nothing."""
    told: dict[str, list[int]] = {}
    for places in roles.values():
        words = {pieces[at - 2].lower() for at in places if at >= 2}
        for name, known in (("{subject}", PERSON_WORDS), ("{session}", SESSION_WORDS)):
            if words & set(known):
                told.setdefault(name, []).extend(places)
    complete = "{subject}" in told and sum(map(len, told.values())) == sum(map(len, roles.values()))
    return told if complete and len(told) == len(roles) else {}


def _of_conditions(choices: Sequence[Choice], roles: Mapping[tuple[str, ...], Sequence[int]]) -> list[Choice]:
    """Offer what looks like a session as a condition where its names are those of conditions."""
    if len(roles) != 2:
        return []
    conditions = [values for values in roles if kind_of_names(set(values)) == "conditions"]
    return [
        Choice(one.path.replace("{session}", "{condition}"), one.people, one.kind)
        for one in choices
        if conditions and one.kind != "conditions"
    ]


def _choice(
    group: list[list[str]],
    roles: Mapping[tuple[str, ...], Sequence[int]],
    values: tuple[str, ...],
    places: Sequence[int],
) -> Choice | None:
    """Pattern with one part as the person and all others as the session, if the names are read so by it."""
    others = sorted(at for other, its in roles.items() if other != values for at in its)
    pieces = list(group[0])
    if others and len(roles) == 2:
        pieces = _MARKS.split(_with_roles(pieces, {"{session}": others}))
    elif others:  # several parts together are the session
        pieces[others[0] : others[-1] + 1] = ["{session}", *[""] * (others[-1] - others[0])]
    path = _with_roles(pieces, {"{subject}": places})
    for one, person in zip(group, values, strict=True):
        found = placeholders_in(path, "".join(one))
        if found is None or found["subject"] != person:
            return None
    people = tuple(dict.fromkeys(values))
    return Choice(path, people, kind_of_names(people))
