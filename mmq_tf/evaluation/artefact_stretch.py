# SPDX-License-Identifier: Apache-2.0
"""One stretch of a test recording twice through front end and network: as measured, and with an artefact.

What the report shows of the queries at work. Nothing here is chosen by what comes out: the place is the one
where most tokens are present, the modality the one the network looks at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.augmentation.artefacts import KINDS, corrupt
from mmq_tf.config.training_spec import ArtefactsConfig
from mmq_tf.evaluation.protocols import artefact_seed
from mmq_tf.features.extra_features import modality_tokens
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.windows import Corrupted, Stream, WindowSet, build_windows
from mmq_tf.metrics.calibration import apply_temperature
from mmq_tf.model.saved_network import load_network
from mmq_tf.recording import Recording, Signal
from mmq_tf.training.fold import FoldJob
from mmq_tf.training.run import Run, read_fold

SHOWN_WINDOWS = 4.0
"""Length of the stretch, in windows of the network; the artefact covers half a window in its middle."""
SNR_DB = 0.0
WANTED_KINDS = ("motion_burst", "broadband_noise")
"""The artefact: the first of these that the modality can have."""
VIEWS = ("as measured", "with the artefact")


@dataclass(frozen=True)
class ArtefactStretch:
    """What was measured in a stretch, what was added, and what the network made of both.

    Arrays begin with the two of `VIEWS`; n tokens of M modalities, D decisions.

    Attributes
    ----------
    subject, session : str
    seed, fold : int
        Of the network; the subject is one of its test subjects.
    modalities : tuple of str
    token_s, start_s : float
        Length of a token, and where the first begins, seconds in the recording.
    modality, kind : str
        What was corrupted and how.
    artefact_s : tuple of float
        From when to when.
    signals : mapping of str to Signal
        The recording's.
    corrupted : Signal
        The one with the artefact.
    presence : bool ``[2, n, M]``
    interference : float64 ``[2, n, M]``
        Score of each token, mean over the windows that hold it; NaN where absent, or without such queries.
    attention : float64 ``[2, n, M]``
        The category queries' attention, mean over windows, queries and heads, in units of an equal share.
    decision_s : float64 ``[D]``
        When each window ends.
    truth : float64 ``[2, D]``
        Calibrated probability of the true class.
    sure : bool ``[2, D]``
        Whether the device would decide: the likeliest class is at least at the confidence limit.
    label : str
        The true class.
    classes : int
        How many there are.
    """

    subject: str
    session: str
    seed: int
    fold: int
    modalities: tuple[str, ...]
    token_s: float
    start_s: float
    modality: str
    kind: str
    artefact_s: tuple[float, float]
    signals: Mapping[str, Signal]
    corrupted: Signal
    presence: np.ndarray
    interference: np.ndarray
    attention: np.ndarray
    decision_s: np.ndarray
    truth: np.ndarray
    sure: np.ndarray
    label: str
    classes: int

    @property
    def stop_s(self) -> float:
        """Where the last token ends, seconds in the recording."""
        return self.start_s + self.presence.shape[1] * self.token_s


def artefact_stretch(run: Run, job: FoldJob) -> ArtefactStretch | None:
    """Put one artefact into a test recording of a fold and look at what its network does.

    Returns None where the network has no category queries, or no labelled trial is longer than a window.

    Raises
    ------
    MMQError
        If the network or the recording cannot be read.
    """
    net = load_network(job.folder / "model.keras")
    front_end = FrontEnd.load(job.folder / "frontend.json")
    streams = [stream for stream in job.streams if stream.subject in job.fold.test]
    found = best_place(streams, front_end, job.config.data.task, job.config.normalisation.enrolment_s)
    if found is None or not getattr(net, "category_queries", None):
        return None
    scene = _Scene(job, net, front_end, *found)
    recording = _recording(run, scene.stream)
    windows = scene.windows(())
    modality = _most_looked_at(scene.look(windows.features, windows.presence), windows, front_end)
    kind = next(kind for kind in WANTED_KINDS if kind in KINDS[modality])
    start_s, stop_s = scene.middle()
    corrupted = corrupt(
        recording.signals[modality],
        kind=kind,
        snr_db=SNR_DB,
        start_s=start_s,
        stop_s=stop_s,
        rng=np.random.default_rng(artefact_seed(job.config.seeds[0])),
    )
    return ArtefactStretch(
        subject=recording.subject,
        session=recording.session,
        seed=job.seed,
        fold=job.index,
        modalities=tuple(front_end.modality_names),
        token_s=front_end.token_s,
        start_s=(scene.first - scene.stream.earlier) * front_end.token_s,
        modality=modality,
        kind=kind,
        artefact_s=(start_s, stop_s),
        signals=recording.signals,
        corrupted=corrupted,
        **scene.judge(_variant(scene.stream, recording, corrupted)),
    )


@dataclass(frozen=True)
class _Scene:
    """A fold's network before `count` tokens of a stream, from the token `first` on."""

    job: FoldJob
    net: Any
    front_end: FrontEnd
    stream: Stream
    first: int
    count: int

    def middle(self) -> tuple[float, float]:
        """Return when the artefact starts and stops, s: whole tokens, half a window, in the middle."""
        length = max(1, self.front_end.tokens // 2)
        start = self.first - self.stream.earlier + (self.count - length) // 2
        return start * self.front_end.token_s, (start + length) * self.front_end.token_s

    def windows(self, variants: tuple[Corrupted, ...]) -> WindowSet:
        """Cut every window of one trial that lies in the stretch, one per token."""
        job, token_s = self.job, self.front_end.token_s
        stream = replace(self.stream, variants=variants)
        windows = build_windows([stream], self.front_end, job.config.data.task, job.classes, token_s)
        start = np.round(windows.start_s / token_s).astype(int) + self.stream.earlier
        inside = (start >= self.first) & (start + self.front_end.tokens <= self.first + self.count)
        trial = windows.trial[inside][0]  # trials may overlap; the label of one is shown
        return windows.take(np.flatnonzero(inside & (windows.trial == trial)))

    def look(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logits ``[N, K]``, and interference and attention float64 ``[N, T, M]``."""
        traced = self.net.trace({"features": features, "presence": presence.astype(np.float32)})
        found = {
            name: np.asarray(keras.ops.convert_to_numpy(traced[name]), np.float64)
            for name in ("category_attention", "interference_scores")
            if name in traced
        }
        attention = found["category_attention"].mean(axis=1) * presence[0].size
        scores = found.get("interference_scores", np.full(attention.shape, np.nan))
        logits: Any = keras.ops.convert_to_numpy(traced["logits"][self.job.config.data.task])
        return {
            "logits": logits,
            "attention": attention.reshape(presence.shape),
            "interference": scores.reshape(presence.shape),
        }

    def judge(self, variant: Corrupted) -> dict[str, Any]:
        """Return what the network makes of the stretch, as measured and as in `variant`."""
        windows, job, part = self.windows((variant,)), self.job, slice(self.first, self.first + self.count)
        shown = [
            (windows.features, windows.presence),
            (windows.variant_features[0], windows.variant_presence[0]),
        ]
        views = [self.look(*view) for view in shown]
        first = self.first - self.stream.earlier
        starts = np.round(windows.start_s / self.front_end.token_s).astype(int) - first
        presence = np.stack([self.stream.presence[part], variant.presence[part]])
        scores, attention = (
            np.stack([per_token(view[name], starts, self.count) for view in views])
            for name in ("interference", "attention")
        )
        task, label = job.config.data.task, int(windows.label[0])
        decision = read_fold(job.folder)["decision"]
        said = np.stack([apply_temperature(v["logits"], decision["temperature"][task]) for v in views])
        return {
            "presence": presence,
            "interference": np.where(presence, scores, np.nan),
            "attention": attention,
            "decision_s": windows.start_s + self.front_end.window_s,
            "truth": said[:, :, label],
            "sure": said.max(axis=2) >= decision["min_confidence"][task],
            "label": job.classes[label],
            "classes": len(job.classes),
        }


def best_place(
    streams: Iterable[Stream], front_end: FrontEnd, task: str, enrolment_s: float
) -> tuple[Stream, int, int] | None:
    """Find the stretch of a labelled trial where most tokens are present.

    Of all stretches of `SHOWN_WINDOWS` windows, or of the longest trial where none is as long, the first with
    the largest share of present tokens.

    Returns
    -------
    tuple of Stream, int, int
        Whose, its first token, and how many tokens; None where no trial is longer than a window.
    """
    trials = [
        (
            stream,
            max(
                stream.enrolled_from(enrolment_s),
                math.ceil(trial.start_s / front_end.token_s - 1e-9),
            ),
            min(len(stream.features), math.floor(trial.stop_s / front_end.token_s + 1e-9)),
        )
        for stream in streams
        for trial in stream.trials
        if task in trial.labels
    ]
    count = min(
        round(SHOWN_WINDOWS * front_end.tokens), max((stop - start for _, start, stop in trials), default=0)
    )
    if count <= front_end.tokens:
        return None
    best: tuple[float, Stream, int] | None = None
    for stream, start, stop in trials:
        total = np.concatenate([[0], stream.presence[start:stop].mean(axis=1).cumsum()])
        shares = (total[count:] - total[:-count]) / count
        if shares.size and (best is None or shares.max() > best[0] + 1e-9):
            best = float(shares.max()), stream, start + int(shares.argmax())
    return None if best is None else (best[1], best[2], count)


def per_token(values: np.ndarray, starts: np.ndarray, count: int) -> np.ndarray:
    """Give each token the mean over the windows that hold it.

    Parameters
    ----------
    values : float ``[N, T, M]``
        Of windows.
    starts : int ``[N]``
        The windows' first tokens, counted from the stretch's.
    count : int
        Tokens of the stretch, n.

    Returns
    -------
    float64 ``[n, M]``
        NaN for a token in no window.
    """
    total, held = np.zeros((count, values.shape[2])), np.zeros((count, 1))
    for start, window in zip(starts, values, strict=True):
        total[start : start + len(window)] += window
        held[start : start + len(window)] += 1
    return np.divide(total, held, out=np.full(total.shape, np.nan), where=held > 0)


def _recording(run: Run, stream: Stream) -> Recording:
    """Load the recording a stream came from."""
    dataset, folder = run.dataset, run.data_folder
    names = [name for name in dataset.subjects(folder) if name.partition("/")[0] == stream.subject]
    loaded = (dataset.load(folder, name) for name in names)
    return next(recording for recording in loaded if recording.session == stream.session)


def _variant(stream: Stream, recording: Recording, corrupted: Signal) -> Corrupted:
    """Return a stream's tokens with one modality's signal replaced by the corrupted one."""
    front_end, name = stream.front_end, corrupted.modality
    alone = TokenSettings(front_end, ArtefactsConfig(), 0).alone(name)
    tokens = modality_tokens(alone, name, corrupted, recording.duration_s)
    features, presence = stream.features.copy(), stream.presence.copy()
    column = front_end.modality_names.index(name)
    own = slice(stream.earlier, None)
    count = len(features[own])
    features[own, front_end.measured_layout.feature_slices[name]] = tokens.features[:count]
    presence[own, column] = tokens.presence[:count, 0]
    return Corrupted(features, presence, np.zeros_like(presence))


def _most_looked_at(view: Mapping[str, np.ndarray], windows: WindowSet, front_end: FrontEnd) -> str:
    """Name the modality whose present tokens get most attention in the stretch as measured."""
    seen = np.where(windows.presence, view["attention"], 0.0).sum(axis=(0, 1))
    return front_end.modality_names[int(seen.argmax())]
