# SPDX-License-Identifier: Apache-2.0
"""Which windows of which recordings belong together: the same second of a stimulus, or neighbours in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.pretraining.meiosis import ABSENT, Neighbours, Seconds
from mmq_tf.recording import Trial

STIMULUS_RULE = "Meiosis: pairs of people at the same second of the same stimulus"
NEIGHBOUR_RULE = (
    "neighbouring windows of the same person and session, since the recordings are not locked to a stimulus"
)


@dataclass(frozen=True)
class StimulusTimeline:
    """One recording as a bank of steps holds it.

    Parameters
    ----------
    subject : str
    trials : tuple of Trial
    first, count : int
        Number of its first step in the bank, and of its steps.
    """

    subject: str
    trials: tuple[Trial, ...]
    first: int
    count: int


def stretches(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Join trials that continue the same stimulus where the one before ended; others of none are left out.

    Labels play no part in pretraining, so a window may lie across such a seam.

    Examples
    --------
    >>> cut = [Trial(0, 4, {}, {}, "clip 1", 2.0), Trial(4, 9, {}, {}, "clip 1", 6.0), Trial(9, 12, {})]
    >>> [(one.start_s, one.stop_s, one.stimulus_s) for one in stretches(cut)]
    [(0, 9, 2.0)]
    """
    held: Trial | None = None
    for trial in trials:
        if held is not None and _goes_on(held, trial):
            held = Trial(held.start_s, trial.stop_s, {}, {}, held.stimulus, held.stimulus_s)
            continue
        if held is not None:
            yield held
        held = trial if trial.stimulus else None
    if held is not None:
        yield held


def _goes_on(held: Trial, trial: Trial) -> bool:
    same = held.stimulus == trial.stimulus and abs(held.stop_s - trial.start_s) < 1e-6
    return same and abs(trial.stimulus_s - held.stimulus_s - (trial.start_s - held.start_s)) < 1e-6


def stimulus_seconds(timelines: Sequence[StimulusTimeline], step_s: float, steps: int) -> Seconds:
    """Return who has a window of which second of which stimulus; seconds that one person has are left out.

    Windows begin at steps of the recording, which are nowhere farther than half a step from the second they
    stand for. Of a stimulus that a person met twice the first time counts.

    Parameters
    ----------
    timelines
        The training subjects' recordings.
    step_s
        Seconds between steps, and of what counts as the same second.
    steps
        Steps in a window.

    Raises
    ------
    MMQError
        If no two people share a window.
    """
    people = sorted({timeline.subject for timeline in timelines})
    found: dict[tuple[str, int], dict[int, int]] = {}
    for timeline in timelines:
        person = people.index(timeline.subject)
        for stretch in stretches(timeline.trials):
            for step in _window_starts(stretch, timeline.count, step_s, steps):
                second = round((step * step_s - stretch.start_s + stretch.stimulus_s) / step_s)
                found.setdefault((stretch.stimulus, second), {}).setdefault(person, timeline.first + step)
    shared = {key: windows for key, windows in sorted(found.items()) if len(windows) > 1}
    if not shared:
        raise MMQError(
            f"pretraining: no two of {len(people)} training subjects share a window of {steps * step_s:g} s "
            "of the same stimulus; use more subjects or shorten front_end.tokens."
        )
    names = sorted({stimulus for stimulus, _ in shared})
    table = np.full((len(shared), len(people)), ABSENT, np.int64)
    for row, windows in enumerate(shared.values()):
        table[row, list(windows)] = list(windows.values())
    return Seconds(
        window=table,
        stimulus=np.array([names.index(stimulus) for stimulus, _ in shared]),
        start_s=np.array([second * step_s for _, second in shared]),
        window_s=steps * step_s,
    )


def _window_starts(stretch: Trial, count: int, step_s: float, steps: int) -> range:
    first = int(np.ceil(stretch.start_s / step_s - 1e-9))
    last = min(int(np.floor(stretch.stop_s / step_s + 1e-9)), count) - steps
    return range(first, last + 1)


def session_neighbours(timelines: Sequence[StimulusTimeline], steps: int) -> Neighbours:
    """Return the sessions in which touching windows belong together."""
    return Neighbours(
        tuple(timeline.first for timeline in timelines),
        tuple(timeline.count for timeline in timelines),
        steps,
    )


def moments(
    timelines: Sequence[StimulusTimeline], step_s: float, steps: int, *, locked: bool
) -> tuple[Seconds | Neighbours, str]:
    """Return what belongs together, and the rule in words; by stimulus where there is one.

    Parameters as `stimulus_seconds`; `locked` is what the data set's loader says.

    Raises
    ------
    MMQError
        If the recordings are said to be locked but no two people share a window.
    """
    if locked:
        return stimulus_seconds(timelines, step_s, steps), STIMULUS_RULE
    return session_neighbours(timelines, steps), NEIGHBOUR_RULE
