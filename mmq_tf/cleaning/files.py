# SPDX-License-Identifier: Apache-2.0
"""EEG recordings from disk: whatever MNE reads, or a recording folder."""

from __future__ import annotations

from pathlib import Path

from mmq_tf.datasets.formats.files.edf import check_edf
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.eeg_raw import Fittable
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log

MAX_EDF_BYTES = 2 * 2**30


def read_eeg(path: Path | str) -> Fittable:
    """Read a recording to fit on.

    Parameters
    ----------
    path : path
        A file MNE knows by its ending (.set, .edf, .bdf, .vhdr, .fif, ...) or a recording folder of ours.

    Returns
    -------
    mne.io.BaseRaw or Recording

    Raises
    ------
    MMQError
        When there is nothing, or it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        from mmq_tf.datasets import open_recording

        return open_recording(path)
    if not path.is_file():
        raise MMQError(f"{path}: expected an EEG file or a recording folder; found nothing.")
    if path.suffix.lower() in (".edf", ".bdf"):
        check_edf(path, MAX_EDF_BYTES)
    import mne

    with mne_through_the_log(str(path)):
        try:
            return mne.io.read_raw(path, preload=True)
        except MMQError:
            raise
        except Exception as error:  # MNE's readers raise whatever their parsers do
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MMQError(f"{path}: MNE cannot read this EEG file ({reason[:200]}).") from error
