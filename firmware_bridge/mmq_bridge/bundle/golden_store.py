# SPDX-License-Identifier: Apache-2.0
"""Read the ``golden/`` folder of a bundle back, checking every shape before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from mmq_bridge.bundle.golden import FOLDER, GoldenSignal, GoldenTokens, read_npy, sample_file
from mmq_bridge.bundle.golden_decisions import DECISIONS_FILE, decision_type
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.validation import StrictModel, first_problem


class GoldenSignalFacts(StrictModel):
    """Rate (Hz) and start (s) of one golden signal."""

    sampling_rate_hz: float = Field(gt=0, le=1e5)
    start_s: float = Field(ge=-1e6, le=1e6)


class GoldenIndex(StrictModel):
    """The content of ``golden/golden.json``."""

    data: str
    simulated: bool
    enrolment_tokens: int = Field(ge=0, le=100_000)
    look_back_tokens: int = Field(default=0, ge=0, le=100_000)
    step_s: float = Field(gt=0, le=10)
    signals: dict[str, GoldenSignalFacts] = Field(min_length=1, max_length=16)


@dataclass(frozen=True)
class GoldenStore:
    """Golden samples, the front end of their replay, and what came out of it at export.

    `decisions` (`decision_type` [D]) is None in bundles from before there were golden decisions, and where
    the kernels in C do not know the network.
    """

    front_end: FrontEnd
    signals: dict[str, GoldenSignal]
    tokens: GoldenTokens
    logits: dict[str, dict[str, np.ndarray]]
    decisions: np.ndarray | None = None


def load_golden(
    folder: Path, files: dict[str, bytes], front_end: FrontEnd, tasks: Mapping[str, Sequence[str]]
) -> GoldenStore:
    """Read golden vectors.

    Parameters
    ----------
    folder
        The bundle, for messages.
    files
        Checked content by path.
    front_end
        Of the bundle.
    tasks
        Classes by the name of the model's output.

    Raises
    ------
    BridgeError
        Naming the file that is absent or does not fit.
    """
    index = _index(folder, files)
    replay_end = _front_end(folder, front_end, index)

    def array(name: str) -> np.ndarray:
        path = f"{FOLDER}/{name}.npy"
        if path not in files:
            raise BridgeError(f"{folder / path}: a bundle needs this file; export again.")
        return read_npy(files[path], str(folder / path))

    signals = {}
    for name, facts in index.signals.items():
        if name not in front_end.modalities:
            raise BridgeError(
                f"{folder / FOLDER}/golden.json: {name!r} is no modality of the front end; export again."
            )
        samples = array(sample_file(name).removesuffix(".npy"))
        _expect(
            folder, sample_file(name), samples, np.float32, (len(front_end.modalities[name].channels), None)
        )
        signals[name] = GoldenSignal(samples, facts.sampling_rate_hz, facts.start_s)
    tokens = GoldenTokens(**{item.name: array(item.name) for item in fields(GoldenTokens)})
    _check_tokens(folder, tokens, front_end)
    logits = {
        model: {task: array(f"logits_{model}_{task}") for task in tasks} for model in ("float32", "int8")
    }
    for model, by_task in logits.items():
        for task, value in by_task.items():
            _expect(
                folder, f"logits_{model}_{task}.npy", value, np.float32, (len(tokens.window_tokens), None)
            )
    decisions = array("decisions") if DECISIONS_FILE in files else None
    if decisions is not None:
        kind = decision_type(len(tasks), sum(map(len, tasks.values())))
        _expect(folder, "decisions.npy", decisions, kind, (None,))
    return GoldenStore(replay_end, signals, tokens, logits, decisions)


def _index(folder: Path, files: dict[str, bytes]) -> GoldenIndex:
    try:
        return GoldenIndex.model_validate_json(files[f"{FOLDER}/golden.json"])
    except ValidationError as error:
        found = first_problem(error)
        place = found.place or "top level"
        raise BridgeError(
            f"{folder / FOLDER}/golden.json: {place}: {found.message}; export again."
        ) from error


def _front_end(folder: Path, front_end: FrontEnd, index: GoldenIndex) -> FrontEnd:
    given = front_end.normalisation
    if given is None or given.mode != "enrolment":
        return front_end
    if index.enrolment_tokens < 1:
        raise BridgeError(
            f"{folder / FOLDER}/golden.json: expected enrolment_tokens above 0, got 0; export again."
        )
    if (index.look_back_tokens > 0) != (front_end.look_back_tokens > 0):
        raise BridgeError(
            f"{folder / FOLDER}/golden.json: expected look_back_tokens as the front end has look-backs or "
            f"not, got {index.look_back_tokens}; export again."
        )
    try:
        shorter = front_end.with_enrolment(index.enrolment_tokens * front_end.token_s)
        return shorter.with_look_back(index.look_back_tokens)
    except BridgeError as error:
        raise BridgeError(f"{folder / FOLDER}/golden.json: {error}; export again.") from error


def _check_tokens(folder: Path, tokens: GoldenTokens, front_end: FrontEnd) -> None:
    count, width, modalities = len(tokens.window_tokens), front_end.n_features, len(front_end.modality_names)
    window, seen = (count, front_end.tokens, width), (count, front_end.tokens, modalities)
    for name, dtype, shape in (
        ("features", np.float32, (None, width)),
        ("presence", np.uint8, (len(tokens.features), modalities)),
        ("window_tokens", np.int64, (None,)),
        ("window_features", np.float32, window),
        ("window_presence", np.float32, seen),
        ("window_features_i8", np.int8, window),
        ("window_presence_i8", np.int8, seen),
    ):
        _expect(folder, f"{name}.npy", getattr(tokens, name), dtype, shape)
    if not np.isfinite(tokens.window_features).all():
        raise BridgeError(f"{folder / FOLDER}/window_features.npy: expected finite features; export again.")


def _expect(
    folder: Path, name: str, array: np.ndarray, dtype: type | np.dtype, shape: tuple[int | None, ...]
) -> None:
    fits = array.ndim == len(shape) and all(
        w is None or w == n for w, n in zip(shape, array.shape, strict=False)
    )
    if array.dtype != dtype or not fits or not array.size:
        wanted = f"{np.dtype(dtype).name} {tuple('any' if n is None else n for n in shape)}"
        raise BridgeError(
            f"{folder / FOLDER / name}: expected {wanted}, got {array.dtype} {array.shape}; export again."
        )
