# SPDX-License-Identifier: Apache-2.0
"""Train and judge masked-query transformers on body signals with sensors missing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmq_tf.utils.foreign_settings import settle_keras
from mmq_tf.version import __version__

if TYPE_CHECKING:
    from mmq_tf.api.classifier import MMQClassifier
    from mmq_tf.api.deciding import load, open_recording
    from mmq_tf.api.evaluating import evaluate
    from mmq_tf.api.exporting import export
    from mmq_tf.api.training import train
    from mmq_tf.api.windows import load_windows
    from mmq_tf.model.mmqnet import MMQNet

__all__ = [
    "MMQClassifier",
    "MMQNet",
    "__version__",
    "evaluate",
    "export",
    "load",
    "load_windows",
    "open_recording",
    "train",
]

_HOMES = {
    "MMQClassifier": "mmq_tf.api.classifier",
    "MMQNet": "mmq_tf.model.mmqnet",
    "evaluate": "mmq_tf.api.evaluating",
    "export": "mmq_tf.api.exporting",
    "load": "mmq_tf.api.deciding",
    "load_windows": "mmq_tf.api.windows",
    "open_recording": "mmq_tf.api.deciding",
    "train": "mmq_tf.api.training",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and with it Keras where it needs Keras, only then."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settle_keras()
    return getattr(importlib.import_module(_HOMES[name]), name)
