# SPDX-License-Identifier: Apache-2.0
"""The missing-data protocols A to E: what a finished model is judged under, and the masks, drawn from a seed.

A hides whole modalities of windows, B contiguous blocks of a modality, C scattered tokens, D named sensors,
E puts artefacts in place of gaps. Masks of A, B and C are nested: what is hidden at one level is hidden at
every higher one, so that a curve falls because of the level and not because of another draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType

import numpy as np

from mmq_tf.augmentation.missingness import named_conditions

PROTOCOLS = ("A", "B", "C", "D", "E")
MASKED = ("A", "B", "C")
"""The protocols whose masks are drawn."""

BLOCK_S = (2.0, 20.0)
SNR_DB = (10, 5, 0, -5)
ARTEFACT_SHARE = 0.3
MASK_SEED = 4301
ARTEFACT_SEED = 4302

MAX_SENSORS_OF_SUBSETS = 6
"""With more sensors, D leaves out the subsets beyond one gone and one alone: they double with each sensor."""


def condition_name(protocol: str, level: float) -> str:
    """Name a level of a protocol: ``A-0.5``, ``E-0dB``.

    Examples
    --------
    >>> condition_name("B", 0.7), condition_name("E", -5)
    ('B-0.7', 'E--5dB')
    """
    return f"E-{level:g}dB" if protocol == "E" else f"{protocol}-{level:.1f}"


def read_level(condition: str) -> tuple[str, float] | None:
    """Return protocol and level of a condition of A, B, C or E, or None for another condition.

    Examples
    --------
    >>> read_level("A-0.5"), read_level("E--5dB"), read_level("no-ppg")
    (('A', 0.5), ('E', -5.0), None)
    """
    protocol, _, level = condition.partition("-")
    if protocol not in (*MASKED, "E"):
        return None
    return protocol, float(level.removesuffix("dB"))


def levels(cells: int) -> tuple[float, ...]:
    """Return 0.1, 0.2, ... 0.9 up to the last level that leaves one of `cells` in every window.

    Examples
    --------
    >>> levels(4)[-1], levels(10)[-1]
    (0.7, 0.9)
    """
    return tuple(tenth / 10 for tenth in range(1, 10) if tenth * cells <= 10 * (cells - 1))


def draw_masks(presence: np.ndarray, token_s: float, seed: int = MASK_SEED) -> dict[str, np.ndarray]:
    """Draw the masks of protocols A, B and C at all their levels for one set of windows.

    At level L exactly ``round(L * cells)`` of the set's cells are hidden: (window, modality) cells for A,
    tokens for B and C, whether or not they were present. Something stays in every window: the modality
    (A) or token (B, C) that is present and would be hidden last. A block of B lasts as many whole tokens as
    fit between 2 and 20 s (at least one) and may reach over a window's edge.

    Parameters
    ----------
    presence : bool ``[N, T, M]``
        Of the windows as they were measured.
    token_s : float
        Seconds a token.
    seed : int
        Each protocol draws from a stream of its own.

    Returns
    -------
    dict
        Condition name -> bool ``[N, T, M]``, True where the token stays visible: use `presence & mask`.
    """
    windows, tokens, modalities = presence.shape
    cells = {
        "A": presence.any(axis=1),
        "B": presence.reshape(windows, -1),
        "C": presence.reshape(windows, -1),
    }
    masks = {}
    for protocol, present in cells.items():
        rng = np.random.default_rng([seed, MASKED.index(protocol)])
        if protocol == "B":
            order = _block_order(rng, presence.shape, token_s).reshape(windows, -1)
        else:
            order = rng.permutation(present.size).reshape(present.shape)
        for level, hidden in _hidden_in_order(order, present).items():
            rows = hidden[:, None, :] if protocol == "A" else hidden.reshape(windows, tokens, modalities)
            masks[condition_name(protocol, level)] = np.broadcast_to(~rows, presence.shape).copy()
    return masks


def _hidden_in_order(order: np.ndarray, present: np.ndarray) -> dict[float, np.ndarray]:
    """Return what each level hides, lowest `order` first; both ``[N, cells]``, the order distinct numbers."""
    order = order.copy()
    last = np.where(present, order, -1).argmax(axis=1)
    order[np.arange(len(order)), last] = order.max(initial=0) + 1
    ranked = order.ravel().argsort(kind="stable")
    found = {}
    for level in levels(order.shape[1]):
        hidden = np.zeros(order.size, dtype=bool)
        hidden[ranked[: round(level * order.size)]] = True
        found[level] = hidden.reshape(order.shape)
    return found


def _block_order(rng: np.random.Generator, shape: tuple[int, ...], token_s: float) -> np.ndarray:
    """Return int ``[N, T, M]``: when each token is first covered, as blocks fall until all are covered.

    In each round every (window, modality) gets one block, in random order.
    """
    windows, tokens, modalities = shape
    shortest, longest = (max(1, math.ceil(BLOCK_S[0] / token_s)), max(1, math.floor(BLOCK_S[1] / token_s)))
    rows = windows * modalities
    order = np.full((rows, tokens), -1, dtype=np.int64)
    index = np.arange(tokens)
    turns = 0
    while (order < 0).any():
        length = rng.integers(shortest, longest + 1, rows)[:, None]
        start = rng.integers(1 - length, tokens)
        turn = turns + rng.permutation(rows)[:, None]
        reached = (index >= start) & (index < start + length) & (order < 0)
        order = np.where(reached, turn * tokens + index, order)
        turns += rows
    return order.reshape(windows, modalities, tokens).transpose(0, 2, 1)


def sensor_conditions(
    modality_names: Sequence[str], others: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> dict[str, tuple[str, ...]]:
    """Return the conditions of protocol D beside ``full``: name -> hidden modalities.

    ``no-ppg`` (one gone), ``only-ppg`` (one alone), `others`, and ``subset-ppg+eda`` for every further subset
    that stays, up to `MAX_SENSORS_OF_SUBSETS` sensors.
    """
    names = tuple(modality_names)
    conditions = named_conditions(names)
    del conditions["full"]
    if len(names) > 1:
        conditions |= {f"only-{name}": tuple(n for n in names if n != name) for name in names}
    conditions |= others
    if len(names) <= MAX_SENSORS_OF_SUBSETS:
        for kept in (kept for size in range(2, len(names) - 1) for kept in combinations(names, size)):
            conditions[f"subset-{'+'.join(kept)}"] = tuple(n for n in names if n not in kept)
    return conditions


def kept_sensors(condition: str, modality_names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the sensors that stay under a condition named by its sensors; None for any other condition.

    Examples
    --------
    >>> kept_sensors("no-eda", ("ppg", "eda", "acc")), kept_sensors("subset-ppg+eda", ("ppg", "eda", "acc"))
    (('ppg', 'acc'), ('ppg', 'eda'))
    """
    kind, _, rest = condition.partition("-")
    named = rest.split("+")
    if condition == "full":
        return tuple(modality_names)
    if kind not in ("no", "only", "subset") or not set(named) <= set(modality_names):
        return None
    return tuple(name for name in modality_names if (name in named) != (kind == "no"))


def artefact_seed(training_seed: int) -> int:
    """Return the seed of protocol E's artefacts: the same for every run, never that of its training."""
    return ARTEFACT_SEED + (training_seed == ARTEFACT_SEED)
