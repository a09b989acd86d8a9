# SPDX-License-Identifier: Apache-2.0
"""Golden vectors: raw samples of one recording and every bit a device makes of them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from tokenize import TokenError

import numpy as np

from mmq_bridge.bundle.c_model import GoldenTable
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.decision.replay import SignalLike, replay
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.settings import LOOK_BACK_SUMS

MAX_SAMPLE_BYTES = 900_000
MAX_S = 120.0
FOLDER = "golden"


@dataclass(frozen=True)
class GoldenSignal:
    """Raw samples of one modality: float32 [channels, frames], rate in Hz, start in s."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float


@dataclass(frozen=True)
class GoldenTokens:
    """What the C core makes of the golden samples.

    Attributes
    ----------
    features, presence : np.ndarray
        float32 [n, F], uint8 [n, M]: every token as popped, normalised.
    window_tokens : np.ndarray
        int64 [W]: how many tokens had closed when each window was taken.
    window_features, window_presence : np.ndarray
        float32 [W, T, F] and [W, T, M].
    window_features_i8, window_presence_i8 : np.ndarray
        int8, the same quantised by the core.
    """

    features: np.ndarray
    presence: np.ndarray
    window_tokens: np.ndarray
    window_features: np.ndarray
    window_presence: np.ndarray
    window_features_i8: np.ndarray
    window_presence_i8: np.ndarray


@dataclass(frozen=True)
class GoldenOrigin:
    """Whose samples the golden vectors are: the source of the recording, and whether it is SIMULATED."""

    data: str
    simulated: bool


def golden_step_s(front_end: FrontEnd) -> float:
    """Seconds pushed at once in a golden replay: at most one token can close a push."""
    return min(1.0, front_end.token_s / 2)


