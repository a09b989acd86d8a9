# SPDX-License-Identifier: Apache-2.0
"""Recordings and windows as MNE objects, and back."""

from mmq_tf.mne_bridge.raws import from_mne, to_mne

__all__ = ["from_mne", "to_mne"]
