# SPDX-License-Identifier: Apache-2.0
"""Data sets that may be fetched: against pinned digests, continued where a file was cut.

The digest is what is trusted, not the server: what has none is not offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.base import SIMULATED_NAME, is_simulated
from mmq_tf.datasets.fetch.download import Download, OnBytes
from mmq_tf.datasets.fetch.registry import Pin, pins_of
from mmq_tf.errors import MMQError

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class PinnedSource:
    """Where a data set is published.

    Parameters
    ----------
    dataset : str
        Its name.
    base_url : str
        What the files' paths are put behind; ends in ``/``.
    subject : re.Pattern
        Its first group in a file's path is the subject; what it does not match belongs to all.
    licence_text : str
        Where the licence can be read.
    pins : dict of str to Pin
        What is offered, by path.
    """

    dataset: str
    base_url: str
    subject: re.Pattern[str]
    licence_text: str
    pins: Mapping[str, Pin] = field(repr=False)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects offered, sorted."""
        return tuple(sorted({name for path in self.pins if (name := self.subject_of(path))}))

    def subject_of(self, path: str) -> str | None:
        """Return whose file it is; None for one that belongs to all."""
        match = self.subject.match(path)
        return match[1] if match else None

    def files(self, subjects: Iterable[str] | None = None) -> list[str]:
        """Paths of what belongs to all, then of these subjects (None: all that are offered).

        Raises
        ------
        MMQError
            If a subject is not offered.
        """
        wanted = set(self.subjects if subjects is None else subjects)
        unknown = sorted(wanted.difference(self.subjects))
        if unknown:
            raise MMQError(
                f"{self.dataset}: subject {unknown[0]!r} is not offered, only those whose files have a pinned"
                f" digest: {', '.join(self.subjects)}."
            )
        owners = {path: self.subject_of(path) for path in self.pins}
        mine = (path for path, owner in owners.items() if owner is None or owner in wanted)
        return sorted(mine, key=lambda path: (owners[path] or "", path))


_PUBLISHED = {
    # HEAD, whatever its branch is called: a file that changes there is refused by its digest.
    "stress_predict": (
        "https://raw.githubusercontent.com/italha-d/Stress-Predict-Dataset/HEAD/",
        re.compile(r"Raw_data/(S\d+)/"),
        "LICENSE in the folder",
    ),
    "eegmat": (
        "https://physionet.org/files/eegmat/1.0.0/",
        re.compile(r"(Subject\d+)_"),
        "https://opendatacommons.org/licenses/by/1-0/",
    ),
}


def source_of(name: str) -> PinnedSource:
    """Return where the data set `name` is fetched from.

    Raises
    ------
    MMQError
        If there is none of that name, or it cannot be fetched: then where to get it.
    """
    dataset = get_dataset(name)
    if name not in _PUBLISHED:
        raise MMQError(f"{dataset.title} cannot be fetched by this command; get it here: {dataset.obtain}")
    return PinnedSource(name, *_PUBLISHED[name], pins_of(name))


@dataclass(frozen=True)
class Fetched:
    """What became of each file, by path."""

    new: tuple[str, ...]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]


def fetch(
    source: PinnedSource,
    out: Path | str,
    subjects: Iterable[str] | None = None,
    *,
    base_url: str | None = None,
    timeout_s: float = TIMEOUT_S,
    on_file: Callable[[str], None] = lambda path: None,
    on_bytes: OnBytes = lambda done, total: None,
) -> Fetched:
    """Fetch what is not there yet into the published layout.

    Parameters
    ----------
    source : PinnedSource
        What and from where.
    out : path
        Folder; made if absent. A file that is there and right is kept, a wrong one is replaced once the right
        one has come. A file cut short waits as ``.NAME.part`` for the next call.
    subjects : iterable of str, optional
        Only these.
    base_url : str, optional
        A mirror.
    timeout_s : float
        Longest silence of the server.
    on_file : callable
        Called with each file's path when it is begun.
    on_bytes : callable
        Called with the bytes of the current file that have come, and their number where known.

    Raises
    ------
    MMQError
        If a subject is not offered, the folder is a SIMULATED one or cannot be written, the server does not
        send a file, or what it sends is not the pinned file.
    """
    out = Path(out)
    if is_simulated(out):
        raise MMQError(f"{out}: holds {SIMULATED_NAME}; fetch into another folder.")
    base = (base_url or source.base_url).rstrip("/") + "/"
    new, kept, replaced = [], [], []
    for path in source.files(subjects):
        on_file(path)
        pin, target = source.pins[path], out / path
        if target.is_file() and pin.matches(target):
            kept.append(path)
            continue
        was_there = target.exists()
        _fetch_file(base + path, target, pin, timeout_s, on_bytes)
        (replaced if was_there else new).append(path)
    return Fetched(tuple(new), tuple(kept), tuple(replaced))


def _fetch_file(url: str, target: Path, pin: Pin, timeout_s: float, on_bytes: OnBytes) -> None:
    """Fetch one file; a second time, from its beginning, where a continued one came out wrong."""
    import requests

    download = Download(target, timeout_s, on_bytes)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        right = _came_right(url, target, pin, download)
        if not right and download.continued:
            right = _came_right(url, target, pin, download)
    except requests.HTTPError as error:
        answer = str(error).split(" for url")[0]  # "404 Client Error: Not Found"
        raise MMQError(f"{url}: the server answered {answer}; try again later, or another --url.") from error
    except requests.RequestException as error:
        raise MMQError(
            f"{url}: the connection failed ({type(error).__name__}) after {download.received} bytes; the same"
            " command goes on from there."
        ) from error
    except OSError as error:
        raise MMQError(
            f"{target}: could not be written ({error.strerror or error}); once that is mended, the same"
            " command goes on."
        ) from error
    if not right:
        raise MMQError(
            f"{url}: expected the file with SHA-256 {pin.sha256}; another one came and was removed: try again"
            " later, or another --url."
        )


def _came_right(url: str, target: Path, pin: Pin, download: Download) -> bool:
    """Receive what is not there yet; give the file its name once it is the pinned one, else remove it."""
    if not (download.received and pin.matches(download.part)):  # all of it may have come already
        download(url)
        if not pin.matches(download.part):
            download.part.unlink()
            return False
    download.part.replace(target)
    return True
