# SPDX-License-Identifier: Apache-2.0
"""Every tensor of a run in TFLite Micro's reference kernels: the judge of the core's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.network.graph import read_network

_ROOMY = 1 << 25


class MicroTensors:
    """A model in TFLite Micro with all of its tensors kept.

    Parameters
    ----------
    content : bytes
        An int8 .tflite.

    Raises
    ------
    BridgeError
        If the content is no model, or TFLite Micro refuses it.
    """

    def __init__(self, content: bytes) -> None:
        from tflite_micro import runtime

        self.graph = read_network(content)
        keep = runtime.InterpreterConfig.kPreserveAllTensors
        try:
            self._interpreter = runtime.Interpreter.from_bytes(
                content, arena_size=_ROOMY, intrepreter_config=keep
            )
        except RuntimeError as error:
            raise BridgeError(f"MicroTensors: TFLite Micro refuses the model ({error}).") from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
        """Run once on int8 inputs by name; return int8 ``[size]`` of each computed tensor by its index."""
        for position, (name, tensor) in enumerate(self.graph.inputs.items()):
            self._interpreter.set_input(np.asarray(inputs[name], np.int8).reshape(tensor.shape), position)
        self._interpreter.invoke()
        found = {op.output.index: self._tensor(op.output.index) for op in self.graph.ops}
        for position, tensor in enumerate(self.graph.outputs.values()):
            found[tensor.index] = np.array(self._interpreter.get_output(position)).reshape(-1)
        return found

    def _tensor(self, index: int) -> np.ndarray:
        kept = self._interpreter.GetTensor(index, 0)
        return np.array(kept["tensor_data"], np.int8).reshape(-1)
