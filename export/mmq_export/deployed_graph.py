# SPDX-License-Identifier: Apache-2.0
"""The deployed graph: batch 1, static shapes, nothing that exists for training only."""

import keras

from mmq_export.errors import ExportError


def deployed_model(net: keras.Model, n_tokens: int, n_features: int, n_modalities: int) -> keras.Model:
    """Wrap a net into a functional model of static shapes.

    Parameters
    ----------
    net : keras.Model
        Called with ``{"features", "presence"}``, returns logits by task.
    n_tokens, n_features, n_modalities : int
        T, F and M of a window.

    Returns
    -------
    keras.Model
        Inputs ``features`` float32 ``[1, T, F]`` and ``presence`` float32 ``[1, T, M]`` (0 or 1), output a
        dict of logits ``[1, classes]`` by task. It shares the net's weights.

    Raises
    ------
    ExportError
        If the net refuses these shapes or does not return a dict.
    """
    features = keras.Input(batch_shape=(1, n_tokens, n_features), name="features")
    presence = keras.Input(batch_shape=(1, n_tokens, n_modalities), name="presence")
    try:
        logits = net({"features": features, "presence": presence}, training=False)
    except (ValueError, TypeError) as error:
        raise ExportError(
            f"deployed_model: the net refuses features [1, {n_tokens}, {n_features}] and presence "
            f"[1, {n_tokens}, {n_modalities}] ({str(error).splitlines()[0]}); give the sizes it was made for."
        ) from error
    if not isinstance(logits, dict) or not logits:
        raise ExportError(
            f"deployed_model: the net must return a dict of logits by task, got {type(logits).__name__}."
        )
    return keras.Model([features, presence], logits, name="deployed")
