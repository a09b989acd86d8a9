# SPDX-License-Identifier: Apache-2.0
"""Weights of the losses of MMQ-Net; not beside the losses, so that a configuration loads without Keras."""

import dataclasses

from mmq_tf.errors import MMQError


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weight of each loss; 0 switches one off.

    Attributes
    ----------
    classes, classes_full : float
        Cross-entropy on what the net was shown, and on the complete window.
    label_smoothing : float
        Share of the target spread over all classes, 0 to below 1.
    rebuild_tokens, rebuild_features : float
        Rebuilding what training hid: the token, and its features.
    orthogonality, no_label : float
        Interference outputs apart from category outputs; interference carries no label.
    consistency : float
        Masked prediction follows the complete one.
    interference : float
        Interference scores name the corrupted tokens.
    """

    classes: float = 1.0
    classes_full: float = 0.5
    label_smoothing: float = 0.05
    rebuild_tokens: float = 0.2
    rebuild_features: float = 0.2
    orthogonality: float = 0.05
    no_label: float = 0.05
    consistency: float = 0.2
    interference: float = 0.3

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf") or (field.name == "label_smoothing" and value >= 1):
                raise MMQError(
                    f"LossWeights.{field.name}: expected a finite number of at least 0 (label_smoothing also "
                    f"below 1), got {value}."
                )
