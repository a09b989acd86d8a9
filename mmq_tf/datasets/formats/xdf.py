# SPDX-License-Identifier: Apache-2.0
"""XDF files, as LabRecorder writes them from LabStreamingLayer, through pyxdf.

**Which stream is which modality**, the first that applies, without regard to case:

1. `modalities`, by the stream's name: ``{"OpenSignals": "ecg", "Tobii": None}`` (None leaves it out);
2. the type of each channel (``desc/channels/channel/type``): one stream may give several modalities;
3. the stream's type;
4. a word of the stream's name.

Words known are those of `mmq_bridge.front_end.modality_aliases`; counters, time stamps, contact quality and
the like are left out by their labels, whatever their type. Two streams of one modality are refused
until one is named in `modalities`; a stream that means nothing here is left out with a warning.

**Time.** pyxdf brings all streams to the recorder's clock and evens out the jitter of their stamps, between
breaks of over 0.25 s or 1.5 samples. Then each stream is put on a grid at its nominal rate by the nearest
sample; a gap is NaN. A stream whose stamps make another rate than it says is refused.

**Trials.** A marker (a stream of text, or of numbers without a rate) is the class of the time until the next
marker, the last one until the end. Where markers come as ``rest start`` and ``rest stop`` (or ``begin`` and
``end``), only the time between such a pair counts. An empty marker ends a class and begins none.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.modality_aliases import rows_by_modality
from mmq_bridge.front_end.units import UNITS, front_end_unit, unit_factor
from mmq_bridge.sources.timeline import BREAK_S, RATE_TOLERANCE

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.files.xdf_chunks import STRINGS, XdfChannel, XdfStream, check_xdf
from mmq_tf.datasets.formats.markers import trials_of_markers
from mmq_tf.datasets.formats.resample_to_grid import MAX_GAP_PERIODS, nearest_samples, take_samples
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

logger = logging.getLogger(__name__)


def load_xdf(
    path: Path | str,
    modalities: Mapping[str, str | None] | None = None,
    markers: str | None = None,
    task: str = "condition",
) -> Recording:
    """Read a recording of LabStreamingLayer.

    Parameters
    ----------
    path : path
        An ``.xdf`` file.
    modalities : dict of str to str or None, optional
        Modality by stream name, where the rules above do not find the right one.
    markers : str, optional
        Name of the marker stream that holds the conditions; needed where there are several.
    task : str
        Name of the task whose classes the markers are.

    Returns
    -------
    Recording
        Subject is the file's name; t = 0 is the first sample of any stream used.

    Raises
    ------
    MMQError
        If the file is broken, no stream is a modality, two are the same, a unit cannot be brought to the
        front end's, or there are several marker streams.
    """
    path = Path(path)
    streams = check_xdf(path)
    chosen = _chosen(path, streams, dict(modalities or {}))
    marking = _marker_stream(path, streams, markers)
    wanted = {stream.number for stream, _, _ in chosen} | ({marking.number} if marking else set())
    content = _read(path, sorted(wanted))
    start_s = min(content[stream.number][0].min() for stream, _, _ in chosen)
    signals = {}
    for stream, modality, rows in chosen:
        times, series = content[stream.number]
        signals[modality] = _signal(path, stream, modality, rows, times - start_s, series)
    stop_s = max(signal.stop_s for signal in signals.values())
    trials: tuple[Trial, ...] = ()
    if marking and len(content[marking.number][0]):
        times, series = content[marking.number]
        words = [str(row[0]).strip() for row in series]
        trials = trials_of_markers(times - start_s, words, task, stop_s)
    return Recording(path.stem, "1", signals, trials, source="xdf", digest=source_digest("xdf 1", [path]))


def _chosen(
    path: Path, streams: list[XdfStream], modalities: dict[str, str | None]
) -> list[tuple[XdfStream, str, list[int]]]:
    """Return stream, modality and the rows of its channels, for every modality found."""
    names = [stream.name for stream in streams]
    for name, modality in modalities.items():
        if name not in names or (modality is not None and modality not in MODALITIES):
            raise MMQError(
                f"{path}: modalities must map names of streams ({', '.join(names)}) to"
                f" {', '.join(MODALITIES)} or None; got {name!r}: {modality!r}."
            )
    chosen: dict[str, tuple[XdfStream, str, list[int]]] = {}
    for stream in streams:
        if stream.format == STRINGS or not stream.samples:
            continue
        rows = _rows_by_modality(stream, modalities)
        if not stream.rate_hz:
            if rows:
                logger.warning("%s: stream %s is left out, it has no rate", path, stream.name)
            continue
        if not rows and modalities.get(stream.name, "") == "":
            logger.warning("%s: stream %s (%s) is left out, no modality", path, stream.name, stream.type)
        used = {row for numbers in rows.values() for row in numbers}
        left = [channel.label for row, channel in enumerate(stream.channels) if row not in used]
        if rows and left:
            names = ", ".join(label or "?" for label in left)
            logger.warning("%s: channels %s of stream %s are left out, no modality", path, names, stream.name)
        for modality, numbers in rows.items():
            if modality in chosen:
                raise MMQError(
                    f"{path}: streams {chosen[modality][0].name!r} and {stream.name!r} both give {modality};"
                    " say in `modalities` which one counts."
                )
            chosen[modality] = (stream, modality, numbers)
    if not chosen:
        found = ", ".join(f"{stream.name} ({stream.type})" for stream in streams)
        raise MMQError(f"{path}: expected a stream of {', '.join(MODALITIES)} with samples; got {found}.")
    return list(chosen.values())


def _rows_by_modality(stream: XdfStream, modalities: dict[str, str | None]) -> dict[str, list[int]]:
    if stream.name in modalities:
        modality = modalities[stream.name]
        return {modality: list(range(len(stream.channels)))} if modality else {}
    return rows_by_modality(
        [channel.type for channel in stream.channels],
        stream.type,
        stream.name,
        [channel.label for channel in stream.channels],
    )


def _marker_stream(path: Path, streams: list[XdfStream], name: str | None) -> XdfStream | None:
    marking = [stream for stream in streams if stream.format == STRINGS or not stream.rate_hz]
    if name is None:
        marking = [s for s in marking if s.samples and (s.format == STRINGS or "marker" in s.type.lower())]
        if len(marking) > 1:
            raise MMQError(
                f"{path}: several streams hold markers: {', '.join(s.name for s in marking)}; say which with"
                " `markers`."
            )
        return marking[0] if marking else None
    found = [stream for stream in marking if stream.name == name]
    if len(found) != 1:
        there = ", ".join(stream.name for stream in marking) or "none"
        raise MMQError(f"{path}: expected one marker stream called {name!r}; there are {there}.")
    return found[0]


def _read(path: Path, numbers: list[int]) -> dict[int, tuple[np.ndarray, np.ndarray | list[list[str]]]]:
    """Return times ``[n]`` and values ``[n, channels]`` of the streams of these numbers."""
    import pyxdf

    try:
        with _quiet(path, pyxdf.pyxdf.logger), path.open("rb") as file:
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
    nearest = nearest_samples(where, time_s, stream.rate_hz, float(time_s[0]))
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
        raise MMQError(f"{where}: {reason}; leave the stream out, or correct its description.") from error
    return scales, unit
