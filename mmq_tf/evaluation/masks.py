# SPDX-License-Identifier: Apache-2.0
"""Stored masks: drawn once for a fold's test windows, and the same for whoever evaluates there again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import draw_masks
from mmq_tf.features.windows import WindowSet
from mmq_tf.utils.atomic_files import written_whole
from mmq_tf.utils.npz_files import read_npz


def shared_masks(path: Path, windows: WindowSet, token_s: float, seed: int) -> dict[str, np.ndarray]:
    """Return the masks of protocols A, B and C for these windows; drawn and stored where there are none.

    Parameters
    ----------
    path : Path
        An ``.npz``: each condition's bool ``[N, T, M]`` as packed bits, their shape, and the digest of the
        windows they belong to.
    windows : WindowSet
        The test windows of one fold.
    token_s : float
        Seconds a token.
    seed : int
        Used only when they are drawn.

    Returns
    -------
    dict
        Condition name -> bool ``[N, T, M]``, True where the token stays visible.

    Raises
    ------
    MMQError
        If the stored masks are damaged or belong to other windows.
    """
    digest = _windows_digest(windows)
    if path.is_file():
        return _read(path, windows.presence.shape, digest)
    masks = draw_masks(windows.presence, token_s, seed)
    with written_whole(path) as temporary:
        np.savez_compressed(
            temporary,
            allow_pickle=False,
            shape=np.array(windows.presence.shape),
            windows_sha256=digest,
            **{name: np.packbits(mask) for name, mask in masks.items()},
        )
    return masks


def _read(path: Path, shape: tuple[int, ...], digest: np.ndarray) -> dict[str, np.ndarray]:
    try:
        arrays = read_npz(path)
        ours = arrays.pop("windows_sha256"), arrays.pop("shape")
        masks = {
            name: np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
            for name, bits in arrays.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MMQError(
            f"{path} is damaged ({error}); delete it, and the same masks are drawn again."
        ) from error
    if not np.array_equal(ours[0], digest) or tuple(ours[1].tolist()) != shape:
        raise MMQError(
            f"{path} holds the masks of other test windows than this run's; name another --out, or delete it."
        )
    return masks


def _windows_digest(windows: WindowSet) -> np.ndarray:
    """Return uint8 ``[32]``, of who the windows are from, when they begin and what was present in them."""
    digest = hashlib.sha256()
    for part in (windows.subject, windows.session, windows.start_s):
        digest.update(repr(part.tolist()).encode())
    digest.update(np.packbits(windows.presence).tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)
