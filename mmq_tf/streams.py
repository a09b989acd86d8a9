"""Recordings through the front end, cached: raw samples become token streams once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware_bridge.frontend import FrontEnd
from firmware_bridge.native import extract_tokens, library_path
from mmq_tf.artefacts import ARTEFACTS_VERSION, corrupt_recording
from mmq_tf.config import ArtefactsConfig
from mmq_tf.datasets import Dataset
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording
from mmq_tf.windows import Corrupted, Stream

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return where token streams are cached: `MMQ_CACHE`, or the user's cache folder."""
    base = (
        os.environ.get("MMQ_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmq-tf"
    )
    return Path(base)


def load_streams(
    dataset: Dataset,
    folder: Path,
    front_end: FrontEnd,
    artefacts: ArtefactsConfig,
    seed: int,
    on_subject: Callable[[str], None] = lambda subject: None,
) -> list[Stream]:
    """Load every subject of a data set and return its token streams, from the cache where nothing changed.

    Parameters
    ----------
    dataset, folder
        The loader, and the folder it reads.
    front_end
        How samples become tokens (its normalisation is not used: streams stay raw).
    artefacts
        How many corrupted variants a recording gets, and how strong they are.
    seed
        Of the artefacts.
    on_subject
        Called with each subject's name when it is done, for progress.

    Raises
    ------
    MMQError
        If a recording is bad, or the data set has none.
    """
    streams = []
    for subject in dataset.subjects(folder):
        streams.append(stream_of(dataset.load(folder, subject), front_end, artefacts, seed))
        on_subject(subject)
    if not streams:
        raise MMQError(f"{folder}: no recordings of {dataset.name} found here.")
    return streams


def stream_of(recording: Recording, front_end: FrontEnd, artefacts: ArtefactsConfig, seed: int) -> Stream:
    """Return one recording's token stream with its corrupted variants, cached."""
    path = cache_folder() / _key(recording, front_end, artefacts, seed)
    arrays = _read(path)
    if arrays is None:
        arrays = _extract(recording, front_end, artefacts, seed)
        _write(path, arrays, recording, front_end)
    variants = tuple(
        Corrupted(arrays[f"features_{i}"], arrays[f"presence_{i}"], arrays[f"corrupted_{i}"])
        for i in range(artefacts.variants)
    )
    return Stream(
        subject=recording.subject,
        session=recording.session,
        features=arrays["features"],
        presence=arrays["presence"],
        trials=recording.trials,
        front_end=front_end,
        variants=variants,
    )


def _key(recording: Recording, front_end: FrontEnd, artefacts: ArtefactsConfig, seed: int) -> str:
    """Everything that can change the tokens: the source, the front end, the core's code and the artefacts."""
    core = hashlib.sha256(library_path().read_bytes()).hexdigest()
    parts = [recording.digest, recording.subject, front_end.digest(), core]
    parts += [
        artefacts.model_dump_json(include={"variants", "share", "snr_db"}),
        f"{ARTEFACTS_VERSION} {seed}",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _extract(
    recording: Recording, front_end: FrontEnd, artefacts: ArtefactsConfig, seed: int
) -> dict[str, np.ndarray]:
    clean = extract_tokens(front_end, recording.signals)
    arrays = {"features": clean.features, "presence": clean.presence}
    digest = int(hashlib.sha256(recording.subject.encode()).hexdigest()[:8], 16)
    for index in range(artefacts.variants):
        rng = np.random.default_rng([seed, index, digest])
        corrupted, intervals = corrupt_recording(
            recording, share=artefacts.share, snr_db=artefacts.snr_db, rng=rng, token_s=front_end.token_s
        )
        tokens = extract_tokens(front_end, corrupted.signals)
        arrays[f"features_{index}"], arrays[f"presence_{index}"] = tokens.features, tokens.presence
        arrays[f"corrupted_{index}"] = _tokens_touched(intervals, front_end, tokens.presence.shape)
    return arrays


def _tokens_touched(
    intervals: dict[str, list[tuple[float, float]]], front_end: FrontEnd, shape: tuple[int, ...]
) -> np.ndarray:
    """Return bool [n, M]: at least a tenth of the token lies inside an artefact."""
    touched = np.zeros(shape, dtype=bool)
    edges = np.arange(shape[0]) * front_end.token_s
    for column, name in enumerate(front_end.modality_names):
        for start_s, stop_s in intervals.get(name, []):
            overlap = np.minimum(edges + front_end.token_s, stop_s) - np.maximum(edges, start_s)
            touched[:, column] |= overlap > 0.1 * front_end.token_s
    return touched


def streams_digest(streams: Sequence[Stream]) -> str:
    """Return the SHA-256 of everything a run takes from its recordings: who, tokens, trials, variants."""
    digest = hashlib.sha256()
    for stream in streams:
        digest.update(repr((stream.subject, stream.session, stream.trials)).encode())
        for part in (stream, *stream.variants):
            digest.update(np.ascontiguousarray(part.features).tobytes())
            digest.update(np.ascontiguousarray(part.presence).tobytes())
        for variant in stream.variants:
            digest.update(np.ascontiguousarray(variant.corrupted).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a cache entry, or None where there is none or it is not what was written."""
    if not (path / "meta.json").is_file():
        return None
    try:
        digests = json.loads((path / "meta.json").read_text("utf-8"))["sha256"]
        arrays = {name: np.load(path / f"{name}.npy", allow_pickle=False) for name in digests}
        changed = [name for name, values in arrays.items() if _array_digest(values) != digests[name]]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        logger.warning("cache entry %s is damaged (%s); it is made again", path, error)
        return None
    if changed:
        logger.warning("cache entry %s is damaged (%s.npy has changed); it is made again", path, changed[0])
        return None
    return arrays


def _array_digest(values: np.ndarray) -> str:
    head = f"{values.dtype.str} {values.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()


def _write(path: Path, arrays: dict[str, np.ndarray], recording: Recording, front_end: FrontEnd) -> None:
    """Write a cache entry whole or not at all. A cache that cannot be written costs time, not the run."""
    temporary = None
    meta = {
        "subject": recording.subject,
        "source": recording.source,
        "simulated": recording.simulated,
        "front_end": front_end.digest(),
        "sha256": {name: _array_digest(values) for name, values in arrays.items()},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".part-", dir=path.parent))
        for name, values in arrays.items():
            np.save(temporary / f"{name}.npy", values, allow_pickle=False)
        (temporary / "meta.json").write_text(json.dumps(meta), "utf-8")
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except OSError as error:
        logger.warning("cache entry %s could not be written: %s", path, error)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def without_enrolment_artefacts(streams: Sequence[Stream], enrolment_s: float) -> list[Stream]:
    """Return streams whose corrupted variants are clean during enrolment.

    An enrolment is done with care (the app checks it), so artefacts belong to daily wear; leaving them in
    would teach the network about wrong baselines instead of about corrupted tokens.
    """
    return [
        replace(stream, variants=tuple(_clean_start(stream, v, enrolment_s) for v in stream.variants))
        for stream in streams
    ]


def _clean_start(stream: Stream, variant: Corrupted, enrolment_s: float) -> Corrupted:
    stop = int(round(enrolment_s / stream.front_end.token_s))

    def join(clean: np.ndarray, corrupted: np.ndarray) -> np.ndarray:
        return np.concatenate([clean[:stop], corrupted[stop:]])

    nothing = np.zeros_like(variant.corrupted)
    return Corrupted(
        join(stream.features, variant.features),
        join(stream.presence, variant.presence),
        join(nothing, variant.corrupted),
    )
