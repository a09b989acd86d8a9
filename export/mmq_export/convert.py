# SPDX-License-Identifier: Apache-2.0
"""A deployed graph becomes a .tflite file."""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from mmq_bridge.bundle.deployable_ops import check_ops
from mmq_bridge.bundle.flatbuffer import list_ops

from mmq_export.errors import ExportError
from mmq_export.recipes import Recipe

logger = logging.getLogger(__name__)

PER_TENSOR_SWITCH = "_experimental_disable_per_channel_quantization_for_dense_layers"
"""The converter's private attribute that gives each dense kernel one scale."""

_HARMLESS = (
    "Statistics for quantized inputs were expected",
    r"\s*Warning: tf.lite.Interpreter is deprecated",
)


def convert(
    deployed: keras.Model, calibration: Iterable[Mapping[str, np.ndarray]] | None, recipe: Recipe
) -> bytes:
    """Convert a deployed graph by a recipe.

    Parameters
    ----------
    deployed : keras.Model
        From `mmq_export.deployed_graph.deployed_model`.
    calibration : iterable of dict, optional
        Arrays by input name (see `mmq_export.calibrate.calibration_windows`); needed for int8.
    recipe : Recipe

    Returns
    -------
    bytes
        The flatbuffer, with signature inputs ``features`` and ``presence`` and an output a task.

    Raises
    ------
    ExportError
        If calibration lacks, the converter fails or has lost its per-tensor switch, or the result holds an
        operation outside `ALLOWED_OPS`.
    """
    return convert_each(deployed, calibration, [recipe])[0]


def convert_each(
    deployed: keras.Model,
    calibration: Iterable[Mapping[str, np.ndarray]] | None,
    recipes: Sequence[Recipe],
) -> list[bytes]:
    """Convert as `convert` does by several recipes, in order; the graph is traced once for all of them."""
    contents = _converted(deployed, calibration, recipes)
    for content in contents:
        check_ops(content)
    return contents


def convert_any(
    deployed: keras.Model, calibration: Iterable[Mapping[str, np.ndarray]] | None, recipe: Recipe
) -> bytes:
    """Convert as `convert` does, but allow every operation: for models to compare with, never to embed."""
    return _converted(deployed, calibration, [recipe])[0]


def _converted(
    deployed: keras.Model, calibration: Iterable[Mapping[str, np.ndarray]] | None, recipes: Sequence[Recipe]
) -> list[bytes]:
    windows = [] if calibration is None else list(calibration)
    names = [tensor.name for tensor in deployed.inputs]
    if any(recipe.numbers == "int8" for recipe in recipes):
        _check_calibration(windows, names)
    with tempfile.TemporaryDirectory(prefix="mmq_export_") as folder, _quiet():
        _save(deployed, names, folder)
        return [_of_saved(folder, windows, recipe) for recipe in recipes]


def _of_saved(folder: str, windows: list[Mapping[str, np.ndarray]], recipe: Recipe) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
    _configure(converter, windows, recipe)
    try:
        content = bytes(converter.convert())
    except Exception as error:  # the converter raises its own, undocumented kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"convert: the converter refused recipe {recipe.name!r}: {reason}") from error
    logger.info("%s: %d bytes, %d operations", recipe.name, len(content), sum(list_ops(content).values()))
    return content


def _check_calibration(windows: list[Mapping[str, np.ndarray]], names: list[str]) -> None:
    if not windows:
        raise ExportError("convert: int8 needs calibration windows, got none; pass calibration_windows(...).")
    wrong = next((sorted(window) for window in windows if sorted(window) != sorted(names)), None)
    if wrong is not None:
        raise ExportError(f"convert: calibration windows must be dicts of {sorted(names)}, got {wrong}.")


def _save(deployed: keras.Model, names: list[str], folder: str) -> None:
    """Write the graph as a SavedModel whose signature keeps the inputs' names."""
    signature = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in deployed.inputs
    }
    archive: Any = keras.export.ExportArchive()
    archive.track(deployed)
    archive.add_endpoint("serve", lambda inputs: deployed([inputs[name] for name in names]), [signature])
    archive.write_out(folder, verbose=False)


def _configure(converter, windows: list[Mapping[str, np.ndarray]], recipe: Recipe) -> None:
    converter.unfold_batchmatmul = recipe.unfold_batch_matmul
    if recipe.numbers == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.numbers != "int8":
        converter.target_spec.supported_types = [tf.float16] if recipe.numbers == "float16" else []
        return
    if recipe.per_tensor_dense and not hasattr(converter, PER_TENSOR_SWITCH):
        raise ExportError(
            f"convert: this TensorFlow ({tf.__version__}) has no converter switch {PER_TENSOR_SWITCH}; "
            f"install a version from constraints.txt."
        )

    def representative() -> Iterator[dict[str, np.ndarray]]:
        for window in windows:
            yield {name: np.asarray(value, "float32") for name, value in window.items()}

    kind = tf.int8 if recipe.inputs_outputs == "int8" else tf.float32
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = kind
    converter.inference_output_type = kind
    setattr(converter, PER_TENSOR_SWITCH, recipe.per_tensor_dense)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings that every int8 conversion gives and none can act on."""
    with warnings.catch_warnings():
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        yield
