# SPDX-License-Identifier: Apache-2.0
"""Where each recording enrols: in a trial named as rest, its own or one of another session of the person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from mmq_bridge.front_end.enrolment import evidence

from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import Corrupted, Stream


def enrolled_at_rest(
    streams: Sequence[Stream], settings: NormalisationConfig, token_s: float
) -> list[Stream]:
    """Return the streams as `rest_class` and `enrolment_from` have them enrol; without one as they were.

    An enrolment measured apart from what is judged comes before it in the stream, as a device sees it that
    was enrolled on another day. The order of windows does not change by it, nor their times in the recording.
    Recordings of people without another session are left out where that is asked for; see `left_out`.

    Raises
    ------
    MMQError
        If a recording has no trial of that name, or none that holds a whole token; nobody has another
        session; or a data set enrols in rest and none is named.
    """
    if settings.rest_class is None:
        apart = [stream.subject for stream in streams if stream.limits.enrolment_from]
        if apart and settings.mode == "enrolment":
            raise MMQError(
                f"subject {apart[0]}: this data set enrols in rest, apart from what is judged; name the rest "
                "with normalisation.rest_class."
            )
        return list(streams)
    found = [_enrolled(stream, streams, settings, token_s) for stream in streams]
    there = [stream for stream in found if stream is not None]
    if streams and not there:
        raise MMQError(
            f"nobody has another session with a trial named {settings.rest_class!r} to enrol in "
            "(normalisation.enrolment_from other_visit); choose rest_half."
        )
    return there


def left_out(before: Sequence[Stream], after: Sequence[Stream]) -> list[str]:
    """Return a line for every stream that `enrolled_at_rest` left out."""
    kept = {(stream.subject, stream.session) for stream in after}
    return [
        f"{stream.subject}, session {stream.session}: no other session with rest to enrol in"
        for stream in before
        if (stream.subject, stream.session) not in kept
    ]


def _enrolled(
    stream: Stream, streams: Sequence[Stream], settings: NormalisationConfig, token_s: float
) -> Stream | None:
    rest_class = settings.rest_class or ""
    where = stream.limits.enrolment_from or settings.enrolment_from
    if where is None:
        return _put_on_at_rest(stream, _Rest.of(stream, rest_class, token_s))
    if where == "rest_half":
        return _by_half(stream, _Rest.of(stream, rest_class, token_s), token_s)
    others = (one for one in streams if one.subject == stream.subject and one.session != stream.session)
    other = next((one for one in others if _rests(one, rest_class)), None)
    return None if other is None else _by_other(stream, other, _Rest.of(other, rest_class, token_s))


@dataclass(frozen=True)
class _Rest:
    """The first trial named as rest: its number and its whole tokens, from `first` to before `last`."""

    name: str
    trial: int
    first: int
    last: int
    token_s: float

    @classmethod
    def of(cls, stream: Stream, rest_class: str, token_s: float) -> _Rest:
        rests = _rests(stream, rest_class)
        if not rests:
            names = sorted({label for trial in stream.trials for label in trial.labels.values()})
            raise MMQError(
                f"subject {stream.subject}: no trial is named {rest_class!r} (normalisation.rest_class), "
                f"only {', '.join(names) or 'none'}; name another class, or choose normalisation.mode "
                "running or population."
            )
        rest = stream.trials[rests[0]]
        first = math.ceil(rest.start_s / token_s - 1e-9)
        last = math.floor(rest.stop_s / token_s + 1e-9)
        if last <= first:
            raise MMQError(
                f"subject {stream.subject}: its first {rest_class!r} trial, from {rest.start_s:g} to "
                f"{rest.stop_s:g} s, is too short to enrol in; leave the recording out, or name another "
                "normalisation.rest_class."
            )
        return cls(rest_class, rests[0], first, last, token_s)

    def length_s(self, stream: Stream, last: int) -> float:
        """Return how long an enrolment from `first` to before `last` may be, in s."""
        most = last - self.first
        if stream.front_end.frontend_version >= 3:
            presence = stream.presence[self.first : last]
            most = int(evidence(stream.front_end.modality_names, presence).max(initial=0))
            if not most:
                raise MMQError(
                    f"subject {stream.subject}: nothing but temp and acc was measured in its first "
                    f"{self.name!r} trial; leave the recording out, or name another "
                    "normalisation.rest_class."
                )
        return most * self.token_s


def _rests(stream: Stream, rest_class: str) -> list[int]:
    return [index for index, trial in enumerate(stream.trials) if rest_class in trial.labels.values()]


def _put_on_at_rest(stream: Stream, rest: _Rest) -> Stream:
    """Enrol in the recording itself: what lies before the rest is not used."""
    length_s = min(stream.limits.enrolment_s, rest.length_s(stream, rest.last))
    limits = replace(stream.limits, enrolment_start_s=rest.first * rest.token_s, enrolment_s=length_s)
    worn = np.arange(len(stream.presence))[:, None] >= rest.first
    variants = tuple(replace(one, presence=one.presence & worn) for one in stream.variants)
    return replace(stream, limits=limits, presence=stream.presence & worn, variants=variants)


def _by_half(stream: Stream, rest: _Rest, token_s: float) -> Stream:
    """Enrol in the first half of the rest, which is then no part of the recording any more."""
    middle = rest.first + (rest.last - rest.first) // 2
    if middle == rest.first:
        start_s, stop_s = stream.trials[rest.trial].start_s, stream.trials[rest.trial].stop_s
        raise MMQError(
            f"subject {stream.subject}: half of its first {rest.name!r} trial, from {start_s:g} to {stop_s:g}"
            f" s, holds no whole token of {token_s:g} s to enrol in; leave the recording out."
        )
    trials = list(stream.trials)
    given = trials[rest.trial]
    gone_s = middle * token_s - given.start_s
    trials[rest.trial] = replace(
        given, start_s=middle * token_s, stimulus_s=given.stimulus_s + gone_s if given.stimulus else 0.0
    )
    taken = slice(rest.first, middle)
    judged = np.ones((len(stream.presence), 1), bool)
    judged[taken] = False
    remaining = replace(
        stream,
        trials=tuple(trials),
        presence=stream.presence & judged,
        variants=tuple(replace(one, presence=one.presence & judged) for one in stream.variants),
    )
    return _after(stream, taken, remaining, rest.length_s(stream, middle), token_s)


def _by_other(stream: Stream, other: Stream, rest: _Rest) -> Stream:
    """Enrol in the rest of another session of the person."""
    taken = slice(rest.first, rest.last)
    return _after(other, taken, stream, rest.length_s(other, rest.last), rest.token_s)


def _after(source: Stream, taken: slice, judged: Stream, length_s: float, token_s: float) -> Stream:
    """Return a stream of the taken tokens of one stream and then all of another one."""
    count = taken.stop - taken.start
    shift_s = count * token_s
    clean = Corrupted(source.features, source.presence, np.zeros_like(source.presence))
    before = (
        source.variants if len(source.variants) == len(judged.variants) else [clean] * len(judged.variants)
    )
    return replace(
        judged,
        features=np.concatenate([source.features[taken], judged.features]),
        presence=np.concatenate([source.presence[taken], judged.presence]),
        variants=tuple(
            Corrupted(
                np.concatenate([one.features[taken], other.features]),
                np.concatenate([one.presence[taken], other.presence]),
                np.concatenate([one.corrupted[taken], other.corrupted]),
            )
            for one, other in zip(before, judged.variants, strict=True)
        ),
        trials=tuple(
            replace(trial, start_s=trial.start_s + shift_s, stop_s=trial.stop_s + shift_s)
            for trial in judged.trials
        ),
        limits=replace(
            judged.limits, enrolment_start_s=0.0, enrolment_s=min(judged.limits.enrolment_s, length_s)
        ),
        earlier=count,
    )
