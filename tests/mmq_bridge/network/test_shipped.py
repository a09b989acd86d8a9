# SPDX-License-Identifier: Apache-2.0
"""The shipped wrist model: every bit of every tensor, in slices too, and within its budget."""

import ctypes

import numpy as np
import pytest
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.network import Network
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file


def drawn(graph, count: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Uniformly random windows, extremes, sparse presence, nothing present, everything the same."""
    rng = np.random.default_rng(seed)
    windows = []
    for number in range(count):
        window = {name: rng.integers(-128, 128, t.shape).astype(np.int8) for name, t in graph.inputs.items()}
        if number % 4 == 1:
            window = {name: rng.choice([-128, 127], w.shape).astype(np.int8) for name, w in window.items()}
        if number % 4 >= 2:
            hidden = rng.random(window["presence"].shape) < rng.random()
            window["presence"] = np.where(hidden, -128, 127).astype(np.int8)
        if number % 16 == 7:
            window["presence"][:] = -128
        if number % 16 == 11:
            window = {name: np.full_like(w, rng.choice([-128, 0, 127])) for name, w in window.items()}
        windows.append(window)
    return windows


def test_every_tensor_is_micros(nets):
    pytest.importorskip("tflite_micro")
    graph = plan_network(nets.shipped).graph
    assert nets.check_same(nets.shipped, drawn(graph, 200)) > 13_000_000


def test_the_whole_fits_its_budget(nets):
    planned = plan_network(nets.shipped)
    assert planned.arena_bytes <= 8192
    assert len(plan_file(planned)) < 50_000


@pytest.mark.parametrize("budget", [0, 1, 5000, 10**6, 2**32 - 1])
def test_slices_change_no_bit(nets, budget):
    planned = plan_network(nets.shipped)
    whole, sliced, slices = Network(plan_file(planned)), Network(plan_file(planned)), 0
    for window in drawn(planned.graph, 20, 1):
        sliced.set_inputs(window)
        slices = 1
        while not sliced.run_slice(budget):
            slices += 1
        wanted = whole.run(window)
        for name, values in sliced.get_outputs().items():
            np.testing.assert_array_equal(values, wanted[name])
    least = sum(-(-group.rows // group.strip) for group in planned.groups)
    if budget <= 1:
        assert slices == least
    elif budget == 2**32 - 1:
        assert slices == 1
    assert whole.longest < 400_000 < whole.cost


def test_a_state_of_another_network_is_refused(nets):
    network = Network(plan_file(plan_network(nets.shipped)))
    network.set_inputs(drawn(plan_network(nets.shipped).graph, 1)[0])
    network._state.group = 10_000
    with pytest.raises(BridgeError, match="network: the state of the run is of another network"):
        network.run_slice()


@pytest.mark.parametrize("budget", [0, 20_000])
def test_a_job_is_what_a_step_calls(nets, budget):
    planned = plan_network(nets.shipped)
    network, other = Network(plan_file(planned)), Network(plan_file(planned))
    job, logits = network.job(budget), np.zeros(2, np.int8)
    for window in drawn(planned.graph, 3, 2):
        places = [window[name].ctypes.data for name in ("features", "presence")]
        calls = 1
        while (said := library().mmq_network_job(ctypes.byref(job), *places, logits.ctypes.data)) == 1:
            calls += 1
        assert said == 0
        np.testing.assert_array_equal(logits, other.run(window)["stress"])
        assert (calls > 20) == bool(budget)
    job.arena_bytes = 8
    assert library().mmq_network_job(ctypes.byref(job), *places, logits.ctypes.data) == -1


def test_the_shipped_plan_is_the_shipped_models(nets):
    assert nets.shipped_plan == plan_file(plan_network(nets.shipped, outputs=["stress"]))


def test_outputs_come_in_the_order_that_is_asked_for(nets):
    with pytest.raises(BridgeError, match="network: the model's outputs are stress, not calm, stress"):
        plan_network(nets.shipped, outputs=["calm", "stress"])


def test_inputs_are_checked(nets):
    network = Network(plan_file(plan_network(nets.shipped)))
    window = drawn(plan_network(nets.shipped).graph, 1)[0]
    with pytest.raises(BridgeError, match="network: the input presence is missing"):
        network.run({"features": window["features"]})
    with pytest.raises(BridgeError, match=r"network: presence must be 48 int8, got 47 of int8"):
        network.run({**window, "presence": window["presence"].reshape(-1)[1:]})
    with pytest.raises(BridgeError, match=r"network: presence must be 48 int8, got 48 of float64"):
        network.run({**window, "presence": window["presence"].astype(float)})
    assert list(network.outputs) == ["stress"]
    assert network.inputs["presence"].scale == pytest.approx(1 / 255)
