# SPDX-License-Identifier: Apache-2.0
"""A dense layer whose kernel is block-diagonal."""

from collections.abc import Sequence

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import ops


@keras.saving.register_keras_serializable("mmq_tf")
class BlockDense(keras.layers.Layer):
    """Apply one small dense layer to each block of the last axis, as a single matrix product.

    ``y = x (W * B) + b``, where ``B`` is the constant 0/1 matrix of the blocks. The product ``W * B`` is a
    constant at conversion, so the device runs one fully connected kernel instead of one a block.

    Parameters
    ----------
    inputs : sequence of int
        Width of each block of the input.
    outputs : sequence of int
        Width of each block of the output; 0 for a block that is only skipped.
    use_bias : bool
        Whether ``b`` exists.
    seed : int
        Seed of the initial kernel (Glorot uniform within each block).

    Raises
    ------
    MMQError
        If the two sequences differ in length or hold an impossible width.
    """

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], *, use_bias: bool = True, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        if len(inputs) != len(outputs) or min(inputs, default=0) < 1 or min(outputs, default=-1) < 0:
            raise MMQError(
                f"BlockDense: `inputs` and `outputs` must be equally long lists of widths (inputs >= 1, "
                f"outputs >= 0), got {list(inputs)} and {list(outputs)}; give one pair of widths a block."
            )
        self.inputs = [int(width) for width in inputs]
        self.outputs = [int(width) for width in outputs]
        self.use_bias = use_bias
        self.seed = seed

    def block_mask(self) -> np.ndarray:
        """Return the 0/1 matrix ``B``, float32 ``[sum(inputs), sum(outputs)]``."""
        rows = np.repeat(np.arange(len(self.inputs)), self.inputs)
        columns = np.repeat(np.arange(len(self.outputs)), self.outputs)
        return (rows[:, None] == columns[None, :]).astype("float32")

    def build(self, input_shape):
        """Create the kernel ``[sum(inputs), sum(outputs)]`` and the bias ``[sum(outputs)]``."""
        if input_shape[-1] != sum(self.inputs):
            raise MMQError(
                f"BlockDense: the input's last axis must be sum(inputs) = {sum(self.inputs)} wide, got "
                f"{input_shape[-1]}; check the list of block widths."
            )
        fan_in = np.repeat(self.inputs, self.inputs)[:, None]
        fan_out = np.repeat(self.outputs, self.outputs)[None, :]
        limit = (np.sqrt(6.0 / (fan_in + fan_out)) * self.block_mask()).astype("float32")
        uniform = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.seed)
        self.kernel = self.add_weight(
            name="kernel",
            shape=limit.shape,
            initializer=lambda shape, dtype: uniform(shape, dtype) * ops.cast(limit, dtype),
        )
        self.bias = (
            self.add_weight(name="bias", shape=limit.shape[1:], initializer="zeros")
            if self.use_bias
            else None
        )

    def call(self, x):
        """Return ``[..., sum(outputs)]`` for ``x`` ``[..., sum(inputs)]``."""
        y = ops.matmul(x, self.kernel * ops.cast(self.block_mask(), self.compute_dtype))
        return y if self.bias is None else y + self.bias

    def compute_output_shape(self, input_shape):
        """Replace the last axis by ``sum(outputs)``."""
        return (*input_shape[:-1], sum(self.outputs))

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"inputs": self.inputs, "outputs": self.outputs, "use_bias": self.use_bias, "seed": self.seed}
        return {**super().get_config(), **own}
