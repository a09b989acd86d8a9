# SPDX-License-Identifier: Apache-2.0
"""From path patterns with ``{subject}`` and ``{session}`` to whose file is where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mmq_bridge.recordings.recording import readable_name

from mmq_tf.errors import MMQError

Key = tuple[str, str]
"""Subject and session; the session is ``"1"`` where the pattern has none."""

ONLY_SESSION = "1"


def find_files(folder: Path, pattern: str) -> dict[Key, Path]:
    """Find every file or folder that a pattern means.

    Parameters
    ----------
    folder : Path
        Where the pattern begins.
    pattern : str
        As `mmq_tf.datasets.manifest.schema.checked_pattern` allows: parts between ``/``, in which a
        placeholder stands for any characters but ``/``; hidden files are left alone.

    Returns
    -------
    dict
        Path by subject and session, in order.

    Raises
    ------
    MMQError
        If a link leads out of `folder`, or a folder cannot be read.
    """
    files: dict[Key, Path] = {}
    for path, known in _found(folder, pattern, {}):
        files[known["subject"], known.get("session", ONLY_SESSION)] = path
    return dict(sorted(files.items()))


def find_conditions(folder: Path, pattern: str, key: Key) -> dict[str, Path]:
    """Find the files of one subject and session by the value of ``{condition}``, in its order.

    Raises
    ------
    MMQError
        As `find_files`.
    """
    known = {"subject": key[0], "session": key[1]}
    found = {its["condition"]: path for path, its in _found(folder, pattern, known)}
    return dict(sorted(found.items()))


def _found(folder: Path, pattern: str, known: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    found = [(folder, known)]
    for part in pattern.split("/"):
        found = [match for at, its in found for match in _matches(at, part, its)]
    root = folder.resolve()
    for path, _ in found:
        _check_inside(folder, path, root)
    return found


def placeholders_in(pattern: str, path: str) -> dict[str, str] | None:
    """Values of a pattern's placeholders in a relative path, or None where it does not mean that path.

    Examples
    --------
    >>> placeholders_in("{subject}/{session}.csv", "P01/rest.csv")
    {'subject': 'P01', 'session': 'rest'}
    """
    parts, names = pattern.split("/"), path.split("/")
    known: dict[str, str] = {}
    for part, name in zip(parts, names, strict=False):
        match = re.fullmatch(_expression(part, known), name)
        if match is None:
            return None
        known |= match.groupdict()
    return known if len(parts) == len(names) else None


def fill(folder: Path, pattern: str, key: Key) -> Path:
    """Path that a pattern means for one subject and session.

    Raises
    ------
    MMQError
        If it is a link that leaves the folder.
    """
    path = folder / pattern.replace("{subject}", key[0]).replace("{session}", key[1])
    _check_inside(folder, path, folder.resolve())
    return path


def check_names(folder: Path, keys: Iterable[Key]) -> None:
    """Check that no person has two spellings, who would be on both sides of a split.

    Raises
    ------
    MMQError
        If two subjects, or two sessions of one, differ only in case or spaces, or a name is not in UTF-8.
    """
    spelled: dict[Key, Key] = {}
    for key in keys:
        subject, session = key
        if (name := readable_name("/".join(key))) != "/".join(key):
            raise MMQError(f"{folder}: the name of {name!r} is not in UTF-8; rename its file or folder.")
        plain = (_plain(subject), _plain(session))
        for level in (plain, (plain[0], "")):
            own = key if level[1] else (subject, "")
            if spelled.setdefault(level, own) != own:
                raise MMQError(
                    f"{folder}: {' '.join(spelled[level]).strip()!r} and {' '.join(own).strip()!r} are"
                    " duplicates, one name in two spellings; use one, since subjects must stay apart."
                )


def _check_inside(folder: Path, path: Path, root: Path) -> None:
    try:
        inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError) as error:  # a link to itself
        raise MMQError(f"{path}: is a link that leads nowhere; copy the file into the folder.") from error
    if not inside:
        raise MMQError(f"{path}: is a link that leaves {folder}; copy what it points to into the folder.")


def _plain(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()


def _matches(at: Path, part: str, known: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    if not at.is_dir():
        return []
    if "{" not in part:
        path = at / part
        return [(path, known)] if path.exists() else []
    expression = re.compile(_expression(part, known))
    try:
        names = sorted(path.name for path in at.iterdir())
    except OSError as error:
        raise MMQError(f"{at}: cannot be read ({error.strerror or error}).") from error
    matches = ((at / name, expression.fullmatch(name)) for name in names if not name.startswith("."))
    return [(path, {**known, **match.groupdict()}) for path, match in matches if match]


def _expression(part: str, known: dict[str, str]) -> str:
    """Regular expression of one part of a path; a placeholder with a value already stands for it alone."""
    text, seen = "", set(known)
    for piece in re.split(r"(\{\w+\})", part):
        name = piece[1:-1]
        if not piece.startswith("{"):
            text += re.escape(piece)
        elif name in known:
            text += re.escape(known[name])
        else:
            text += f"(?P={name})" if name in seen else f"(?P<{name}>.+)"
            seen.add(name)
    return text
