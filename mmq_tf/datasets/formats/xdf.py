# SPDX-License-Identifier: Apache-2.0
"""XDF files, as LabRecorder writes them from LabStreamingLayer, through pyxdf.

**Which stream is which modality**, the first that applies, without regard to case:

1. `modalities`, by the stream's name, source id, ``name/type`` or ``name@host``: ``{"OpenSignals": "ecg",
   "Tobii": None}`` (None leaves it out);
2. the type of each channel (``desc/channels/channel/type``): one stream may give several modalities;
3. the stream's type;
4. a word of the stream's name.

Words known are those of `mmq_bridge.front_end.modality_aliases`; counters, time stamps, contact quality and
the like are left out by their labels, whatever their type. Two streams of one modality are refused
until one is named in `modalities`, unless they describe the same sensor and one begins after the other has
ended: a device that was lost and came back. A stream that means nothing here is left out with a warning.

**Time.** pyxdf brings all streams to the recorder's clock and evens out the jitter of their stamps, between
breaks of over 0.25 s or 1.5 samples. Then each stream is put on a grid at its nominal rate by the nearest
sample; a gap is NaN. A stream whose stamps make another rate than it says is refused.

**Trials.** A marker (a stream of text, or of numbers without a rate) is the class of the time until the next
marker, the last one until the end. Where markers come as ``rest start`` and ``rest stop`` (or ``begin`` and
``end``), only the time between such a pair counts. An empty marker ends a class and begins none.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from mmq_bridge.front_end.modality_aliases import rows_by_modality
from mmq_bridge.front_end.units import UNITS, front_end_unit, unit_factor
from mmq_bridge.sources.stream_names import telling_keys
from mmq_bridge.sources.timeline import BREAK_S, RATE_TOLERANCE

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.files.xdf_chunks import STRINGS, XdfChannel, XdfStream, check_xdf, whole_chunks
from mmq_tf.datasets.formats.markers import WantedTrials, trials_of_markers
from mmq_tf.datasets.formats.mne_channels import DESCRIBE, IGNORE
from mmq_tf.datasets.formats.resample_to_grid import MAX_GAP_PERIODS, nearest_samples, take_samples
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

logger = logging.getLogger(__name__)


def load_xdf(
    path: Path | str,
    modalities: Mapping[str, str | None] | None = None,
    markers: str | None = None,
    task: str = "condition",
    trials: WantedTrials = "shown",
    repair: bool = False,
) -> Recording:
    """Read a recording of LabStreamingLayer.

    Parameters
    ----------
    path : path
        An ``.xdf`` file.
    modalities : dict of str to str or None, optional
        Modality by stream, where the rules above do not find the right one. A stream is called by its name,
        its source id, ``name/type``, ``name@host``, or its number in the file, ``#2``.
    markers : str, optional
        The marker stream that holds the conditions, called so too.
    task : str
        Name of the task whose classes the markers are.
    trials : str
        ``"needed"``: refuse a file of which it is not clear which stream holds them. ``"shown"``: then there
        are none, with a warning. ``"none"``: there are none.
    repair : bool
        Leave out a last chunk that was cut, and say so in a warning.

    Returns
    -------
    Recording
        Subject is the file's name; t = 0 is the first sample of any stream used.

    Raises
    ------
    MMQError
        If the file is broken, no stream is a modality, two are the same, a unit cannot be brought to the
        front end's, or it is needed and not clear which stream holds the markers.
    """
    path = Path(path)
    streams, whole = whole_chunks(path, repair=repair)
    chosen = _chosen(path, streams, dict(modalities or {}))
    marking = [] if trials == "none" else _marker_streams(path, streams, markers, trials)
    wanted = {stream.number for own, _, _ in chosen for stream in own} | {one.number for one in marking}
    content = _read(path, sorted(wanted), whole)
    joined = {modality: _joined(path, modality, own, content) for own, modality, _ in chosen}
    start_s = min(times.min() for times, _ in joined.values())
    signals = {}
    for own, modality, rows in chosen:
        times, series = joined[modality]
        signals[modality] = _signal(path, own[0], modality, rows, times - start_s, series)
    stop_s = max(signal.stop_s for signal in signals.values())
    told: tuple[Trial, ...] = ()
    marks = [content[one.number] for one in marking if len(content[one.number][0])]
    if marks:
        times = np.concatenate([times for times, _ in marks])
        words = [str(row[0]).strip() for _, series in marks for row in series]
        told = trials_of_markers(times - start_s, words, task, stop_s)
    return Recording(path.stem, "1", signals, told, source="xdf", digest=source_digest("xdf 1", [path]))


def marker_names(path: Path) -> list[str]:
    """Names by which to choose among the marker streams of a file; empty where there is no choice.

    Raises
    ------
    MMQError
        If the file is broken.
    """
    found = _by_name(_with_markers(check_xdf(path)))
    return _told_apart([own[0] for own in found]) if len(found) > 1 else []


_Chosen = tuple[list[XdfStream], str, list[int]]
"""Streams of one sensor (several if it was lost and came back), its modality, the rows of its channels."""


def _chosen(path: Path, streams: list[XdfStream], modalities: dict[str, str | None]) -> list[_Chosen]:
    """Return streams, modality and the rows of their channels, for every modality found."""
    known = {key for stream in streams for key in stream.keys}
    for name, modality in modalities.items():
        if name not in known or (modality is not None and modality not in MODALITIES):
            names = ", ".join(_told_apart(streams))
            raise MMQError(
                f"{path}: modalities must map names of streams ({names}) to {', '.join(MODALITIES)} or"
                f" {IGNORE!r}; got {name!r}: {modality!r}."
            )
    chosen: dict[str, _Chosen] = {}
    for stream in streams:
        if stream.format == STRINGS or not stream.samples:
            continue
        rows = _rows_by_modality(stream, modalities)
        if not stream.rate_hz:
            if rows:
                logger.warning("%s: stream %s is left out, it has no rate", path, stream.name)
            continue
        if not rows and not any(key in modalities for key in stream.keys):
            logger.warning("%s: stream %s (%s) is left out, no modality", path, stream.name, stream.type)
        used = {row for numbers in rows.values() for row in numbers}
        left = [channel.label for row, channel in enumerate(stream.channels) if row not in used]
        if rows and left:
            names = ", ".join(label or "?" for label in left)
            logger.warning("%s: channels %s of stream %s are left out, no modality", path, names, stream.name)
        for modality, numbers in rows.items():
            own, _, before = chosen.setdefault(modality, ([], modality, numbers))
            if own and not (own[0].looks_like(stream) and before == numbers):
                raise _two_of_one(path, modality, [own[0], stream])
            own.append(stream)
    if not chosen:
        found = ", ".join(f"{stream.name} ({stream.type})" for stream in streams)
        raise MMQError(f"{path}: expected a stream of {', '.join(MODALITIES)} with samples; got {found}.")
    return list(chosen.values())


def _told_apart(streams: Sequence[XdfStream]) -> list[str]:
    return telling_keys([stream.keys for stream in streams]) or [stream.keys[-1] for stream in streams]


def _two_of_one(path: Path, modality: str, streams: Sequence[XdfStream]) -> MMQError:
    one, other = _told_apart(streams)
    return MMQError(
        f"{path}: streams {one!r} and {other!r} both give {modality}; write modalities = {{ {other!r} ="
        f' "{IGNORE}" }} for the one that does not count {DESCRIBE}.'
    )


def _joined(
    path: Path, modality: str, streams: Sequence[XdfStream], content: Mapping[int, tuple[np.ndarray, Any]]
) -> tuple[np.ndarray, Any]:
    """Return times and values of one sensor; one stream after the other where it was lost and came back."""
    if len(streams) == 1:
        return content[streams[0].number]
    parts = sorted(streams, key=lambda stream: content[stream.number][0].min())
    for before, after in zip(parts, parts[1:], strict=False):
        if content[after.number][0].min() <= content[before.number][0].max():
            raise _two_of_one(path, modality, [before, after])
    names = ", ".join(_told_apart(parts))
    logger.warning("%s: streams %s are joined as one sensor that came back (%s)", path, names, modality)
    times, series = zip(*(content[stream.number] for stream in parts), strict=True)
    return np.concatenate(times), np.concatenate(series)


def _rows_by_modality(stream: XdfStream, modalities: dict[str, str | None]) -> dict[str, list[int]]:
    key = next((key for key in reversed(stream.keys) if key in modalities), None)
    if key is not None:
        modality = modalities[key]
        return {modality: list(range(len(stream.channels)))} if modality else {}
    return rows_by_modality(
        [channel.type for channel in stream.channels],
        stream.type,
        stream.name,
        [channel.label for channel in stream.channels],
    )


def _with_markers(streams: Sequence[XdfStream]) -> list[XdfStream]:
    marking = [stream for stream in streams if stream.format == STRINGS or not stream.rate_hz]
    return [s for s in marking if s.samples and (s.format == STRINGS or "marker" in s.type.lower())]


def _by_name(streams: Sequence[XdfStream]) -> list[list[XdfStream]]:
    """Marker streams of one name and type together: a program that was started again resumes them."""
    found: dict[tuple[str, str], list[XdfStream]] = {}
    for stream in streams:
        found.setdefault((stream.name, stream.type), []).append(stream)
    return list(found.values())


def _marker_streams(
    path: Path, streams: list[XdfStream], name: str | None, trials: WantedTrials
) -> list[XdfStream]:
    if name is not None:
        marking = [stream for stream in streams if stream.format == STRINGS or not stream.rate_hz]
        found = [stream for stream in marking if name in stream.keys]
        if not found:
            there = ", ".join(_told_apart(marking)) or "none"
            raise MMQError(f"{path}: expected one marker stream called {name!r}; there are {there}.")
        return found
    found = _by_name(_with_markers(streams))
    if len(found) < 2:
        return found[0] if found else []
    names = ", ".join(_told_apart([own[0] for own in found]))
    said = f"several streams hold markers: {names}; say which with `markers` {DESCRIBE}"
    if trials == "needed":
        raise MMQError(f"{path}: {said}.")
    logger.warning("%s: no trials are taken, %s", path, said)
    return []


def _read(
    path: Path, numbers: list[int], whole: int
) -> dict[int, tuple[np.ndarray, np.ndarray | list[list[str]]]]:
    """Return times ``[n]`` and values ``[n, channels]`` of the streams of these numbers."""
    import pyxdf

    try:
        with _quiet(path, pyxdf.pyxdf.logger), _beginning(path, whole) as file:
            streams, _ = pyxdf.load_xdf(
                file,
                select_streams=numbers,
                jitter_break_threshold_seconds=BREAK_S,  # type: ignore[arg-type]  # the longer one counts
                jitter_break_threshold_samples=MAX_GAP_PERIODS,  # type: ignore[arg-type]
            )
    except MMQError:
        raise
    except Exception as error:  # whatever pyxdf stumbles over is a broken file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise MMQError(f"{path}: pyxdf cannot read this file ({reason}).") from error
    return {stream["info"]["stream_id"]: (stream["time_stamps"], stream["time_series"]) for stream in streams}


def _beginning(path: Path, size: int) -> IO[bytes]:
    """Open a file, or the first bytes of one that was cut."""
    if path.stat().st_size == size:
        return path.open("rb")
    with path.open("rb") as file:
        return io.BytesIO(file.read(size))


@contextmanager
def _quiet(path: Path, noisy: logging.Logger) -> Iterator[None]:
    """Keep pyxdf's log and its arithmetic to itself; what it logs as an error is one."""
    errors: list[str] = []

    def swallow(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    noisy.addFilter(swallow)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        noisy.removeFilter(swallow)
    if errors:
        raise MMQError(f"{path}: the file is broken ({' '.join(errors[0].split())[:120]}).")


def _signal(
    path: Path, stream: XdfStream, modality: str, rows: list[int], time_s: np.ndarray, series: object
) -> Signal:
    where = f"{path}: stream {stream.name}"
    _check_rate(where, stream, time_s)
    nearest = nearest_samples(where, time_s, stream.rate_hz, float(time_s[0]), len(rows))
    channels = [stream.channels[row] for row in rows]
    scales, unit = _scales(where, modality, channels)
    series = np.asarray(series)
    samples = np.empty((len(rows), len(nearest)), np.float32)
    for placed, row, scale in zip(samples, rows, scales, strict=True):  # one at a time: less memory
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is found when samples are taken
            scaled = series[:, row] * scale
        placed[:] = take_samples(where, scaled, nearest)
    labels = tuple(channel.label for channel in channels)
    if not all(labels) or len(set(labels)) != len(labels):
        labels = tuple(f"{modality}{number}" for number in range(1, len(rows) + 1))
    return Signal(modality, samples, stream.rate_hz, unit, labels, float(time_s[0]))


def _check_rate(where: str, stream: XdfStream, time_s: np.ndarray) -> None:
    steps = np.diff(time_s)
    steps = steps[(steps > 0) & (steps < max(BREAK_S, MAX_GAP_PERIODS / stream.rate_hz))]
    if steps.size and abs(1 / (steps.mean() * stream.rate_hz) - 1) > RATE_TOLERANCE:
        raise MMQError(
            f"{where} says {stream.rate_hz:g} Hz, but its time stamps make {1 / steps.mean():g} Hz; correct"
            " nominal_srate, or resample it."
        )


def _scales(where: str, modality: str, channels: list[XdfChannel]) -> tuple[list[float], str]:
    """Return what brings each channel to the front end's unit, and that unit.

    Streams that name no unit at all are taken to be in the front end's.
    """
    unit = front_end_unit(modality)
    try:
        scales = [
            unit_factor(modality, UNITS.get(channel.unit.lower(), channel.unit), None)
            if channel.unit
            else 1.0
            for channel in channels
        ]
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise MMQError(f"{where}: {reason}; write {IGNORE!r} for it in `modalities` {DESCRIBE}.") from error
    return scales, unit
