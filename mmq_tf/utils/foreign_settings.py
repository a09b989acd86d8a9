# SPDX-License-Identifier: Apache-2.0
"""Settings that other projects leave on a machine, and how little of them counts here.

``keras.json`` may name a backend that is not installed, or half precision. A Jupyter kernel leaves its own
backend of Matplotlib to the programs it starts. A global policy of Keras holds for a whole process.
"""

from __future__ import annotations

import importlib.util
import os
import sys

from mmq_tf.errors import MMQError

BACKEND = "tensorflow"
OTHER_BACKENDS = ("jax", "torch", "numpy", "openvino")


def settle_keras() -> None:
    """Choose Keras's backend before Keras is imported: ours, unless ``KERAS_BACKEND`` names another.

    Raises
    ------
    MMQError
        If the one it names is not installed.
    """
    if "keras" in sys.modules:
        return
    chosen = os.environ.setdefault("KERAS_BACKEND", BACKEND)
    if chosen == BACKEND:  # looked for when something needs it
        return
    if chosen not in OTHER_BACKENDS or importlib.util.find_spec(chosen) is None:
        raise MMQError(
            f"KERAS_BACKEND is {chosen!r}, which is not installed; unset KERAS_BACKEND, or set it to"
            f" {BACKEND!r}."
        )


def check_jax(backend: str, devices: int) -> None:
    """Check that Keras's backend is the one that can split a training between devices.

    Raises
    ------
    MMQError
        If it is another.
    """
    if backend != "jax":
        raise MMQError(
            f"--devices {devices} needs JAX, but Keras's backend is {backend}: pip install 'mmq-tf[jax]' and"
            " set KERAS_BACKEND=jax."
        )


def check_keras() -> None:
    """Check that Keras computes in float32, before a network is trained.

    Raises
    ------
    MMQError
        If ``keras.json`` or a global policy says otherwise.
    """
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy().name
    if floatx != "float32":
        raise MMQError(
            f"Keras computes in {floatx}, as keras.json (in KERAS_HOME or ~/.keras) or set_floatx says; set"
            " floatx to 'float32' there."
        )
    if policy != "float32":
        raise MMQError(
            f"Keras's global policy is {policy!r}; networks here are trained in float32: call"
            " keras.config.set_dtype_policy('float32') before."
        )


def settle_matplotlib() -> None:
    """Replace a backend that cannot be had here by Agg, which draws files; call it before the import."""
    name = os.environ.get("MPLBACKEND", "")
    if "matplotlib" in sys.modules or not name.startswith("module://"):
        return
    try:
        found = importlib.util.find_spec(name.removeprefix("module://"))
    except (ImportError, ValueError):
        found = None
    if found is None:
        os.environ["MPLBACKEND"] = "agg"
