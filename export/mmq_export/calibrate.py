# SPDX-License-Identifier: Apache-2.0
"""Windows that show the converter every range an activation can take."""

import numpy as np

from mmq_export.errors import ExportError

KINDS = ("everything", "random", "without_modality", "one_modality", "one_token", "nothing")
"""What a calibration window keeps; each kind of sparse window must be seen, or its ranges are clipped."""

_CYCLE = (*("everything", "random") * 3, "without_modality", "one_modality")
_ALWAYS = ("nothing", "one_token", "one_modality", "without_modality")


def calibration_windows(features, presence, count: int = 300, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Draw calibration windows, complete and sparse, from windows of the training subjects.

    About 3/8 stay as they are, 3/8 lose tokens at a random rate, 1/8 a modality and 1/8 all but one modality;
    a window with nothing and a window with a single token are always among them.

    Parameters
    ----------
    features : array_like ``[N, T, F]``
    presence : array_like ``[N, T, M]``
        0 or 1.
    count : int
        Number of windows to draw, at least 16.
    seed : int

    Returns
    -------
    list of dict
        ``features`` float32 ``[1, T, F]`` and ``presence`` float32 ``[1, T, M]``, by input name.

    Raises
    ------
    ExportError
        If the arrays do not fit together, hold values that are not finite, or are empty.
    """
    features = np.asarray(features, "float32")
    presence = np.asarray(presence, "float32")
    _check(features, presence, count)
    rng = np.random.default_rng(seed)
    picks = rng.permutation(np.resize(np.arange(len(features)), count))
    kinds = [*_ALWAYS, *np.resize(_CYCLE, count - len(_ALWAYS))]
    windows = []
    for pick, kind in zip(picks, kinds, strict=True):
        kept = presence[pick] * _kept(str(kind), presence[pick].shape, rng)
        windows.append({"features": features[pick][None], "presence": kept[None]})
    return windows


def _kept(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return the 0/1 mask float32 ``[T, M]`` of one kind of window."""
    n_tokens, n_modalities = shape
    column = np.arange(n_modalities) == rng.integers(n_modalities)
    row = np.arange(n_tokens) == rng.integers(n_tokens)
    mask = {
        "everything": np.ones(shape, bool),
        "random": rng.random(shape) >= rng.random(),
        "without_modality": np.broadcast_to(~column, shape),
        "one_modality": np.broadcast_to(column, shape),
        "one_token": row[:, None] & column,
        "nothing": np.zeros(shape, bool),
    }[kind]
    return mask.astype("float32")


def _check(features: np.ndarray, presence: np.ndarray, count: int) -> None:
    if (
        features.ndim != 3
        or presence.ndim != 3
        or features.shape[:2] != presence.shape[:2]
        or not len(features)
    ):
        raise ExportError(
            f"calibration_windows: expected `features` [N, T, F] and `presence` [N, T, M] of the same N > 0 "
            f"and T, got {list(features.shape)} and {list(presence.shape)}."
        )
    if not np.isfinite(features).all() or not np.isin(presence, (0.0, 1.0)).all():
        raise ExportError(
            "calibration_windows: `features` must be finite and `presence` 0 or 1; normalise the windows "
            "first."
        )
    if count < 16:
        raise ExportError(
            f"calibration_windows: `count` must be at least 16 to hold every kind, got {count}."
        )
