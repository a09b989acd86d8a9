# SPDX-License-Identifier: Apache-2.0
"""Extract features once: raw samples become token streams, which then come from the cache."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from mmq_bridge.core_binding.native import whole_tokens

from mmq_tf.augmentation.artefacts import corrupt_signal
from mmq_tf.datasets import Dataset
from mmq_tf.datasets.base import Member
from mmq_tf.datasets.protocol_limits import UNLIMITED
from mmq_tf.features.extra_features import modality_tokens
from mmq_tf.features.token_cache import (
    CLEAN,
    RecordingFacts,
    TokenSettings,
    has_entry,
    read_entry,
    write_entry,
)
from mmq_tf.features.windows import Corrupted, Stream
from mmq_tf.recording import Recording

logger = logging.getLogger(__name__)


@dataclass
class Source:
    """A recording of which only what is lacking is read; it is loaded at the first need.

    Parameters
    ----------
    digest : str
        What the recording is made from; known without loading it.
    load : callable
        Returns the recording, whose digest is that one.
    member : Member, optional
        Of the data set that joins its own with others: how it is called and labelled there.
    """

    digest: str
    load: Callable[[], Recording]
    member: Member | None = None
    _recording: Recording | None = field(default=None, init=False, repr=False)

    @classmethod
    def of_subject(cls, dataset: Dataset, folder: Path, subject: str) -> Source:
        """Return the source of one subject of a data set.

        Raises
        ------
        MMQError
            If the subject is unknown or a file cannot be read.
        """
        member = dataset.member_of(subject)
        if member is not None:
            dataset, folder = member.dataset, member.folder_in(folder)
            subject = subject.removeprefix(member.prefix)
        return cls(dataset.digest(folder, subject), lambda: dataset.load(folder, subject), member)

    @property
    def recording(self) -> Recording:
        """The recording, loaded once."""
        if self._recording is None:
            self._recording = self.load()
        return self._recording

    def facts(self) -> RecordingFacts:
        """Who, which trials and how long, from the cache where they are known."""
        facts = RecordingFacts.read(self.digest)
        if facts is None:
            facts = RecordingFacts.of(self.recording)
            facts.write()
        if self.member is None:
            return facts
        trials = self.member.trials(facts.trials)
        return replace(facts, subject=self.member.prefix + facts.subject, trials=trials)


def load_stream(source: Source, settings: TokenSettings) -> Stream:
    """Return one recording's token stream with its corrupted variants, from the cache where nothing changed.

    Raises
    ------
    MMQError
        If the recording is bad.
    BridgeError
        If it is not what the front end reads (rate, channels).
    """
    facts = source.facts()
    used = [name for name in settings.front_end.modality_names if name in facts.stop_s]
    tokens = whole_tokens(max((facts.stop_s[name] for name in used), default=0.0), settings.front_end.token_s)
    clean, *variants = (_join(source, used, tokens, settings, variant) for variant in settings.variants)
    return Stream(
        subject=facts.subject,
        session=facts.session,
        features=clean.features,
        presence=clean.presence,
        trials=facts.trials,
        front_end=settings.front_end,
        variants=tuple(variants),
        limits=source.member.limits if source.member else UNLIMITED,
        dataset=source.member.called if source.member else "",
    )


def prepare(source: Source, settings: TokenSettings) -> list[str]:
    """Put a recording's tokens into the cache; return what had to be made, as ``ppg`` or ``ppg variant 0``.

    Raises
    ------
    MMQError, BridgeError
        As `load_stream`.
    """
    facts = source.facts()
    made = []
    for name in settings.front_end.modality_names:
        for variant in settings.variants if name in facts.stop_s else ():
            path = settings.entry(source.digest, name, variant)
            if not has_entry(path):
                _make(path, source.recording, name, settings, variant)
                made.append(name if variant == CLEAN else f"{name} variant {variant}")
    return made


def _join(
    source: Source, used: Sequence[str], tokens: int, settings: TokenSettings, variant: int
) -> Corrupted:
    """Put the modalities' tokens side by side; one that was not recorded is absent throughout."""
    front_end, layout = settings.front_end, settings.front_end.measured_layout
    features = np.zeros((tokens, layout.n_features), np.float32)
    presence = np.zeros((tokens, len(front_end.modality_names)), bool)
    corrupted = np.zeros_like(presence)
    for name in used:
        path = settings.entry(source.digest, name, variant)
        arrays = read_entry(path)
        if arrays is None:
            arrays = _make(path, source.recording, name, settings, variant)
        column = front_end.modality_names.index(name)
        features[:, layout.feature_slices[name]] = arrays["features"][:tokens]
        presence[:, column] = arrays["presence"][:tokens]
        if variant != CLEAN:
            corrupted[:, column] = arrays["corrupted"][:tokens]
    return Corrupted(features, presence, corrupted)


def _make(
    path: Path, recording: Recording, name: str, settings: TokenSettings, variant: int
) -> dict[str, np.ndarray]:
    """Extract the tokens of one modality up to the recording's end and keep them."""
    front_end, signal = settings.alone(name), recording.signals[name]
    intervals: list[tuple[float, float]] = []
    if variant != CLEAN:
        who = int(hashlib.sha256(f"{recording.subject} {name}".encode()).hexdigest()[:8], 16)
        signal, intervals = corrupt_signal(
            signal,
            share=settings.artefacts.share,
            snr_db=settings.artefacts.snr_db,
            rng=np.random.default_rng([settings.seed, variant, who]),
            token_s=front_end.token_s,
        )
    tokens = modality_tokens(front_end, name, signal, recording.duration_s)
    arrays = {"features": tokens.features, "presence": tokens.presence[:, 0]}
    if variant != CLEAN:
        arrays["corrupted"] = tokens_touched(intervals, front_end.token_s, len(tokens.features))
    about = {"subject": recording.subject, "source": recording.source, "simulated": recording.simulated}
    write_entry(path, arrays, {**about, "modality": name})
    return arrays


def tokens_touched(intervals: Sequence[tuple[float, float]], token_s: float, tokens: int) -> np.ndarray:
    """Return bool [n]: at least a tenth of the token lies inside an artefact."""
    touched = np.zeros(tokens, dtype=bool)
    edges = np.arange(tokens) * token_s
    for start_s, stop_s in intervals:
        overlap = np.minimum(edges + token_s, stop_s) - np.maximum(edges, start_s)
        touched |= overlap > 0.1 * token_s
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
    stop = stream.enrolled_from(enrolment_s)

    def join(clean: np.ndarray, corrupted: np.ndarray) -> np.ndarray:
        return np.concatenate([clean[:stop], corrupted[stop:]])

    nothing = np.zeros_like(variant.corrupted)
    return Corrupted(
        join(stream.features, variant.features),
        join(stream.presence, variant.presence),
        join(nothing, variant.corrupted),
    )