def golden_front_end(front_end: FrontEnd, tokens: int) -> FrontEnd:
    """Return the front end of the golden replay: its enrolment shortened until windows fit into `tokens`.

    A worn enrolment takes minutes; its arithmetic is the same over fewer tokens, so the replay takes what is
    left beside one window and a few steps. A look-back reaches over as few tokens as it can. Nothing else
    changes.

    Raises
    ------
    BridgeError
        When not even one enrolment token and one window fit.
    """
    needed = front_end.tokens + min(1, front_end.enrolment_tokens)
    if tokens < needed:
        raise BridgeError(
            f"golden samples: expected at least {needed} tokens of {front_end.token_s:g} s, got {tokens}; "
            "give a longer recording."
        )
    given = front_end.normalisation
    if given is None or given.mode != "enrolment":
        return front_end
    spare = max(1, tokens - front_end.tokens - 4)
    if front_end.counts_evidence:  # not every token is present
        spare = max(1, spare // 2)
    count = min(front_end.enrolment_tokens, spare)
    shorter = front_end.with_enrolment(count * front_end.token_s)
    return shorter.with_look_back(min(front_end.look_back_tokens, LOOK_BACK_SUMS))


def cut_golden(signals: Mapping[str, SignalLike], front_end: FrontEnd) -> dict[str, GoldenSignal]:
    """Return the first seconds of the front end's modalities: up to `MAX_S` and about `MAX_SAMPLE_BYTES`.

    A window always fits, however many channels there are.

    Raises
    ------
    BridgeError
        When no modality of the front end is there.
    """
    used = {name: signals[name] for name in front_end.modality_names if name in signals}
    if not used:
        raise BridgeError(
            f"golden samples: expected any of {', '.join(front_end.modality_names)}, got "
            f"{', '.join(signals) or 'none'}."
        )
    bytes_a_second = sum(4 * s.samples.shape[0] * s.sampling_rate_hz for s in used.values())
    shortest = (front_end.tokens + 2) * front_end.token_s + front_end.grace_s
    seconds = max(min(MAX_S, MAX_SAMPLE_BYTES / bytes_a_second), shortest)
    cut = {}
    for name, signal in used.items():
        frames = max(0, math.floor((seconds - signal.start_s) * signal.sampling_rate_hz))
        samples = np.ascontiguousarray(signal.samples[:, :frames], dtype=np.float32)
        cut[name] = GoldenSignal(samples, float(signal.sampling_rate_hz), float(signal.start_s))
    return {name: signal for name, signal in cut.items() if signal.samples.shape[1]}


def replay_golden(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> GoldenTokens:
    """Push golden samples through the C core and keep every token and window.

    Raises
    ------
    BridgeError
        When no window comes out.
    """
    bridge = Bridge(front_end)
    tokens: list[tuple[np.ndarray, np.ndarray]] = []
    numbers: list[int] = []
    windows: list[tuple[np.ndarray, ...]] = []
    for modality, samples, time_s in replay(signals, golden_step_s(front_end)):
        bridge.push(modality, samples, time_s)
        before = len(tokens)
        while (token := bridge.pop_token()) is not None:
            tokens.append(token)
        if len(tokens) > before and bridge.ready:
            numbers.append(bridge.closed)
            windows.append((*bridge.window(), *bridge.window_i8()))
    if not windows:
        raise BridgeError("golden samples: no window came out of the front end; give a longer recording.")
    stacked = [np.stack(part) for part in zip(*windows, strict=True)]
    return GoldenTokens(
        np.stack([token[0] for token in tokens]).astype(np.float32),
        np.stack([token[1] for token in tokens]).astype(np.uint8),
        np.array(numbers, dtype=np.int64),
        stacked[0].astype(np.float32),
        stacked[1].astype(np.float32),
        stacked[2],
        stacked[3],
    )


def count_tokens(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> int:
    """Tokens that close when these signals are replayed."""
    bridge, count = Bridge(front_end), 0
    for modality, samples, time_s in replay(signals, golden_step_s(front_end)):
        bridge.push(modality, samples, time_s)
        while bridge.pop_token() is not None:
            count += 1
    return count


def golden_tables(front_end: FrontEnd, signals: Mapping[str, GoldenSignal]) -> list[GoldenTable]:
    """Return what ``mmq_golden.h`` says of each modality, in the front end's order."""
    tables = []
    for name, modality in front_end.modalities.items():
        signal = signals.get(name)
        if signal is None:
            tables.append(GoldenTable("", len(modality.channels), 0, float(modality.sampling_rate_hz), 0.0))
        else:
            channels, frames = signal.samples.shape
            tables.append(
                GoldenTable(sample_file(name), channels, frames, signal.sampling_rate_hz, signal.start_s)
            )
    return tables


def golden_steps(front_end: FrontEnd, signals: Mapping[str, GoldenSignal]) -> int:
    """How many steps of `golden_step_s` the replay takes."""
    stop_s = max(s.start_s + s.samples.shape[1] / s.sampling_rate_hz for s in signals.values())
    return math.ceil(stop_s / golden_step_s(front_end))


def sample_file(modality: str) -> str:
    """Name of the file with a modality's raw samples."""
    return f"{modality}_samples.npy"


def golden_files(
    front_end: FrontEnd,
    signals: Mapping[str, GoldenSignal],
    tokens: GoldenTokens,
    logits: Mapping[str, Mapping[str, np.ndarray]],
    origin: GoldenOrigin,
    decisions: np.ndarray | None = None,
) -> dict[str, bytes]:
    """Return the content of the ``golden/`` folder by path.

    Parameters
    ----------
    front_end
        Of the replay (see `golden_front_end`).
    signals, tokens
        What went in and came out.
    logits
        [W, classes] by task by model name (``float32``, ``int8``), by LiteRT.
    origin
        Whose samples they are.
    decisions
        What the core decides of them with the network in C, where there is one.
    """
    arrays = {sample_file(name): signal.samples for name, signal in signals.items()}
    arrays |= {f"{name}.npy": value for name, value in vars(tokens).items()}
    arrays |= {
        f"logits_{model}_{task}.npy": value.astype(np.float32)
        for model, by_task in logits.items()
        for task, value in by_task.items()
    }
    if decisions is not None and len(decisions):
        arrays["decisions.npy"] = decisions
    index = {
        **asdict(origin),
        "enrolment_tokens": front_end.enrolment_tokens,
        **({"look_back_tokens": front_end.look_back_tokens} if front_end.look_back_tokens else {}),
        "step_s": golden_step_s(front_end),
        "signals": {
            name: {"sampling_rate_hz": signal.sampling_rate_hz, "start_s": signal.start_s}
            for name, signal in signals.items()
        },
    }
    files = {f"{FOLDER}/{name}": npy_bytes(value) for name, value in arrays.items()}
    files[f"{FOLDER}/golden.json"] = (json.dumps(index, indent=2) + "\n").encode()
    return files


def npy_bytes(array: np.ndarray) -> bytes:
    """Return an array as the content of a .npy file (C order, no pickle)."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def read_npy(content: bytes, where: str) -> np.ndarray:
    """Read a .npy file that holds plain numbers.

    Raises
    ------
    BridgeError
        When it is not one, or its header and its size disagree.
    """
    try:
        stream = io.BytesIO(content)
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("expected .npy version 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.hasobject or fortran or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
            raise ValueError("header and size disagree")
        return np.frombuffer(content, dtype=dtype, offset=stream.tell()).reshape(shape)
    except (ValueError, TypeError, OverflowError, SyntaxError, TokenError) as error:
        raise BridgeError(f"{where}: not a plain .npy file ({error}); export the bundle again.") from error
