# SPDX-License-Identifier: Apache-2.0
"""From recordings to model inputs: token streams (cached), then windows cut inside trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from mmq_bridge.front_end.enrolment import enrolment_end, learnt_tokens
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.datasets.protocol_limits import UNLIMITED, Limits
from mmq_tf.errors import MMQError
from mmq_tf.features.extra_features import normalised_features
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.recording import Recording, Trial

if TYPE_CHECKING:
    from mne import EpochsArray


@dataclass(frozen=True)
class Corrupted:
    """The same recording with artefacts added before the front end.

    `features` float32 [n, F], `presence` bool [n, M], and `corrupted` bool [n, M]: an artefact
    lies in that token.
    """

    features: np.ndarray
    presence: np.ndarray
    corrupted: np.ndarray


@dataclass(frozen=True)
class Stream:
    """One recording after the front end, before normalising: raw features [n, F] and presence [n, M].

    `dataset` names the joined data set it is of, empty where nothing is joined. The first `earlier` tokens
    are an enrolment measured apart, put before the recording; the times of trials count from the first of
    them.
    F is that of the measured layout: look-backs come with the normalisation.
    """

    subject: str
    session: str
    features: np.ndarray
    presence: np.ndarray
    trials: tuple[Trial, ...]
    front_end: FrontEnd
    variants: tuple[Corrupted, ...] = ()
    limits: Limits = UNLIMITED
    earlier: int = 0
    dataset: str = ""

    def measured_features(self) -> np.ndarray:
        """Return the features float64 [n, F] with NaN where the token is absent."""
        layout = self.front_end.measured_layout
        return layout.visible(self.features.astype(np.float64), self.presence, absent=np.nan)

    def learnt_features(self, enrolment_s: float) -> np.ndarray:
        """Return the features float64 [n, F] an enrolment of so many seconds learns from, else NaN."""
        first, last = self.limits.enrolment_span(enrolment_s, self.front_end.token_s)
        if first == last:
            return self.measured_features()
        if self.front_end.frontend_version < 3:
            return self.measured_features()[first:last]
        learnt = np.zeros_like(self.presence)
        learnt[first:] = learnt_tokens(self.presence[first:], last - first)
        layout = self.front_end.measured_layout
        return layout.visible(self.features.astype(np.float64), learnt, absent=np.nan)

    def enrolled_from(self, enrolment_s: float) -> int:
        """Return the first token after an enrolment of so many seconds; see `enrolled_from`."""
        return enrolled_from(self.front_end, enrolment_s, self.presence, self.limits)


@dataclass(frozen=True)
class WindowSet:
    """Windows of T consecutive tokens, normalised; absent tokens hold zeros.

    `features` float32 [N, T, F], `presence` bool [N, T, M], `label` int8 [N], `subject` and `session`
    str [N], `trial` int [N], `start_s` float [N]; `dataset` str [N], the joined data set they are of, empty
    where nothing is joined; `weight` float32 [N], how much a training window counts, 1 by default. The
    variants add a leading axis V: `variant_features`
    [V, N, T, F], `variant_presence` and `variant_corrupted` [V, N, T, M].
    """

    features: np.ndarray
    presence: np.ndarray
    label: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    trial: np.ndarray
    start_s: np.ndarray
    variant_features: np.ndarray = field(repr=False)
    variant_presence: np.ndarray = field(repr=False)
    variant_corrupted: np.ndarray = field(repr=False)
    dataset: np.ndarray = field(default=None, repr=False)  # pyright: ignore[reportAssignmentType]
    weight: np.ndarray = field(default=None, repr=False)  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        if self.dataset is None:
            object.__setattr__(self, "dataset", np.full(len(self.label), ""))
        if self.weight is None:
            object.__setattr__(self, "weight", np.ones(len(self.label), np.float32))

    @property
    def sample_weight(self) -> np.ndarray | None:
        """Weights float32 [N] where windows count differently, None where all count the same."""
        return None if (self.weight == 1).all() else self.weight

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: np.ndarray) -> WindowSet:
        """Return some of the windows: `rows` are their numbers, int [n]."""
        fields = {name: getattr(self, name) for name in WindowSet.__dataclass_fields__}
        return WindowSet(
            **{
                name: value[:, rows] if name.startswith("variant") else value[rows]
                for name, value in fields.items()
            }
        )

    def visible_features(self, layout: FeatureLayout, presence: np.ndarray | None = None) -> np.ndarray:
        """Return float32 [N, T, F]: the features of present tokens, 0 in place of the others.

        With `presence` bool [N, T, M], only tokens that are present there are shown.
        """
        return layout.visible(self.features, self.presence if presence is None else presence)

    def to_sklearn(self, front_end: FrontEnd) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X float32 [N, T * F] with NaN where absent, y int [N] and groups (the subjects) [N]."""
        seen = front_end.feature_layout.visible(self.features, self.presence, absent=np.nan)
        rows = seen.reshape(len(self), -1)
        return rows, self.label.astype(np.int64), self.subject

    def to_epochs(
        self, recordings: Iterable[Recording], front_end: FrontEnd, modality: str, classes: Sequence[str]
    ) -> EpochsArray:
        """Return one modality's raw samples in each window; see `mmq_tf.mne_bridge.epochs.to_epochs`."""
        from mmq_tf.mne_bridge.epochs import WindowTable, to_epochs

        table = WindowTable(self.subject, self.session, self.trial, self.start_s, self.label, self.presence)
        return to_epochs(table, recordings, front_end, modality, classes)


