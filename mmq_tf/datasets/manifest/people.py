# SPDX-License-Identifier: Apache-2.0
"""Whether the names that stand for people can be people's: dates, devices and conditions are none."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmq_tf.datasets.formats.digests import file_digest

CONDITION_WORDS = frozenset((
    "baseline", "rest", "resting", "relax", "relaxed", "neutral", "control", "calm", "stress", "stressed",
    "stroop", "tsst", "task", "load", "cognitive", "arithmetic", "amusement", "meditation", "recovery",
    "survey", "pre", "post", "before", "after", "morning", "evening", "easy", "medium", "hard", "low", "high",
    "walk", "walking", "sit", "sitting", "stand", "standing", "eyes", "open", "closed", "eo", "ec",
))  # fmt: skip
"""Words for what was done, in small letters: names made of them alone are not people's."""

_DATE = re.compile(
    r"(19|20)\d\d[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])([T_ .-]?\d{2}[-_.]?\d{2}([-_.]?\d{2})?)?Z?"
)
_UNIX = re.compile(r"1\d{9}|1\d{12}")
_SERIAL = re.compile(r"[A-Z]{1,2}\d{5,}|\d{6,}|(?=\w*\d)(?=\w*[A-Fa-f])[0-9A-Fa-f]{6,}|(\w\w[:-]){5}\w\w")
_PARTS = re.compile(r"[\s_.-]+")
_SHOWN = 4


def kind_of_names(names: Iterable[str]) -> str:
    """Say what names are that are not people's: dates, serial numbers or conditions; empty where they may be.

    Examples
    --------
    >>> kind_of_names(["20240501", "20240502"]), kind_of_names(["1529850000"]), kind_of_names(["A00204"])
    ('dates', 'dates', 'serial numbers')
    >>> kind_of_names(["rest", "stroop_2"]), kind_of_names(["P01", "P02"]), kind_of_names(["01", "2"])
    ('conditions', '', '')
    """
    found = list(names)
    if not found:
        return ""
    if all(_DATE.fullmatch(name) or _UNIX.fullmatch(name) for name in found):
        return "dates"
    if all(_SERIAL.fullmatch(name) for name in found):
        return "serial numbers"
    if all(_is_condition(name) for name in found):
        return "conditions"
    return ""


def _is_condition(name: str) -> bool:
    words = re.findall(r"[a-z]+", name.lower())
    return bool(words) and all(word in CONDITION_WORDS for word in words)


def doubts(names: Sequence[str], classes: Iterable[str] = ()) -> list[str]:
    """Say why the people of a data set may not be what its names tell.

    Parameters
    ----------
    names : sequence of str
        ``subject`` or ``subject/session``, one a recording.
    classes : iterable of str
        Names of classes and of the values that mean them.

    Returns
    -------
    list of str
        A sentence each.
    """
    people = list(dict.fromkeys(name.partition("/")[0] for name in names))
    said = []
    if len(names) > 1 and len(people) == len(names):
        said.append(
            f"each of the {len(names)} recordings counts as another person; if anybody was recorded twice,"
            " that person would be on both sides of a split: say who with {subject}, and which time with"
            " {session}."
        )
    if kind := kind_of_names(people):
        said.append(f"the subjects look like {kind} ({_some(people)}), not like people.")
    known = {word.casefold() for word in classes}
    named = [name for name in people if name.casefold() in known]
    if named and kind != "conditions":
        said.append(f"the subjects {_some(named)} have the names of classes.")
    for part, who in ({} if kind else _shared_parts(people)).items():
        said.append(
            f"the subjects {_some(who)} share {part!r}; if they are one person, that person would be on both"
            " sides of a split."
        )
    return said


def _shared_parts(people: Sequence[str]) -> dict[str, list[str]]:
    """Names that share one of several parts, as ``P01_1`` and ``P01_2`` do, by the first that is shared."""
    split = [_PARTS.split(name) for name in people]
    if len({len(parts) for parts in split}) != 1 or len(split[0]) < 2:
        return {}
    for at in range(len(split[0])):
        groups: dict[str, list[str]] = defaultdict(list)
        for name, parts in zip(people, split, strict=True):
            groups[parts[at]].append(name)
        tells = len(groups) > 1 or any(letter.isdigit() for letter in next(iter(groups)))
        shared = {part: who for part, who in groups.items() if len(who) > 1}
        if tells and shared and not kind_of_names(groups):
            return dict(list(shared.items())[:_SHOWN])
    return {}


def same_files(files: Mapping[str, Sequence[Path]]) -> list[str]:
    """Name recordings of different people that lie in the same bytes.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        By recording; a file that belongs to several is no copy.

    Returns
    -------
    list of str
        A sentence each.
    """
    sizes: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    uses = Counter(path for paths in files.values() for path in set(paths))
    for name, path in ((name, path) for name, paths in files.items() for path in paths):
        if uses[path] == 1 and path.is_file() and path.stat().st_size:
            sizes[path.stat().st_size].append((name.partition("/")[0], path))
    said = []
    for alike in sizes.values():
        digests: dict[str, list[tuple[str, Path]]] = defaultdict(list)
        for person, path in alike if len({person for person, _ in alike}) > 1 else ():
            digests[file_digest(path)].append((person, path))
        for copies in digests.values():
            people = list(dict.fromkeys(person for person, _ in copies))
            if len(people) > 1:
                said.append(
                    f"{copies[0][1].name} of the subjects {_some(people)} is the same file; if they are one"
                    " person, that person would be on both sides of a split."
                )
    return said


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
