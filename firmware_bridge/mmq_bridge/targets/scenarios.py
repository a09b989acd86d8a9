# SPDX-License-Identifier: Apache-2.0
"""What the cost of the core is measured on: each modality alone at its usual rates, and the wrist set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmq_bridge.front_end.front_end import DEFAULT_VERSION, FrontEnd
from mmq_bridge.front_end.modality_constraints import CONTEXTS
from mmq_bridge.targets.script import Operation
from mmq_bridge.targets.simulated import PlainSignal, simulate
from mmq_bridge.targets.vectors import Vector, front_end, with_statistics

CHUNK_S = 0.25
"""A push brings what came in so many seconds; a token's last frame comes alone: it computes the features."""
MEASURED_TOKENS = 4
"""At least so many are counted."""
EEG_TOKEN_S, TOKEN_S, TOKENS = 2.0, 5.0, 12


@dataclass(frozen=True)
class Scenario:
    """One front end fed with SIMULATED signals.

    Attributes
    ----------
    vector : Vector
    title : str
        For people.
    warm_tokens : int
        Tokens until every context is full; they are not counted.
    """

    vector: Vector
    title: str
    warm_tokens: int


def _edges(total: int, token: int, step: int) -> list[int]:
    """Where pushes begin and end, in frames: every step, at a token's end, and one frame before it."""
    starts = range(0, total, token)
    edges = {min(edge, total) for start in starts for edge in range(start, start + token, step)}
    return sorted(edges | {total} | {start + token - 1 for start in starts if start + token <= total})


def _script(plain: FrontEnd, signals: Mapping[str, PlainSignal]) -> tuple[Operation, ...]:
    arrivals: list[tuple[float, Operation]] = []
    for index, name in enumerate(plain.modality_names):
        rate, samples = signals[name].sampling_rate_hz, signals[name].samples
        edges = _edges(samples.shape[1], round(plain.token_s * rate), max(1, int(CHUNK_S * rate)))
        for first, last in zip(edges, edges[1:], strict=False):
            part = np.ascontiguousarray(samples[:, first:last])
            arrivals.append((last / rate, Operation(index, first / rate, part)))
    return tuple(operation for _, operation in sorted(arrivals, key=lambda arrival: arrival[0]))


def make_scenario(
    name: str,
    title: str,
    parts: Mapping[str, Mapping[str, Any]],
    token_s: float,
    version: int = DEFAULT_VERSION,
    **normalisation: Any,
) -> Scenario:
    """Build a scenario that is long enough for the measured tokens to see full contexts."""
    plain = front_end(parts, token_s=token_s, tokens=TOKENS, frontend_version=version)
    context_s = max(
        (part.context_s for kind, part in plain.modalities.items() if kind in CONTEXTS), default=0.0
    )
    warm = int(np.ceil(context_s / token_s)) + 1
    seconds = max(warm + MEASURED_TOKENS, TOKENS) * token_s
    signals = {
        kind: simulate(kind, len(part.channels), part.sampling_rate_hz, seconds, 40 + i)
        for i, (kind, part) in enumerate(plain.modalities.items())
    }
    operations = _script(plain, signals)
    complete = with_statistics(plain, operations, **normalisation)
    return Scenario(Vector(name, complete, operations, True), title, warm)


def _eeg(channels: int, **settings: Any) -> dict[str, dict[str, Any]]:
    names = tuple(f"E{i + 1}" for i in range(channels))
    return {"eeg": {"sampling_rate_hz": 128.0, "channels": names, **settings}}


def _average_reference(channels: int) -> dict[str, Any]:
    matrix = np.eye(channels) - 1.0 / channels
    outputs = tuple(f"E{i + 1}" for i in range(channels))
    return {"method": "average reference", "outputs": outputs, "matrix": matrix.tolist()}


SINGLE = (("ppg", 64), ("eda", 4), ("temp", 4), ("acc", 32), ("ecg", 250), ("ecg", 500), ("resp", 32))
SHORT = (("emg", 1000), ("eog", 128))
WRIST_LOOK_BACK = "wrist_look_back"
WRIST = {"ppg": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
EEG_CHANNELS = (1, 8, 19, 32)


def all_scenarios() -> list[Scenario]:
    """Make every scenario: names end in the rate in Hz, for EEG in the number of channels."""
    out = [
        make_scenario(f"{kind}_{rate}", f"{kind} {rate} Hz", {kind: {"sampling_rate_hz": rate}}, token_s)
        for kinds, token_s in ((SINGLE, TOKEN_S), (SHORT, EEG_TOKEN_S))
        for kind, rate in kinds
    ]
    for n in EEG_CHANNELS:
        out.append(make_scenario(f"eeg_{n}", f"eeg 128 Hz, {n} ch", _eeg(n), EEG_TOKEN_S))
    mixed = _eeg(32, spatial=_average_reference(32))
    out.append(make_scenario("eeg_32_matrix", "eeg 128 Hz, 32 ch and matrix", mixed, EEG_TOKEN_S))
    wrist = {kind: {"sampling_rate_hz": rate} for kind, rate in WRIST.items()}
    out.append(make_scenario("wrist", "wrist set", wrist, TOKEN_S))
    # As many bytes and instructions as over 120 tokens, but full within the tokens there are.
    past = {"mode": "enrolment", "enrolment_s": 4 * TOKEN_S, "look_back_s": 10 * TOKEN_S}
    return [*out, make_scenario(WRIST_LOOK_BACK, "wrist set, look-back", wrist, TOKEN_S, 3, **past)]
