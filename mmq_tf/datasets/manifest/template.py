# SPDX-License-Identifier: Apache-2.0
"""A commented ``mmq-tf.toml`` from what was found in a folder; what only the user knows is left open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import tomli_w
from mmq_bridge.front_end.units import front_end_unit, known_units
from mmq_bridge.recordings.recording import readable_name

from mmq_tf.datasets.manifest.guess import Found, FoundFiles, FoundSignal
from mmq_tf.datasets.manifest.schema import TABLES
from mmq_tf.recording import MODALITIES

OPEN = "# choose:"
"""Marks a line that the user has to fill in."""

_HEAD = """\
# What the recordings in this folder are. Lines marked "choose:" are for you; what was found is beside them.
# Check it: mmq-tf datasets check manifest DIR
title = ""        # choose: a name, for reports and model cards
licence = ""      # choose: who may use these recordings, for instance "own recordings, consent for research"
attribution = ""  # choose: whose they are
label_kind = ""   # choose: what a label is, for instance "condition by the protocol" or "self-report"
"""

_TASK_HELP = """\
# The classes in order; `values` says which value in the files means which. For numbers with a limit:
# high_above = 5 with classes = ["low", "high"]. Values that mean no label: ignore = ["0"]. Any other is
# refused."""


def render(found: Found) -> str:
    """Write the template.

    Parameters
    ----------
    found : Found
        What `mmq_tf.datasets.manifest.guess.look_at` saw.

    Returns
    -------
    str
        TOML with comments. It cannot be used before the open lines are filled in.
    """
    twice = _twice(found)
    names = {id(one): name for modality in twice.values() for name, one in modality.items()}
    parts = [_HEAD, *(_files(one, names.get(id(one), "")) for one in found.files), *_sensors(twice)]
    parts.append(_trials(found))
    if found.left_out:
        shown = ", ".join(found.left_out[:8]) + (" ..." if len(found.left_out) > 8 else "")
        parts.insert(1, f"# Not described here: {shown}\n")
    return readable_name("\n".join(parts))


def _twice(found: Found) -> dict[str, dict[str, FoundFiles]]:
    """Kinds of file by name, for each modality that several hold."""
    holders: dict[str, dict[str, FoundFiles]] = {}
    for number, one in enumerate(found.files, 1):
        for modality in one.signals:
            own = holders.setdefault(modality, {})
            words = re.findall(r"[A-Za-z]+", re.sub(r"\{\w+\}|\.\w+$", "", one.pattern.path))
            name = "_".join(words)
            own[name if name and name not in own else f"{name or 'files'}_{number}"] = one
    return {modality: ones for modality, ones in holders.items() if len(ones) > 1}


def _sensors(twice: Mapping[str, Mapping[str, FoundFiles]]) -> list[str]:
    if not twice:
        return []
    lines = [
        "[sensors]",
        "# Several kinds of file hold the same: which is read? Of several, each is a channel.",
    ]
    lines += [
        f'{modality} = ""  {OPEN} one of {", ".join(map(as_toml, ones))}, or {as_toml(ones)} for both'
        for modality, ones in twice.items()
    ]
    return ["\n".join(lines) + "\n"]


def _files(one: FoundFiles, name: str = "") -> str:
    pattern = one.pattern
    count = f"{len(pattern.files)} found, first {pattern.files[0]}"
    if pattern.path:
        lines = ["[[files]]", f"path = {as_toml(pattern.path)}  # {count}"]
        lines += [f"{OPEN} where {{subject}} stands; {pattern.doubt}"] if pattern.doubt else []
    else:
        lines = ["[[files]]", f"{OPEN} which part of the names is the person? {count}."]
        lines += [
            "# Take the # away from one of these lines; where none names the person, put the files into one",
            "# folder a person first. {session} is which of a person's recordings a file is. {condition} is",
            '# what was done in a file that is a part of one: write source = "path" under [trials] then.',
            *(f"# path = {as_toml(one.path)}  # {one.note}" for one in pattern.choices),
        ]
    lines += [f"name = {as_toml(name)}"] if name else []
    lines += [f"format = {as_toml(one.form)}", *(f"# {note}" for note in one.notes)]
    if one.markers:
        names = ", ".join(map(as_toml, one.markers))
        lines.append(f"# markers =   {OPEN[2:]} which stream holds the conditions: {names}")
    if one.form in TABLES:
        lines += _times(one)
    lines += [f"# column without a use here: {name}" for name in one.unused]
    if one.form in TABLES and one.labels:
        lines.append(f"labels = {as_toml(one.labels)}  # {OPEN[2:]} those that say what is to be learned")
    for modality, signal in one.signals.items():
        lines += ["", *_signal(modality, signal)]
    if one.form in TABLES and not one.signals and not one.labels:
        names = ", ".join(MODALITIES)
        lines.append(f"{OPEN} [files.signals.NAME] with columns and unit; NAME is one of {names}")
    return "\n".join(lines) + "\n"


