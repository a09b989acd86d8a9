# SPDX-License-Identifier: Apache-2.0
"""Fit the line beside a trained network, and weigh the two: what people of the training side decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold

from mmq_tf.augmentation.missingness import training_keep
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import fit_temperature
from mmq_tf.metrics.grouped_scores import score_by_subject
from mmq_tf.model.ensemble import members_of
from mmq_tf.model.line_path import KNOTS, REACH, STATISTICS, STEEPNESS
from mmq_tf.training.line_gate import fit_gate
from mmq_tf.training.line_steps import ROUNDS, boosted

STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""C of logistic regression that inner folds of the training side's people choose from."""

FLAT = 0.002
"""A smaller C is taken where its AUROC is as near to the best one's: what is small travels."""

INNER_FOLDS = 5
"""Of training people, to choose the strengths."""

BATCH = 1024
"""Windows looked at at once."""

COPIES = 2
"""How often each training window is shown with tokens hidden, beside once as it is."""

LEAST_DEVIATION = 0.1
"""A statistic that varies less counts as varying by so much: int8 has one scale for all of them."""

SHARES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
"""Shares of the network in the logit that validation people choose from."""

USUAL_SHARE, SHARE_DEVIATION = 0.25, 0.25
"""What is expected of the share before anybody is asked; half is too much in another protocol."""

_Weights = tuple[np.ndarray, np.ndarray]
"""Kernel [P * S, C] and bias [C] of a line."""

_Fold = tuple[np.ndarray, np.ndarray]
"""Indices of the complete rows that are judged, and bool [n] of those that are learned from."""


@dataclass(frozen=True)
class LineChoice:
    """What was chosen for a line.

    Attributes
    ----------
    evidence, look_back : float
        C of the coefficients of features, and of their look-backs (0 without any); of a line of steps the
        rounds of boosting, and 0.
    network_share : float
        Share of the network in the logit.
    temperature, line_temperature : float
        What the network's own logits are divided by, and the line's: a line that was kept small is less sure
        than it could be, and would leave the decision to the network.
    """

    evidence: float
    look_back: float
    network_share: float
    temperature: float
    line_temperature: float = 1.0


def fit_line(
    net: Any,
    train: WindowSet,
    validation: WindowSet | None,
    spec: TrainingSpec,
    seed: int,
    choice: LineChoice | None = None,
) -> LineChoice | None:
    """Fit the line of a trained network, in place, and set the network's share.

    First the coefficients of the features, then, with that as offset, those of their look-backs: where a
    wearer's past is not known the line is as if there were none. Classes weigh the same. Then the gate, where
    there is one. A line of steps is boosted instead, on windows as they are: what is missing adds nothing.

    Without `choice` the strengths, and the line's temperature, are chosen by inner folds of training and
    validation people. The share is the likeliest for validation people, under a normal prior and each person
    counting once, beside a line that did not see them; the line that stays has learned from them too. A
    line of steps knows by heart whom it learned from: there the whole is made as sure as it was right before.

    Parameters
    ----------
    net : MMQNet or Ensemble
        Trained; its members' lines are fitted one by one.
    train, validation : WindowSet
    spec : TrainingSpec
    seed : int
        Of what is hidden.
    choice : LineChoice, optional
        Chosen before, as for a network of all people.

    Returns
    -------
    LineChoice
        The first member's strengths and the share of all; None where there is no line.
    """
    members = [member for member in members_of(net) if getattr(member, "line", None) is not None]
    if not members:
        return None
    sides = [train] if validation is None else [train, validation]
    rows = [(_StepRows if member.line.steps else _Rows).of(member, sides, spec, seed) for member in members]
    if choice is None:
        evidence, look_back, line_temperature = rows[0].choose()
        for member, own in zip(members, rows, strict=True):
            _set_line(member, own, evidence, look_back, [train], spec, seed)
        share, temperature, whole = _share(members, validation, spec, line_temperature)
        if members[0].line.steps:
            temperature, line_temperature = temperature * whole, line_temperature * whole
        choice = LineChoice(evidence, look_back, share, temperature, line_temperature)
    for member, own in zip(members, rows, strict=True):
        _set_line(member, own, choice.evidence, choice.look_back, sides, spec, seed)
        _weigh(member, choice)
    return choice


