# SPDX-License-Identifier: Apache-2.0
"""The deployed graph has static shapes and computes what the net computes."""

from typing import Any

import keras
import numpy as np
import pytest
from mmq_export.deployed_graph import deployed_model
from mmq_export.errors import ExportError

from mmq_tf.model import MMQNet

T, FEATURES, TASKS = 4, {"ppg": 3, "eda": 2}, {"stress": 2, "load": 3}


@pytest.fixture(scope="module")
def net() -> MMQNet:
    return MMQNet(T, FEATURES, TASKS, dim=8, hidden=16)


def test_it_has_static_shapes_and_named_inputs(net):
    deployed: Any = deployed_model(net, T, 5, 2)
    shapes = {tensor.name: tuple(tensor.shape) for tensor in deployed.inputs}
    assert shapes == {"features": (1, T, 5), "presence": (1, T, 2)}
    assert {task: tuple(tensor.shape) for task, tensor in deployed.output.items()} == {
        "stress": (1, 2),
        "load": (1, 3),
    }


def test_it_shares_the_weights_and_takes_a_dict_by_name(net):
    rng = np.random.default_rng(0)
    inputs = {
        "features": rng.normal(size=(1, T, 5)).astype("float32"),
        "presence": np.ones((1, T, 2), "float32"),
    }
    deployed = deployed_model(net, T, 5, 2)
    for task, logits in net(inputs).items():
        np.testing.assert_array_equal(deployed(inputs)[task], logits)


def test_wrong_sizes_are_refused(net):
    with pytest.raises(ExportError, match="features"):
        deployed_model(net, T, 6, 2)


def test_a_net_without_tasks_is_refused():
    class Plain(keras.Model):
        def call(self, inputs):
            return inputs["features"]

    with pytest.raises(ExportError, match="dict of logits"):
        deployed_model(Plain(), T, 5, 2)
