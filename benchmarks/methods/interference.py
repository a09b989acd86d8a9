# SPDX-License-Identifier: Apache-2.0
"""Do interference queries find the corrupted tokens? Artefacts are injected, so their places are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from methods.rebuilding import BATCH, Score
from mmq_tf.augmentation.artefacts import KINDS, corrupt, draw_intervals
from mmq_tf.evaluation.protocols import ARTEFACT_SHARE, SNR_DB
from mmq_tf.features.token_streams import tokens_touched, without_enrolment_artefacts
from mmq_tf.features.windows import Corrupted, Stream, WindowSet
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.recording import Recording

SCORE, REFERENCE = "interference queries", "logistic on the token"
ANY = "any kind"
INJECTION_SEED = 4303


@dataclass(frozen=True)
class Injection:
    """One kind of artefact at one ratio, in one modality."""

    modality: str
    kind: str
    snr_db: int


def injections(modalities: Sequence[str]) -> list[Injection]:
    """Return every kind of artefact of these modalities at each of protocol E's ratios."""
    return [Injection(name, kind, snr) for name in modalities for kind in KINDS[name] for snr in SNR_DB]


def inject(
    recording: Recording, stream: Stream, own: np.ndarray, enrolment_s: float, seed: int = INJECTION_SEED
) -> Stream:
    """Return the recording's stream with one variant for each of `injections`, one modality spoilt at a time.

    Artefacts lie at the same times at each ratio, and the enrolment is clean. The first variant is the clean
    stream itself with `own`, the known artefacts that the recording brings along.

    Parameters
    ----------
    recording, stream
        The same person, raw samples and features.
    own : bool ``[n, M]``
        Tokens known to be spoilt already; they are judged apart.
    enrolment_s : float
    seed : int
    """
    front_end = stream.front_end
    variants = [Corrupted(stream.features, stream.presence, own)]
    for what in injections(front_end.modality_names):
        nothing = np.zeros_like(stream.presence)
        signal = recording.signals.get(what.modality)
        if signal is None:
            variants.append(Corrupted(stream.features, stream.presence, nothing))
            continue
        rng = np.random.default_rng([seed, *f"{recording.subject} {what.modality} {what.kind}".encode()])
        times = draw_intervals(signal.start_s, signal.stop_s, ARTEFACT_SHARE, front_end.token_s, rng)
        for start_s, stop_s in times:
            signal = corrupt(
                signal, kind=what.kind, snr_db=what.snr_db, start_s=start_s, stop_s=stop_s, rng=rng
            )
        variants.append(_replaced(stream, what.modality, signal, times, recording.duration_s))
    (clean,) = without_enrolment_artefacts([replace(stream, variants=tuple(variants))], enrolment_s)
    return clean


def _replaced(
    stream: Stream, modality: str, signal: Any, times: Sequence[tuple[float, float]], stop_s: float
) -> Corrupted:
    """Return the stream with one modality's tokens made from another signal."""
    front_end = stream.front_end
    alone = front_end.model_copy(update={"modalities": {modality: front_end.modalities[modality]}})
    tokens = extract_tokens(alone, {modality: signal}, stop_s=stop_s)
    count, column = len(stream.features), front_end.modality_names.index(modality)
    features, presence = stream.features.copy(), stream.presence.copy()
    corrupted = np.zeros_like(presence)
    features[:, front_end.measured_layout.feature_slices[modality]] = tokens.features[:count]
    presence[:, column] = tokens.presence[:count, 0]
    corrupted[:, column] = tokens_touched(times, front_end.token_s, count)
    return Corrupted(features, presence, corrupted)


def interference_scores(
    net: MMQNet, train: WindowSet, test: WindowSet, front_end: FrontEnd
) -> Iterator[Score]:
    """Score how well corrupted tokens are told from others, for each test person.

    ``auroc`` of the interference score against what is known, over the spoilt modality's present tokens;
    conditions are ``ppg motion_burst 0dB``, ``ppg any kind 0dB`` (the mean over kinds) and, for artefacts the
    recordings bring along, ``ppg own``, whose tokens no other condition counts. Beside it stands a logistic
    regression on the token's own features, fitted on the corrupted variants that the network was taught with:
    what a token by itself gives away to a line. A token that outlives an artefact in its context (PPG looks
    back 30 s) counts as clean, so 1 is out of reach.

    Parameters
    ----------
    net : MMQNet
    train, test : WindowSet
        Training windows with their corrupted variants, and test windows with those of `inject`.
    front_end : FrontEnd
    """
    names = front_end.modality_names
    lines = {name: _line(train, front_end.feature_layout, name) for name in names}
    own = test.variant_corrupted[0]
    plan: list[Injection | None] = [None, *injections(names)]
    kinds: dict[tuple[str, str, int, str], list[float]] = {}
    for what, features, presence, corrupted in zip(
        plan, test.variant_features, test.variant_presence, test.variant_corrupted, strict=True
    ):
        found = _network_scores(net, features, presence, front_end.feature_layout)
        for name in names if what is None else (what.modality,):
            column, part = names.index(name), front_end.feature_slices[name]
            asked = presence[:, :, column] & ~(own[:, :, column] & (what is not None))
            given = {SCORE: found[:, :, column]}
            line = lines[name]
            if line is not None:
                given[REFERENCE] = line.decision_function(
                    features[:, :, part].reshape(-1, part.stop - part.start)
                ).reshape(asked.shape)
            condition = f"{name} own" if what is None else f"{name} {what.kind} {what.snr_db}dB"
            for method, values in given.items():
                for subject, value in _by_person(test.subject, asked, corrupted[:, :, column], values):
                    yield Score(method, condition, "auroc", subject, value)
                    if what is not None:
                        kinds.setdefault((method, name, what.snr_db, subject), []).append(value)
    for (method, name, snr, subject), values in kinds.items():
        yield Score(method, f"{name} {ANY} {snr}dB", "auroc", subject, float(np.mean(values)))


def _line(train: WindowSet, layout: FeatureLayout, modality: str) -> LogisticRegression | None:
    """Fit a logistic regression on a modality's corrupted and clean present tokens; None without both."""
    column, part = list(layout.modality_names).index(modality), layout.feature_slices[modality]
    rows = train.variant_presence[..., column]
    labels = train.variant_corrupted[..., column][rows]
    if len(np.unique(labels)) < 2:
        return None
    model = LogisticRegression(max_iter=1000, class_weight="balanced")
    return model.fit(train.variant_features[..., part][rows], labels)


def _network_scores(
    net: MMQNet, features: np.ndarray, presence: np.ndarray, layout: FeatureLayout
) -> np.ndarray:
    """Return the interference score of each token, float ``[N, T, M]``."""
    visible = layout.visible(features, presence)
    parts = []
    for start in range(0, len(features), BATCH):
        rows = slice(start, start + BATCH)
        inputs = {"features": visible[rows], "presence": presence[rows].astype(np.float32)}
        parts.append(keras.ops.convert_to_numpy(net.trace(inputs)["interference_scores"]))
    return np.concatenate(parts).reshape(presence.shape)


def _by_person(
    subject: np.ndarray, asked: np.ndarray, corrupted: np.ndarray, values: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Yield each person's AUROC over the tokens asked for; all ``[N, T]``, people ``[N]``."""
    for person in dict.fromkeys(subject.tolist()):
        rows = asked & (subject == person)[:, None]
        labels = corrupted[rows]
        if labels.any() and not labels.all():
            yield person, float(roc_auc_score(labels, values[rows]))
