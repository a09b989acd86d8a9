# SPDX-License-Identifier: Apache-2.0
"""`Device`: raw samples in, decisions out, exactly as on the wearable."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.decision.manifest import DecisionSettings, Manifest, decision_settings
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

MODEL_FILES = {
    "int8": "model_int8.tflite",
    "int8_float_io": "model_int8_float_io.tflite",
    "float32": "model_float32.tflite",
}
ModelName = Literal["int8", "int8_float_io", "float32"]


@dataclass(frozen=True)
class Decision:
    """What the device says at the end of one token.

    Attributes
    ----------
    time_s : float
        End of the last token used, in seconds from the recording's start.
    probabilities : dict
        Probability by class by task; empty where the model was not run.
    sensors : dict of str to float
        Share of the window's tokens that were present, a modality.
    abstained : bool
        Whether the probabilities are not to be acted on.
    reason : str or None
        Why it abstained.
    absent : dict of str to tuple of str
        Why the newest token lacks a modality, like ``{"ppg": ("flat",)}``: names of `Reason`; the modalities
        it has are left out.
    """

    time_s: float
    probabilities: dict[str, dict[str, float]]
    sensors: dict[str, float]
    abstained: bool = False
    reason: str | None = None
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def classes(self) -> dict[str, str]:
        """The likeliest class of each task; empty where the model was not run."""
        return {task: max(values, key=values.__getitem__) for task, values in self.probabilities.items()}


def check_fits(front_end: FrontEnd, model: TFLiteModel, decision: DecisionSettings) -> None:
    """Raise unless front end, model and decision settings belong together.

    Raises
    ------
    BridgeError
        When shapes, tasks, classes or quantisation disagree, or the front end is not normalised.
    """
    wanted = (front_end.tokens, front_end.n_features, len(front_end.modality_names))
    got = (*model.feature_shape, model.n_modalities)
    if wanted != got:
        raise BridgeError(
            f"model: expected (tokens, features, modalities) {wanted} of the front end, got {got}."
        )
    classes = {task: int(detail["shape"][-1]) for task, detail in model.output_details.items()}
    named = {task: len(names) for task, names in decision.tasks.items()}
    if classes != named:
        raise BridgeError(
            f"model: expected the outputs {named} of the manifest, got {classes}; export again."
        )
    if front_end.normalisation is None:
        raise BridgeError(
            "front end: expected a normalisation, got none; take frontend.json from a trained run."
        )
    if model.is_integer:
        _check_quantisation(front_end, model)


def _check_quantisation(front_end: FrontEnd, model: TFLiteModel) -> None:
    given = front_end.quantisation
    scale, zero_point = model.quantisation("features")
    if given is None or not math.isclose(given.scale, scale, rel_tol=1e-6) or given.zero_point != zero_point:
        raise BridgeError(
            f"front end: expected the int8 model's scale {scale:g} and zero point {zero_point}, got "
            f"{given}; export again."
        )
    scale, zero_point = model.quantisation("presence")
    if not math.isclose(scale, 1.0 / 255.0, rel_tol=1e-4) or zero_point != -128:
        raise BridgeError(
            f"model: expected presence with scale 1/255 and zero point -128, got {scale:g} and {zero_point}."
        )


@dataclass
class _Window:
    """The last T tokens, oldest first."""

    features: deque[np.ndarray]
    presence: deque[np.ndarray]
    tokens_seen: int = 0
    names: tuple[str, ...] = field(default=())
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, number: int, token: tuple[np.ndarray, np.ndarray], why: dict[str, tuple[str, ...]]) -> None:
        self.features.append(token[0])
        self.presence.append(token[1])
        self.tokens_seen = number
        self.absent = {name: names for name, names in why.items() if names}

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.stack(self.features), np.stack(self.presence)

    def sensors(self) -> dict[str, float]:
        share = np.stack(self.presence).mean(axis=0)
        return {name: float(value) for name, value in zip(self.names, share, strict=True)}


class Device:
    """Front end, model and decision rules of one bundle, fed with raw samples.

    Parameters
    ----------
    front_end : FrontEnd
        With normalisation, and with quantisation where the model is integer.
    model : TFLiteModel
    decision : DecisionSettings or mapping
        The bundle's decision settings.
    manifest : Manifest, optional
        Kept for the caller, for example to mark simulated data.

    Raises
    ------
    BridgeError
        When the parts do not belong together.

    Examples
    --------
    ::

        device = Device.from_bundle("bundle")
        for modality, samples, time_s in replay(recording.signals):
            for decision in device.push(modality, samples, time_s):
                print(decision.time_s, decision.probabilities, decision.reason)
    """

    def __init__(
        self,
        front_end: FrontEnd,
        model: TFLiteModel,
        decision: DecisionSettings | Mapping[str, object],
        manifest: Manifest | None = None,
    ) -> None:
        if not isinstance(decision, DecisionSettings):
            decision = decision_settings(decision)
        check_fits(front_end, model, decision)
        self.front_end, self.model, self.decision, self.manifest = front_end, model, decision, manifest
        self._bridge = Bridge(front_end)
        length = front_end.tokens
        self._window = _Window(deque(maxlen=length), deque(maxlen=length), names=front_end.modality_names)

    @classmethod
    def from_bundle(cls, folder: str | os.PathLike[str], model: ModelName = "int8") -> Device:
        """Open a bundle; only files whose digests are the manifest's are used.

        Raises
        ------
        BridgeError
            When the bundle is not complete, was changed, or `model` is not one of its models.
        """
        if model not in MODEL_FILES:
            raise BridgeError(f"model: expected one of {', '.join(MODEL_FILES)}, got {model!r}.")
        manifest = Manifest.load(folder)
        front_end = read_front_end(manifest, folder)
        content = manifest.read(folder, MODEL_FILES[model])
        loaded = TFLiteModel(content, str(Path(folder) / MODEL_FILES[model]))
        return cls(front_end, loaded, manifest.decision, manifest)

    def push(self, modality: str, samples: np.ndarray, time_s: float) -> list[Decision]:
        """Take samples of one modality and return the decisions they complete, mostly none.

        Parameters
        ----------
        modality : str
            One of the front end's; another one is ignored, as a wearable ignores a sensor it has no use for.
        samples : np.ndarray
            float32 [channels, frames]; NaN is a lost sample.
        time_s : float
            Time of the first sample in seconds from the start.

        Raises
        ------
        BridgeError
            When the samples do not have the front end's channels.
        """
        if modality not in self.front_end.modalities:
            return []
        self._bridge.push(modality, samples, time_s)
        return self._decisions()

    def advance(self, time_s: float) -> list[Decision]:
        """Say that it is `time_s` now and nothing older will come; return the decisions that completes.

        Needed only when every sensor may be silent: nothing else tells the device that time goes on.

        Raises
        ------
        BridgeError
            When the time is not finite.
        """
        self._bridge.advance(time_s)
        return self._decisions()

    def _decisions(self) -> list[Decision]:
        tokens = []
        while (token := self._bridge.pop_token()) is not None:
            tokens.append(token)
        first = self._bridge.closed - len(tokens)  # after a long silence the core skips tokens
        decisions = []
        for number, token in enumerate(tokens, start=first + 1):
            self._window.add(number, token, self._bridge.reasons(number - 1))
            if number % self.decision.every_tokens == 0:
                decisions.append(replace(self._decide(), absent=self._window.absent))
        return decisions

    def _decide(self) -> Decision:
        window, front_end = self._window, self.front_end
        time_s, sensors = window.tokens_seen * front_end.token_s, window.sensors()
        waiting = self._waiting()
        if waiting:
            return Decision(time_s, {}, sensors, True, waiting)
        features, presence = window.arrays()
        share = float(presence.mean())
        if share < self.decision.min_present_share or not presence.any():
            needed = self.decision.min_present_share
            return Decision(
                time_s, {}, sensors, True, f"too little present ({share:.0%} of {needed:.0%} needed)"
            )
        probabilities = self._probabilities(self.model.predict(features, presence))
        reason = self._doubt(probabilities)
        return Decision(time_s, probabilities, sensors, reason is not None, reason)

    def _waiting(self) -> str | None:
        """Why no window is ready yet, or None."""
        token_s = self.front_end.token_s
        left = self.front_end.enrolment_tokens - self._window.tokens_seen
        if left > 0:
            return f"enrolling ({left * token_s:g} s left)"
        left += self.front_end.tokens
        return f"filling the first window ({left * token_s:g} s left)" if left > 0 else None

    def _probabilities(self, logits: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        settings, result = self.decision, {}
        for task, names in settings.tasks.items():
            values = softmax(np.asarray(logits[task], np.float64) / settings.temperature.get(task, 1.0))
            result[task] = {name: float(value) for name, value in zip(names, values, strict=True)}
        return result

    def _doubt(self, probabilities: Mapping[str, Mapping[str, float]]) -> str | None:
        """Name the first task whose likeliest class is under its threshold."""
        for task, values in probabilities.items():
            best, needed = max(values.values()), self.decision.min_confidence.get(task, 0.0)
            if best < needed:
                return f"confidence under threshold ({task} {best:.2f} < {needed:.2f})"
        return None


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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of a vector of logits.

    Examples
    --------
    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
