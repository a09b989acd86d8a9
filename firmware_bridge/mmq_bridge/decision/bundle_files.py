# SPDX-License-Identifier: Apache-2.0
"""What a device reads of a bundle: its models and its front end, each checked by digest."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Literal

from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.decision.model import DecisionModel, NetworkModel
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.front_end.front_end import FrontEnd

MODEL_FILES = {
    "int8": "model_int8.tflite",
    "int8_float_io": "model_int8_float_io.tflite",
    "float32": "model_float32.tflite",
}
NETWORK_FILE = "mmq_network.bin"
"""The int8 model as a plan for the core; older bundles have none."""

ModelName = Literal["int8", "int8_float_io", "float32"]
RuntimeName = Literal["core", "litert"]
RUNTIMES = ("core", "litert")


def read_model(
    manifest: Manifest,
    folder: str | os.PathLike[str],
    model: str,
    runtime: str | None,
    tokens: int,
    stacklevel: int,
) -> DecisionModel:
    """Return one of a bundle's models.

    Parameters
    ----------
    model : str
        A name of `MODEL_FILES`.
    runtime : str or None
        One of `RUNTIMES`; None is the core for int8 where there is a plan, and LiteRT for everything else.
    tokens : int
        Of a window.
    stacklevel : int
        Of the warning: 1 names the caller.

    Warns
    -----
    BridgeWarning
        When LiteRT runs the int8 model because the bundle has no plan for the core.

    Raises
    ------
    BridgeError
        When there is no such model or runtime, the core cannot run it, or its file is absent, changed or no
        model.
    """
    for what, given, known in (("model", model, MODEL_FILES), ("runtime", runtime or "core", RUNTIMES)):
        if given not in known:
            raise BridgeError(f"{what}: expected one of {', '.join(known)}, got {given!r}.")
    has_plan = NETWORK_FILE in manifest.files
    if runtime == "core" and model != "int8":
        raise BridgeError(f"runtime: the core runs the model int8 only, not {model}; LiteRT runs all.")
    if runtime == "core" and not has_plan:
        raise BridgeError(f"{folder}: it has no {NETWORK_FILE} for the core; export it again.")
    if runtime != "litert" and model == "int8" and has_plan:
        return NetworkModel(manifest.read(folder, NETWORK_FILE), tokens, str(Path(folder) / NETWORK_FILE))
    if runtime is None and model == "int8":
        text = f"{folder}: it has no {NETWORK_FILE} for the core, so LiteRT runs its model; export it again."
        warnings.warn(text, BridgeWarning, stacklevel=stacklevel + 1)
    name = MODEL_FILES[model]
    return TFLiteModel(manifest.read(folder, name), str(Path(folder) / name))


def read_front_end(manifest: Manifest, folder: str | os.PathLike[str]) -> FrontEnd:
    """Return the checked front end of a bundle.

    Raises
    ------
    BridgeError
        When ``frontend.json`` is absent, changed or not a front end.
    """
    content = manifest.read(folder, "frontend.json")
    where = str(Path(folder) / "frontend.json")
    try:
        return FrontEnd.from_json(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise BridgeError(f"{where}: expected UTF-8 text; export the bundle again.") from error


def enrolled_shorter(front_end: FrontEnd, enrolment_s: float | None, stacklevel: int) -> FrontEnd:
    """Return a front end with a shorter enrolment, in s; None leaves it.

    Parameters
    ----------
    stacklevel : int
        Of the warning: 1 names the caller.

    Warns
    -----
    BridgeWarning
        When the enrolment is shorter than the model's.

    Raises
    ------
    BridgeError
        When it is no shorter enrolment.
    """
    if enrolment_s is None:
        return front_end
    shorter = front_end.with_shorter_enrolment(enrolment_s)
    if shorter.enrolment_tokens < front_end.enrolment_tokens and front_end.normalisation:
        trained_s = front_end.normalisation.enrolment_s
        text = (
            f"enrolment: {enrolment_s:g} s, but the model was trained with {trained_s:g} s: expect worse "
            "decisions."
        )
        warnings.warn(text, BridgeWarning, stacklevel=stacklevel + 1)
    return shorter
