# SPDX-License-Identifier: Apache-2.0
"""Is the rebuilt token right? What was hidden is known, so it can be compared with what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd
from sklearn.linear_model import Ridge

from mmq_tf.augmentation.missingness import hide_modalities
from mmq_tf.features.windows import WindowSet
from mmq_tf.model.training_model import MMQTraining

ALPHAS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Penalties of the ridge regression; validation people choose."""
QUERIES, RIDGE, MEAN = "modality queries", "ridge", "mean"
BATCH = 512

Values = dict[str, np.ndarray]
"""``tokens`` float ``[n, dim]`` and ``features`` float ``[n, F_m]`` of n tokens of one modality."""


@dataclass(frozen=True)
class Score:
    """One number of one person."""

    method: str
    condition: str
    metric: str
    subject: str
    value: float


def rebuilding_scores(
    model: MMQTraining,
    train: WindowSet,
    validation: WindowSet,
    test: WindowSet,
    front_end: FrontEnd,
) -> Iterator[Score]:
    """Hide each modality that others could tell of, whole, and score what is rebuilt for each test person.

    Three methods: the network's modality queries (features as its training decoder reads them), a ridge
    regression from the other modalities (their features at that step, and their means over the window), and
    the mean of the training people. Conditions are ``no-ppg`` and so on.

    ``r2_token`` and ``r2_features`` are ``1 - SSE / SST`` over a person's hidden tokens that were present,
    all dimensions together, SST around the mean of the training people: rebuilding that mean scores 0,
    rebuilding everything 1, and below 0 is worse than the mean. ``r2 NAME`` is the same of one feature,
    ``correlation`` Pearson's, the mean over the features that vary (the mean does not, and has none).
    """
    names = list(front_end.modality_names)
    for modality in names if len(names) > 1 else ():
        sides = [
            HiddenTokens.of(model, windows, front_end, modality) for windows in (train, validation, test)
        ]
        fitted, chosen, judged = sides
        if not all(len(side.subject) for side in sides):
            continue
        answers = {QUERIES: judged.rebuilt, RIDGE: {}, MEAN: {}}
        centres = {}
        for what in judged.true:
            centres[what] = fitted.true[what].mean(axis=0)
            answers[RIDGE][what] = _ridge(fitted, chosen, what).predict(judged.others)
            answers[MEAN][what] = np.broadcast_to(centres[what], judged.true[what].shape)
        labels = front_end.feature_names[front_end.feature_slices[modality]]
        for method, given in answers.items():
            for subject in dict.fromkeys(judged.subject.tolist()):
                rows = judged.subject == subject
                for metric, value in _person(judged.true, given, centres, rows, labels):
                    yield Score(method, f"no-{modality}", metric, subject, value)


@dataclass(frozen=True)
class HiddenTokens:
    """The tokens of one modality that were present and then hidden, over all windows.

    Attributes
    ----------
    subject : str ``[n]``
    true, rebuilt : Values
        Of the full input, and what the network made of the others.
    others : float ``[n, ...]``
        What the ridge regression sees.
    """

    subject: np.ndarray
    true: Values
    rebuilt: Values
    others: np.ndarray

    @classmethod
    def of(cls, model: MMQTraining, windows: WindowSet, front_end: FrontEnd, modality: str) -> HiddenTokens:
        """Hide a modality in every window and collect its tokens."""
        names = list(front_end.modality_names)
        column, part = names.index(modality), front_end.feature_slices[modality]
        shown = hide_modalities(windows.presence, names, [modality])
        visible = windows.visible_features(front_end.feature_layout, shown)
        # a window of which nothing is left is not rebuilt from anything
        something = np.any(shown, axis=(1, 2))
        asked = windows.presence[:, :, column] & something[:, np.newaxis]
        tokens, rebuilt, decoded = _network(model, windows, visible, shown)
        dim = tokens.shape[-1]
        shape = (len(windows), front_end.tokens, len(names), dim)
        return cls(
            subject=np.repeat(windows.subject, asked.sum(axis=1)),
            true={
                "tokens": tokens.reshape(shape)[:, :, column][asked],
                "features": windows.features[:, :, part][asked],
            },
            rebuilt={
                "tokens": rebuilt.reshape(shape)[:, :, column][asked],
                "features": decoded[:, :, part][asked],
            },
            others=_others(visible, shown, front_end)[asked],
        )


