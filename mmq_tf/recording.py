# SPDX-License-Identifier: Apache-2.0
"""Signal, trial, recording: what every loader returns."""

from mmq_bridge.front_end.modalities import MODALITIES
from mmq_bridge.recordings.recording import (
    MAX_DURATION_S,
    MAX_RATE_HZ,
    Recording,
    Signal,
    Trial,
)

__all__ = ["MAX_DURATION_S", "MAX_RATE_HZ", "MODALITIES", "Recording", "Signal", "Trial"]
