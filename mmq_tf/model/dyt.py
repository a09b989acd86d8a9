# SPDX-License-Identifier: Apache-2.0
"""Dynamic tanh, the normalisation that stays exact in int8."""

import keras

from mmq_tf.model.keras_names import ops


@keras.saving.register_keras_serializable("mmq_tf")
class DyT(keras.layers.Layer):
    """Squash activations by ``tanh(a * x) * gain + shift`` with one learned scalar ``a``.

    It takes the place of layer normalisation: no mean, no division, one table look-up in int8.

    Parameters
    ----------
    alpha : float
        Initial value of ``a``.
    affine : bool
        Whether the learned ``gain`` and ``shift`` exist. Leave it off where a dense layer follows, which
        absorbs both.

    References
    ----------
    Zhu et al. 2025, "Transformers without Normalization", arXiv 2503.10622.
    """

    def __init__(self, alpha: float = 0.5, *, affine: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha
        self.affine = affine

    def build(self, input_shape):
        """Create ``a`` and, where asked for, ``gain`` and ``shift`` of the last axis' width."""
        width = input_shape[-1]
        self.scale = self.add_weight(
            name="scale", shape=(1,), initializer=keras.initializers.Constant(self.alpha)
        )
        self.gain = self.add_weight(name="gain", shape=(width,), initializer="ones") if self.affine else None
        self.shift = (
            self.add_weight(name="shift", shape=(width,), initializer="zeros") if self.affine else None
        )

    def call(self, x):
        """Return a tensor of the shape of ``x``."""
        y = ops.tanh(x * self.scale)
        return y * self.gain + self.shift if self.affine else y

    def compute_output_shape(self, input_shape):
        """Keep the shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "alpha": self.alpha, "affine": self.affine}