def _network(
    model: MMQTraining, windows: WindowSet, visible: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the true tokens, the rebuilt ones and the features decoded from these."""
    parts: list[list[Any]] = [[], [], []]
    for start in range(0, len(windows), BATCH):
        rows = slice(start, start + BATCH)
        inputs = {
            "features": visible[rows],
            "presence": shown[rows].astype(np.float32),
            "features_full": windows.features[rows],
            "presence_full": windows.presence[rows].astype(np.float32),
            "corrupted": np.zeros(shown[rows].shape, np.float32),
        }
        traces: Any = model(inputs, training=False)
        found = traces["full"]["tokens"], traces["shown"]["rebuilt"], traces["shown"]["features"]
        for part, value in zip(parts, found, strict=True):
            part.append(keras.ops.convert_to_numpy(value))
    tokens, rebuilt, decoded = (np.concatenate(part) for part in parts)
    return tokens, rebuilt, decoded


def _others(visible: np.ndarray, shown: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Return float ``[N, T, 2 (F + M)]``: what is visible at each step, and its mean over the window."""
    here = np.concatenate([visible, shown], axis=-1).astype(np.float64)
    seen = front_end.feature_layout.by_feature(shown).sum(axis=1)
    share = np.maximum(np.concatenate([seen, np.full(shown[:, 0].shape, shown.shape[1])], axis=-1), 1)
    mean = here.sum(axis=1) / share
    return np.concatenate([here, np.broadcast_to(mean[:, None], here.shape)], axis=-1)


def _ridge(train: HiddenTokens, validation: HiddenTokens, what: str) -> Ridge:
    """Fit ridge regressions on training people and return the one that errs least on validation people."""
    models = [Ridge(alpha).fit(train.others, train.true[what]) for alpha in ALPHAS]
    errors = [((model.predict(validation.others) - validation.true[what]) ** 2).sum() for model in models]
    return models[int(np.argmin(errors))]


def _person(
    true: Values, given: Values, centres: Values, rows: np.ndarray, labels: Sequence[str]
) -> Iterator[tuple[str, float]]:
    """Yield metric and value of one person's tokens, those that are defined."""
    for what, metric in (("tokens", "r2_token"), ("features", "r2_features")):
        yield metric, explained(true[what][rows], given[what][rows], centres[what])
    values, answers = true["features"][rows], given["features"][rows]
    for k, name in enumerate(labels):
        yield f"r2 {name}", explained(values[:, [k]], answers[:, [k]], centres["features"][[k]])
    spread = (np.ptp(values, axis=0) > 1e-6) & (np.ptp(answers, axis=0) > 1e-6)
    if spread.any():
        pairs = zip(values[:, spread].T, answers[:, spread].T, strict=True)
        yield "correlation", float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def explained(true: np.ndarray, given: np.ndarray, centre: np.ndarray) -> float:
    """Return ``1 - SSE / SST`` with SST around `centre`; NaN where nothing differs from it.

    Examples
    --------
    >>> values = np.array([[1.0], [3.0]])
    >>> explained(values, values, np.zeros(1)), explained(values, np.zeros((2, 1)), np.zeros(1))
    (1.0, 0.0)
    >>> explained(values, np.array([[1.0], [2.0]]), np.zeros(1))
    0.9
    """
    total = float(((true - centre) ** 2).sum())
    return 1.0 - float(((true - given) ** 2).sum()) / total if total > 0 else np.nan