def build_windows(
    streams: Sequence[Stream],
    front_end: FrontEnd,
    task: str,
    classes: Sequence[str],
    stride_s: float,
    short: ShortEnrolments | None = None,
) -> WindowSet:
    """Normalise each stream with the C core and cut every labelled window out of it.

    Parameters
    ----------
    streams
        Recordings after the front end.
    front_end
        With its normalisation filled in. Windows that begin inside its enrolment are left out.
    task, classes
        The label to learn and its class names in order.
    stride_s
        Seconds between the starts of neighbouring windows, rounded to whole tokens.
    short
        Which windows are as after a short enrolment; for training.

    Raises
    ------
    MMQError
        If no window lies inside a labelled trial.
    """
    parts = [_cut(stream, front_end, task, list(classes), stride_s, short) for stream in streams]
    parts = [part for part in parts if len(part)]
    if not parts:
        raise MMQError(
            f"no labelled trial of {task!r} is as long as one window ({front_end.window_s:g} s) after the "
            "enrolment; shorten front_end.tokens or normalisation.enrolment_s."
        )
    return _concatenate(parts)


def enrolled_from(
    front_end: FrontEnd, enrolment_s: float, presence: np.ndarray, limits: Limits = UNLIMITED
) -> int:
    """Return the first token after an enrolment, as on the device; how many there are where it does not end.

    Parameters
    ----------
    front_end
        Its version says whether seconds or present tokens count.
    enrolment_s
        How long it should take, in s.
    presence
        Which modalities each token has, bool [n, M].
    limits
        Of the recording.
    """
    first, last = limits.enrolment_span(enrolment_s, front_end.token_s)
    if front_end.frontend_version < 3 or first == last:
        return last
    end = enrolment_end(front_end.modality_names, presence[first:], last - first)
    return len(presence) if end is None else first + end


def window_starts(
    trials: Sequence[Trial],
    front_end: FrontEnd,
    stride_s: float,
    n_tokens: int,
    limits: Limits = UNLIMITED,
    presence: np.ndarray | None = None,
) -> np.ndarray:
    """Return int [N, 2]: first token and trial index of each window that lies wholly inside one trial.

    Where `limits` let a window read fewer than its T tokens, those it reads are its last and lie inside the
    trial; its first token may then come before the trial, even before the recording. `presence` bool [n, M]
    tells when an enrolment that counts evidence is over; without it the clock does.
    """
    stride = max(1, round(min(stride_s, limits.stride_s) / front_end.token_s))
    norm = front_end.normalisation
    enrols = norm is not None and norm.mode == "enrolment"
    enrolled = 0
    if norm and enrols and presence is None:
        _, enrolled = limits.enrolment_span(norm.enrolment_s, front_end.token_s)
    elif norm and enrols and presence is not None:
        enrolled = enrolled_from(front_end, norm.enrolment_s, presence, limits)
    read = tokens_read(front_end, limits)
    rows = []
    for index, trial in enumerate(trials):
        first = max(int(np.ceil(trial.start_s / front_end.token_s - 1e-9)), enrolled)
        last = min(int(np.floor(trial.stop_s / front_end.token_s + 1e-9)), n_tokens) - read
        rows += [(start, index) for start in range(first, last + 1, stride)]
    return np.array(rows, dtype=np.int64).reshape(-1, 2) - [front_end.tokens - read, 0]