def _set_line(
    net: Any,
    rows: _Rows,
    evidence: float,
    look_back: float,
    sides: Sequence[WindowSet],
    spec: TrainingSpec,
    seed: int,
) -> None:
    """Fit one line to the rows of these sides, the first ones, and set its weights; then its gate, if any."""
    kernel, bias = rows.fitted(rows.side < len(sides), evidence, look_back)
    for name, value in {**rows.standard, "kernel": kernel, "bias": bias}.items():
        getattr(net.line, name).assign(value)
    if net.line_gate:
        fit_gate(net, sides, spec, seed)


@dataclass(frozen=True)
class _Rows:
    """What a line learns from: columns [n, P * S] of statistics, and label, person, weight and side [n].

    `complete` is how many rows come first that are windows as they are, `past` [P * S] which columns are of
    look-backs, `standard` what the line needs to make the columns, by the name of its weight.
    """

    copies: ClassVar[int] = COPIES

    shown: np.ndarray
    label: np.ndarray
    subject: np.ndarray
    weight: np.ndarray
    side: np.ndarray
    complete: int
    classes: int
    past: np.ndarray
    standard: dict[str, np.ndarray]
    seed: int

    @classmethod
    def of(cls, net: Any, sides: Sequence[WindowSet], spec: TrainingSpec, seed: int) -> Self:
        """Return each window once as it is, then with tokens hidden, each a share of the window's weight."""
        side = np.concatenate([np.full(len(part), place) for place, part in enumerate(sides)])
        features, presence, label, subject, counted = (
            np.concatenate([getattr(part, name) for part in sides])
            for name in ("features", "presence", "label", "subject", "weight")
        )
        label, rng = label.astype(int), np.random.default_rng([seed, len(side)])
        hidden = [
            presence & training_keep(rng, presence.shape, max_rate=spec.missing.max_rate, complete_share=0.0)
            for _ in range(cls.copies)
        ]
        found = [_statistics(net, features, view, spec) for view in (presence, *hidden)]
        raw, here = found[0]
        count = np.maximum(here.sum(0), 1)
        past = np.tile(spec.layout.look_backs, len(STATISTICS))
        mean = np.where(past, 0.0, (raw * here).sum(0) / count)
        deviation = np.sqrt((here * (raw - mean) ** 2).sum(0) / count)
        scale = np.where(deviation > 0, 1.0 / (REACH * np.maximum(deviation, LEAST_DEVIATION)), 0.0)
        times, size = len(found), np.bincount(label, counted, minlength=net.line.bias.shape[0])
        balance = size.sum() / np.count_nonzero(size) / np.where(size > 0, size, 1.0)
        squashed = [(np.tanh((part - own * mean) * scale), own) for part, own in found]
        shown, more = cls._columns(squashed)
        return cls(
            shown,
            np.tile(label, times),
            np.tile(subject, times),
            np.tile(balance[label] * counted / times, times),
            np.tile(side, times),
            len(label),
            len(size),
            np.tile(past, net.line.pieces),
            {"centre": mean, "scale": scale, **more},
            seed,
        )

    @staticmethod
    def _columns(
        squashed: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the columns that `LinePath` weighs, and what more it needs to make them.

        They come from squashed statistics, each with where its modality is there. Here the statistics
        themselves, and what of them is above 0.
        """
        return np.concatenate([np.concatenate([one, np.maximum(one, 0)], 1) for one, _ in squashed]), {}

    def fitted(self, learn: np.ndarray, evidence: float, look_back: float) -> _Weights:
        """Return what the rows `learn` [n] teach: first the features, then their look-backs."""
        alone = self._with(self._nothing(), learn, ~self.past, evidence)
        return self._with(alone, learn, self.past, look_back)

    def choose(self) -> tuple[float, float, float]:
        """Choose the strength of the features, then that of the look-backs, then the temperature.

        The temperature is that of left-out people's complete windows; of a single person's, 1.
        """
        folds = list(self._left_out())
        evidence, found = self._best_strength(folds, [self._nothing() for _ in folds], ~self.past)
        look_back = 0.0
        if self.past.any():
            look_back, found = self._best_strength(folds, found, self.past)
        return evidence, look_back, self._temperature(folds, found)

    def _temperature(self, folds: Sequence[_Fold], found: Sequence[_Weights]) -> float:
        """Return the temperature of left-out people's windows by each fold's weights; 1 without folds."""
        if not folds:
            return 1.0
        logits = [self._logits(judge, own) for (judge, _), own in zip(folds, found, strict=True)]
        label = np.concatenate([self.label[judge] for judge, _ in folds])
        return float(fit_temperature(np.concatenate(logits), label))

    def _nothing(self) -> _Weights:
        return np.zeros((self.shown.shape[1], self.classes)), np.zeros(self.classes)

    def _with(self, weights: _Weights, learn: np.ndarray, columns: np.ndarray, strength: float) -> _Weights:
        """Return the weights with these columns [2 * S] learned beside the others; 0 leaves them out."""
        if not strength or not columns.any():
            return weights
        kernel, bias = weights[0].copy(), weights[1]
        rows, label, weight = self.shown[learn], self.label[learn], self.weight[learn]
        offset, intercept = rows @ kernel + bias, columns is not self.past
        kernel[columns], more = _logistic(rows[:, columns], label, weight, strength, offset, intercept)
        return kernel, bias + more

    def _logits(self, judge: np.ndarray, weights: _Weights) -> np.ndarray:
        kernel, bias = weights
        return self.shown[judge] @ kernel + bias

    def _left_out(self) -> Iterator[_Fold]:
        """Yield, fold by fold of people, the complete rows of those left out, and bool [n] of all others'."""
        people = np.unique(self.subject)
        if len(people) < 2:
            return
        for _, judge in GroupKFold(min(INNER_FOLDS, len(people))).split(self.label, groups=self.subject):
            yield judge[judge < self.complete], ~np.isin(np.arange(len(self.label)), judge)

    def _best_strength(
        self, folds: Sequence[_Fold], starts: Sequence[_Weights], columns: np.ndarray
    ) -> tuple[float, list[_Weights]]:
        """Return the best strength of these columns, as `_best`; `starts` has the others' weights."""
        before = iter(starts)

        def learned(learn: np.ndarray) -> list[_Weights]:
            start = next(before)
            return [self._with(start, learn, columns, strength) for strength in STRENGTHS]

        return self._best(folds, STRENGTHS, learned)

    def _best(
        self,
        folds: Sequence[_Fold],
        options: Sequence[float],
        learned: Callable[[np.ndarray], Sequence[_Weights]],
    ) -> tuple[float, list[_Weights]]:
        """Return the first option that ranks left-out people's windows about best, and each fold's weights.

        `learned` gives, fold by fold, the weights of each option from the rows that are learned from.
        """
        scores, people = np.zeros(len(options)), len(np.unique(self.subject))
        found: list[list[_Weights]] = [[] for _ in options]
        for judge, learn in folds:
            for place, weights in enumerate(learned(learn)):
                probabilities = softmax(self._logits(judge, weights), axis=1)
                judged = score_by_subject(self.subject[judge], self.label[judge], probabilities)
                scores[place] += np.nansum(judged.scores["auroc"])
                found[place].append(weights)
        best = int(np.argmax(scores >= scores.max() - FLAT * people))
        return options[best], found[best]


class _StepRows(_Rows):
    """What a line of steps learns from: windows as they are, look-backs left out."""

    copies = 0

    @staticmethod
    def _columns(
        squashed: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        ((one, here),) = squashed
        steps = np.concatenate([np.tanh(STEEPNESS * (one - knot)) for knot in KNOTS], axis=1)
        own = np.tile(here, len(KNOTS))
        usual = (steps * own).sum(0) / np.maximum(own.sum(0), 1)
        return (steps - usual) * own, {"usual": usual}

    def fitted(self, learn: np.ndarray, evidence: float, look_back: float) -> _Weights:
        """Return what `evidence` rounds of boosting teach of the rows `learn` [n]."""
        return self._boosted(learn, [round(evidence)])[0]

    def choose(self) -> tuple[float, float, float]:
        """Choose the rounds, then the temperature, as of the line that is not of steps."""
        folds = list(self._left_out())
        rounds, found = self._best(folds, ROUNDS, lambda learn: self._boosted(learn, ROUNDS))
        return rounds, 0.0, self._temperature(folds, found)

    def _boosted(self, learn: np.ndarray, rounds: Sequence[int]) -> list[_Weights]:
        """Return the weights after each number of rounds; those of look-backs are 0."""
        rows, label, weight = self.shown[np.ix_(learn, ~self.past)], self.label[learn], self.weight[learn]
        found = []
        for own, bias in boosted(rows, label, weight, self.classes, rounds, self.seed):
            kernel, _ = self._nothing()
            kernel[~self.past] = own
            found.append((kernel, bias))
        return found


def _logistic(
    rows: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray,
    strength: float,
    offset: np.ndarray,
    intercept: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients [S, C] and biases [C] of L2 logistic regression beside given logits [n, C].

    Scikit-learn's loss, ``C * sum(weight * -log p) + |coefficients|^2 / 2``, which has no offset there.
    """
    classes, wide = offset.shape[1], rows.shape[1]
    target = np.eye(classes)[label]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients, bias = flat[:-classes].reshape(wide, classes), flat[-classes:]
        logs = log_softmax(rows @ coefficients + bias + offset, axis=1)
        error = strength * weight[:, None] * (np.exp(logs) - target)
        value = -strength * (weight * (logs * target).sum(1)).sum() + 0.5 * (coefficients**2).sum()
        slope = rows.T @ error + coefficients
        return value, np.concatenate([slope.ravel(), error.sum(0) * intercept])

    start = np.zeros((wide + 1) * classes)
    flat = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    bias = flat[-classes:]
    return flat[:-classes].reshape(wide, classes), bias - bias.mean()


def _statistics(
    net: Any, features: np.ndarray, presence: np.ndarray, spec: TrainingSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Return the network's own `line_statistics` of windows."""
    parts = [net.line_statistics(inputs) for inputs in _batches(features, presence, spec)]
    found, here = (np.concatenate([np.array(part[k], np.float64) for part in parts]) for k in (0, 1))
    return found, here


def _batches(
    features: np.ndarray, presence: np.ndarray, spec: TrainingSpec
) -> Iterator[dict[str, np.ndarray]]:
    seen = spec.layout.visible(features, presence)
    for first in range(0, len(seen), BATCH):
        piece = slice(first, first + BATCH)
        yield {"features": seen[piece], "presence": presence[piece].astype(np.float32)}


def _share(
    members: Sequence[Any], windows: WindowSet | None, spec: TrainingSpec, line_temperature: float
) -> tuple[float, float, float]:
    """Return the network's share, its temperature and that of the whole, as validation windows have it.

    The likeliest of `SHARES`: the mean log likelihood of each person's windows, and the prior.
    """
    given = spec.model.network_share
    if windows is None:
        return (USUAL_SHARE if given is None else given), 1.0, 1.0
    traces = [
        [member.trace(inputs) for inputs in _batches(windows.features, windows.presence, spec)]
        for member in members
    ]
    line, network = (
        np.mean([np.concatenate([np.array(one[part][spec.data.task]) for one in own]) for own in traces], 0)
        for part in ("line", "network")
    )
    label = windows.label.astype(int)
    temperature = fit_temperature(network, label)
    _, person = np.unique(windows.subject, return_inverse=True)
    own = 1.0 / np.bincount(person)[person]

    def weighed(share: float) -> np.ndarray:
        return (1 - share) * line / line_temperature + share * network / temperature

    def likelihood(share: float) -> float:
        logits = weighed(share)
        logs = log_softmax(logits / fit_temperature(logits, label), axis=1)
        prior = ((share - USUAL_SHARE) / SHARE_DEVIATION) ** 2 / 2
        return float((own * logs[np.arange(len(label)), label]).sum() - prior)

    best = max(SHARES, key=likelihood) if given is None else given
    return best, float(temperature), float(fit_temperature(weighed(best), label))


def _weigh(net: Any, choice: LineChoice) -> None:
    """Make the logits ``(1 - share) * line / its temperature + share * network / temperature``."""
    for weight in (net.line.kernel, net.line.bias):
        weight.assign(np.array(weight) * ((1.0 - choice.network_share) / choice.line_temperature))
    net.network_share.assign(choice.network_share / choice.temperature)
