# SPDX-License-Identifier: Apache-2.0
"""Trained models that come with the package: bundles (see their ``MODEL_CARD.md``) and their weights."""

from __future__ import annotations

from pathlib import Path

from mmq_tf.errors import MMQError

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Return the names of the bundles that came with this installation, sorted."""
    return tuple(sorted(found.parent.name for found in FOLDER.glob("*/manifest.json")))


def path(name: str) -> Path:
    """Return the folder of a pretrained bundle, for `Device.from_bundle` and others.

    Parameters
    ----------
    name : str
        One of `names`, for example ``wrist-stress``.

    Raises
    ------
    MMQError
        If there is none of that name.
    """
    if name not in names():
        known = ", ".join(names()) or "none, so install mmq-tf again"
        raise MMQError(f"pretrained: expected one of {known}; got {name!r}.")
    return FOLDER / name


def weights(name: str) -> Path:
    """Return the ``.keras`` file of a pretrained network: the weights that its bundle was exported from.

    Parameters
    ----------
    name : str
        One of `names`.

    Raises
    ------
    MMQError
        If there is none of that name.
    """
    return path(name).with_suffix(".keras")
