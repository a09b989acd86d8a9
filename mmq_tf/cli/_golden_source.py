# SPDX-License-Identifier: Apache-2.0
"""The raw samples of a bundle's golden vectors: those that train kept, or another recording's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_bridge.bundle.golden import GoldenOrigin


def read_golden(run: Path, recording: Path | None) -> tuple[dict[str, Any], GoldenOrigin | None]:
    """Return signals by modality and whose they are; None means the run's own data.

    Parameters
    ----------
    run : Path
        A run folder; its ``golden.npz`` is read where no recording is named.
    recording : Path, optional
        Anything `mmq_tf.datasets.open_recording` reads.

    Raises
    ------
    MMQError
        If neither is there, or what is there is broken.
    """
    if recording is None:
        return _kept(run / "golden.npz"), None
    from mmq_bridge.bundle.golden import GoldenOrigin

    from mmq_tf.datasets import open_recording

    worn = open_recording(recording)
    return dict(worn.signals), GoldenOrigin(worn.source or recording.name, worn.simulated)


def _kept(path: Path) -> dict[str, Any]:
    """Return the signals that train kept."""
    from mmq_bridge.bundle.golden import GoldenSignal

    if not path.is_file():
        raise MMQError(f"{path}: no such file; name a recording for the golden vectors with --golden FOLDER.")
    arrays = read_arrays(path)
    names = [key.removesuffix("_samples") for key in arrays if key.endswith("_samples")]
    try:
        return {
            name: GoldenSignal(
                arrays[f"{name}_samples"], float(arrays[f"{name}_rate"]), float(arrays[f"{name}_start"])
            )
            for name in names
        }
    except (KeyError, TypeError, ValueError) as error:
        raise MMQError(f"{path}: expected rate and start of every signal ({error}); train again.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run's ``.npz`` file by name.

    Raises
    ------
    MMQError
        If it is absent or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except FileNotFoundError as error:
        raise MMQError(f"{path}: no such file; train again.") from error
    except Exception as error:  # a broken zip raises many kinds
        raise MMQError(f"{path}: cannot be read as arrays ({error}); train again.") from error