def tokens_read(front_end: FrontEnd, limits: Limits) -> int:
    """Return how many of a window's T tokens a recording with these limits fills: its last ones."""
    return max(1, round(min(limits.window_s, front_end.window_s) / front_end.token_s))


def with_limits(front_end: FrontEnd, limits: Limits) -> FrontEnd:
    """Return the front end as it normalises a recording with these limits: its enrolment may be shorter."""
    norm = front_end.normalisation
    if norm is None or norm.enrolment_s <= limits.enrolment_s:
        return front_end
    return front_end.with_enrolment(limits.enrolment_s)


def normalised_within(
    limits: Limits, front_end: FrontEnd, features: np.ndarray, presence: np.ndarray
) -> np.ndarray:
    """Return a stream's tokens float32 [n, F], normalised as by a device that was put on at its enrolment.

    Parameters
    ----------
    limits
        Of the recording.
    front_end
        With its normalisation.
    features, presence
        Raw tokens [n, F], without look-backs, and which are present [n, M].
    """
    first, _ = limits.enrolment_span(0.0, front_end.token_s)
    worn = normalised_features(with_limits(front_end, limits), features[first:], presence[first:])
    return np.concatenate([np.zeros_like(worn, shape=(first, worn.shape[1])), worn]) if first else worn


def _cut(
    stream: Stream,
    front_end: FrontEnd,
    task: str,
    classes: list[str],
    stride_s: float,
    short: ShortEnrolments | None,
) -> WindowSet:
    tokens = len(stream.features)
    table = window_starts(stream.trials, front_end, stride_s, tokens, stream.limits, stream.presence)
    labels = [stream.trials[trial].labels.get(task) for _, trial in table]
    keep = np.array([label is not None for label in labels], dtype=bool)
    table = table[keep]
    unknown = {label for label in labels if label is not None} - set(classes)
    if unknown:
        raise MMQError(
            f"subject {stream.subject}: unknown {task} labels {sorted(unknown)}, expected {classes}."
        )
    index = np.maximum(table[:, :1] + np.arange(front_end.tokens), 0)
    unread = front_end.tokens - tokens_read(front_end, stream.limits)

    def gather(tokens: np.ndarray) -> np.ndarray:
        """Return the windows' tokens, those that are not read as absent ones: all 0."""
        windows = tokens[index]
        windows[:, :unread] = 0
        return windows

    who, own = f"{stream.subject} {stream.session}", with_limits(front_end, stream.limits)
    drawn = short.drawn(who, own, len(table)) if short else None

    def normalised(features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        def by(normaliser: FrontEnd) -> np.ndarray:
            return gather(normalised_within(stream.limits, normaliser, features, presence))

        return drawn.into(by(front_end), by) if drawn else by(front_end)

    def stack(read: Callable[[Corrupted], np.ndarray], empty: tuple[int, ...], dtype: type) -> np.ndarray:
        return (
            np.stack([read(v) for v in stream.variants]) if stream.variants else np.zeros((0, *empty), dtype)
        )

    token_shape = (*index.shape, len(front_end.modality_names))
    return WindowSet(
        features=normalised(stream.features, stream.presence),
        presence=gather(stream.presence),
        label=np.array([classes.index(label) for label in labels if label is not None], dtype=np.int8),
        subject=np.full(len(table), stream.subject),
        session=np.full(len(table), stream.session),
        dataset=np.full(len(table), stream.dataset),
        trial=table[:, 1],
        start_s=(table[:, 0] - stream.earlier) * front_end.token_s,
        variant_features=stack(
            lambda v: normalised(v.features, v.presence), (*index.shape, front_end.n_features), np.float32
        ),
        variant_presence=stack(lambda v: gather(v.presence), token_shape, np.bool_),
        variant_corrupted=stack(lambda v: gather(v.corrupted), token_shape, np.bool_),
    )


def _concatenate(parts: Sequence[WindowSet]) -> WindowSet:
    names = WindowSet.__dataclass_fields__
    return WindowSet(
        **{
            name: np.concatenate(
                [getattr(part, name) for part in parts], axis=1 if name.startswith("variant") else 0
            )
            for name in names
        }
    )
