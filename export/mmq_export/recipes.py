# SPDX-License-Identifier: Apache-2.0
"""What a conversion does, as plain values."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to convert a deployed graph.

    Attributes
    ----------
    name : str
        Also the file's name: ``model_<name>.tflite``.
    numbers : {"int8", "float32", "float16", "dynamic"}
        What weights and activations are made of. float16 and dynamic (int8 weights) are of the weights only:
        activations stay float32, and TFLite Micro does not run such a model.
    inputs_outputs : {"int8", "float32"}
        What the model takes and gives.
    per_tensor_dense : bool
        One scale per dense kernel, not per channel: a smaller file and arena for 0.002 of logit error.
    unfold_batch_matmul : bool
        Write batch products as slices and dense layers: for runtimes whose int8 batch product is wrong.
    """

    name: str
    numbers: Literal["int8", "float32", "float16", "dynamic"]
    inputs_outputs: Literal["int8", "float32"]
    per_tensor_dense: bool = True
    unfold_batch_matmul: bool = False


def int8() -> Recipe:
    """Full integer, integer inputs and outputs: for microcontrollers."""
    return Recipe("int8", "int8", "int8")


def int8_float_io() -> Recipe:
    """Full integer inside, float32 inputs and outputs: for phones and the browser."""
    return Recipe("int8_float_io", "int8", "float32")


def float32() -> Recipe:
    """Nothing quantised: the reference."""
    return Recipe("float32", "float32", "float32")


def float16() -> Recipe:
    """Weights kept in half precision: to compare with."""
    return Recipe("float16", "float16", "float32")


def dynamic() -> Recipe:
    """Weights kept in int8, computed in float: to compare with."""
    return Recipe("dynamic", "dynamic", "float32")


RECIPES = {recipe.name: recipe for recipe in (int8(), int8_float_io(), float32())}
"""Every recipe of a bundle, by name."""
