# SPDX-License-Identifier: Apache-2.0
"""Train and judge masked-query transformers on body signals with sensors missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmq_tf.version import __version__

if TYPE_CHECKING:
    from mmq_tf.classifier import MMQClassifier

__all__ = ["MMQClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the estimator, and with it Keras, when it is first asked for."""
    if name == "MMQClassifier":
        from mmq_tf.classifier import MMQClassifier

        return MMQClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
