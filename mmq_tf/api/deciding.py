# SPDX-License-Identifier: Apache-2.0
"""Open recordings, and bundles that decide on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmq_tf import pretrained
from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_bridge.decision.bundle_files import ModelName, RuntimeName
    from mmq_bridge.decision.device import Device

    from mmq_tf.recording import Recording


def open_recording(path: str | Path) -> Recording:
    """Open one recording: an E4 export, a recording folder, EDF, XDF, or a file that MNE reads.

    Raises
    ------
    MMQError
        If it cannot be read.
    """
    from mmq_tf.datasets import open_recording as read

    return read(Path(path))


def load(
    path_or_name: str | Path,
    model: ModelName = "int8",
    enrolment_s: float | None = None,
    display_s: float = 0.0,
    runtime: RuntimeName | None = None,
) -> Device:
    """Load a bundle that decides.

    Parameters
    ----------
    path_or_name : str or Path
        A bundle's folder, or the name of a pretrained one (`mmq_tf.pretrained.names`). A folder goes first.
    model : {"int8", "int8_float_io", "float32"}
        Which of its models.
    enrolment_s : float, optional
        A shorter enrolment than the model was trained with, in s.
    display_s : float
        Decisions also say what a display shows, the average of the last so many seconds; 0 is off.
    runtime : {"core", "litert"}, optional
        What runs the model; by default the C core where it is int8 and the bundle has a plan for the core.

    Returns
    -------
    Device
        Its `decide` takes a recording, plain arrays with their rates, or MNE raws.

    Raises
    ------
    MMQError
        If there is no such bundle.
    BridgeError
        If it is not complete or was changed, `runtime` cannot run its model, `enrolment_s` is no shorter
        enrolment, or `display_s` cannot be.

    Warns
    -----
    BridgeWarning
        If the enrolment is shorter than the model's, or LiteRT is needed for want of a plan.

    Examples
    --------
    >>> import numpy as np
    >>> device = load("wrist-stress")
    >>> seconds = np.arange(660 * 64) / 64
    >>> pulse = np.sin(2 * np.pi * 1.2 * seconds)  # SIMULATED
    >>> decisions = device.decide({"ppg": (pulse, 64)})
    >>> decisions[0].abstained, len(decisions) > 100
    (True, True)
    """
    from mmq_bridge.decision.device import Device

    folder = Path(path_or_name)
    if not folder.is_dir():
        if str(path_or_name) not in pretrained.names():
            known = ", ".join(pretrained.names())
            raise MMQError(
                f"load: {str(path_or_name)!r} is neither a bundle's folder nor a pretrained model; those are "
                f"{known}."
            )
        folder = pretrained.path(str(path_or_name))
    return Device.from_bundle(
        folder,
        model,
        convert=as_recording,
        enrolment_s=enrolment_s,
        display_s=display_s,
        runtime=runtime,
    )


def as_recording(given: Any) -> Any:
    """Return MNE raws as a recording; anything else as it is. MNE is not imported for that."""
    mne = sys.modules.get("mne")
    if mne is None:
        return given
    raws = list(given.values()) if isinstance(given, dict) else [given]
    if not raws or not all(isinstance(raw, mne.io.BaseRaw) for raw in raws):
        return given
    from mmq_tf.mne_bridge import from_mne

    return from_mne(given, subject="unnamed")  # whose it is does not matter to a decision
