# SPDX-License-Identifier: Apache-2.0
"""What a device asks of a model, and `NetworkModel`: the int8 model as the C core runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mmq_bridge.core_binding.network import Network
from mmq_bridge.errors import BridgeError


class DecisionModel(Protocol):
    """One model of a bundle, whatever runs it."""

    @property
    def classes(self) -> dict[str, int]:
        """How many logits each task has."""
        ...

    @property
    def feature_shape(self) -> tuple[int, int]:
        """(tokens T, features F) of a window."""
        ...

    @property
    def n_modalities(self) -> int:
        """Modalities M of a window."""
        ...

    @property
    def is_integer(self) -> bool:
        """Whether inputs are int8."""
        ...

    def quantisation(self, name: str = "features") -> tuple[float, int]:
        """Scale and zero point of an int8 input."""
        ...

    def predict(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return logits [classes] by task of one window: features [T, F], presence [T, M]."""
        ...


class NetworkModel:
    """The int8 model of a bundle, run by the C core: the bits of a microcontroller, and no runtime beside it.

    Parameters
    ----------
    plan : bytes
        A bundle's ``mmq_network.bin``.
    tokens : int
        T of a window: a plan knows no shapes.
    where : str
        Its name for error messages.

    Attributes
    ----------
    network : Network

    Raises
    ------
    BridgeError
        When it is no plan that this core knows, or takes something else than windows of `tokens` tokens.
    """

    def __init__(self, plan: bytes, tokens: int, where: str = "network") -> None:
        self.network = Network(plan, where)
        if sorted(self.network.inputs) != ["features", "presence"]:
            raise BridgeError(
                f"{where}: expected inputs features and presence, got {', '.join(self.network.inputs)}; "
                "export again."
            )
        self._tokens = tokens
        for name, port in self.network.inputs.items():
            if port.count % tokens:
                raise BridgeError(
                    f"{where}: expected {name} of {tokens} tokens, got {port.count} numbers; export again."
                )

    @property
    def classes(self) -> dict[str, int]:
        """How many logits each task has."""
        return {task: port.count for task, port in self.network.outputs.items()}

    @property
    def feature_shape(self) -> tuple[int, int]:
        """(tokens T, features F) of a window."""
        return self._tokens, self.network.inputs["features"].count // self._tokens

    @property
    def n_modalities(self) -> int:
        """Modalities M of a window."""
        return self.network.inputs["presence"].count // self._tokens

    @property
    def is_integer(self) -> bool:
        """Always: a plan is int8."""
        return True

    def quantisation(self, name: str = "features") -> tuple[float, int]:
        """Scale and zero point of an input."""
        port = self.network.inputs[name]
        return port.scale, port.zero_point

    def predict(self, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        """Return float32 logits [classes] by task of one window: features [T, F], presence [T, M] (0/1).

        Raises
        ------
        BridgeError
            When a shape is not the model's.
        """
        said = self.network.run(self.network.quantised(features, presence))
        return {task: self._logits(task, values) for task, values in said.items()}

    def _logits(self, task: str, values: np.ndarray) -> np.ndarray:
        port = self.network.outputs[task]
        return (values.astype(np.float32) - np.float32(port.zero_point)) * np.float32(port.scale)
