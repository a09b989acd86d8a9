# SPDX-License-Identifier: Apache-2.0
"""Let a network feel int8 while it is fine-tuned: Keras' fake quantisation inside its layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

ops: Any = keras.ops  # whose own annotations lack some results
_BITS = 8
_TINY = 1e-6


@contextlib.contextmanager
def fake_quantised(net: keras.Model) -> Iterator[None]:
    """Within the context, every layer of a net computes with rounded kernels and gives rounded outputs.

    Kernels are rounded to 255 steps around 0, one scale a kernel, as the converter rounds them. Outputs are
    rounded to 256 steps between the least and the greatest value of the batch, as the converter takes its
    ranges from the windows it is shown. Rounding lets gradients through (Jacob et al. 2018, arXiv
    1712.05877). Nothing of it stays in the net: what is learned is weights that bear rounding, and the
    conversion is the same as without.

    Parameters
    ----------
    net : keras.Model
        Of layers with at most a ``kernel`` each beside their biases; fit it inside the context.
    """
    layers: list[Any] = [layer for layer in net._flatten_layers() if _rounds(layer, net)]
    for layer in layers:
        layer.call = _rounding(layer, layer.call)
    net.predict_function = None  # Keras keeps what it traced
    try:
        yield
    finally:
        for layer in layers:
            del layer.call
        net.predict_function = None


def _rounds(layer: keras.layers.Layer, net: keras.Model) -> bool:
    return layer is not net and not isinstance(layer, keras.layers.Dropout)


def _rounding(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    kernel = getattr(layer, "kernel", None)

    def rounded(*args: Any, **kwargs: Any) -> Any:
        if kernel is None:
            return _round_each(call(*args, **kwargs))
        with keras.StatelessScope(state_mapping=[(kernel, round_kernel(kernel.value))]):
            output = call(*args, **kwargs)
        return _round_each(output)

    return rounded


def _round_each(outputs: Any) -> Any:
    """Round what a layer returns, each tensor on a grid of its own where it returns several."""
    return keras.tree.map_structure(round_activation, outputs)


def round_kernel(kernel: Any) -> Any:
    """Return a kernel on the grid of int8 weights: 255 steps, symmetric, 0 exact."""
    limit = ops.stop_gradient(ops.max(ops.abs(kernel))) + _TINY
    return keras.quantizers.fake_quant_with_min_max_vars(
        kernel, -limit, limit, num_bits=_BITS, narrow_range=True
    )


def round_activation(values: Any) -> Any:
    """Return values on a grid of 256 steps over their own range, 0 exact."""
    low = ops.stop_gradient(ops.minimum(ops.min(values), 0.0))
    high = ops.stop_gradient(ops.maximum(ops.max(values), 0.0)) + _TINY
    return keras.quantizers.fake_quant_with_min_max_vars(values, low, high, num_bits=_BITS)