def _times(one: FoundFiles) -> list[str]:
    lines = []
    if one.time is not None:
        column, unit = one.time
        known = "s, ms, us, unix, unix_ms, unix_us, unix_ns or iso"
        lines.append(f"time = {{ column = {as_toml(column)}, unit = {as_toml(unit)} }}  # check: {known}")
    if one.rate_hz is not None:
        lines.append(f"sampling_rate_hz = {one.rate_hz:g}  # as the times say")
    else:
        lines.append(f"# sampling_rate_hz =   {OPEN[2:]} {one.rate_doubt}")
    return lines


def _signal(modality: str, signal: FoundSignal) -> list[str]:
    lines = [f"[files.signals.{modality}]", f"columns = {as_toml(signal.columns)}"]
    seen = f"values from {signal.low:.4g} to {signal.high:.4g}"
    if signal.unit:
        return [*lines, f"unit = {as_toml(signal.unit)}  # {seen}"]
    units = ", ".join(known_units(modality))
    return [
        *lines,
        f'unit = ""  {OPEN} {units}; {seen}',
        f"# factor =   for any other unit: what brings it to {front_end_unit(modality)}",
    ]


def _trials(found: Found) -> str:
    form = found.files[0].form
    who = "subject, session" if found.files[0].pattern.has_sessions else "subject"
    columns = {name: shown for one in found.files for name, shown in one.labels.items()}
    if found.trials is not None:
        path, names = found.trials
        lines = [
            'source = "table"',
            f"path = {as_toml(path)}",
            'time_unit = ""  # choose: s, ms, us, unix, unix_ms, unix_us, unix_ns or iso',
        ]
        columns = {name: "" for name in names if name not in ("subject", "session", "start", "stop")}
    elif form in ("mne", "xdf", "recording") and columns:
        lines = [f"source = {as_toml('recording' if form == 'recording' else 'annotations')}"]
    elif form in TABLES and columns:
        lines = ['source = "column"  # runs of one value in the label columns become trials']
    else:
        lines = [
            'source = "table"',
            f'path = "trials.csv"  # choose: a table with the columns {who}, start, stop and one a task',
            "# An empty stop is the recording's end.",
            'time_unit = "s"      # choose: s from the recording\'s start, or unix, unix_ms, iso, ...',
        ]
        columns = {"label": ""}
    return "\n".join(["[trials]", *lines, "", _TASK_HELP, *_tasks(columns)]) + "\n"


def _tasks(columns: dict[str, str]) -> Iterable[str]:
    for name, shown in columns.items() or {"label": ""}.items():
        if shown:
            yield f"# values of {name}, with how often each comes in the first file: {shown}"
        key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else as_toml(name)
        yield f"[tasks.{key}]  {OPEN} what is learned; remove what is not"
        yield f"column = {as_toml(name)}"
        yield f'classes = []  {OPEN} at least two names, for instance ["rest", "stress"]'
        yield '# values = { "1" = "rest", "2" = "stress" }'
        yield ""


def as_toml(value: str | Iterable[str]) -> str:
    """Write a string, or several on one line, as the value of a template's line with its comment.

    tomli-w writes whole documents, without comments, and an array on several lines.

    Examples
    --------
    >>> as_toml("a.u."), as_toml(["x", "y"])
    ('"a.u."', '["x", "y"]')
    """
    if not isinstance(value, str):
        return f"[{', '.join(map(as_toml, value))}]"
    return tomli_w.dumps({"": value}).removeprefix('"" = ').removesuffix("\n")
