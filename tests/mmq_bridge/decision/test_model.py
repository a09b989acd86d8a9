# SPDX-License-Identifier: Apache-2.0
"""Who runs the model: the C core by default, with the bits of TFLite Micro; LiteRT on request or at need."""

import json
import shutil

import numpy as np
import pytest
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.model import NetworkModel
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError, BridgeWarning

from mmq_tf import pretrained

FOLDER = pretrained.path("wrist-stress")
ENROLMENT_S = 60


def worn(seconds=400):
    """SIMULATED: rest, and from the middle on arousal; the EDA electrode falls off for a while."""
    draw = np.random.default_rng(3)
    time = {rate: np.arange(seconds * rate) / rate for rate in (4, 32, 64)}
    aroused = {rate: t > seconds / 2 for rate, t in time.items()}
    beats = np.cumsum(np.where(aroused[64], 1.7, 1.1)) / 64
    conductance = 2 + np.where(aroused[4], 1.0, 0.2) * np.sin(2 * np.pi * time[4] / 15).clip(0) ** 4
    conductance[300 * 4 : 330 * 4] = 0
    return {
        "ppg": (40 * np.exp(3 * (np.cos(2 * np.pi * beats) - 1)) + draw.normal(0, 0.5, beats.size), 64),
        "eda": (conductance + draw.normal(0, 0.003, conductance.size), 4),
        "temp": (33 - 0.3 * aroused[4] + draw.normal(0, 0.01, time[4].size), 4),
        "acc": (np.array([[0], [0], [1]]) + draw.normal(0, 0.02, (3, time[32].size)), 32),
    }


def opened(folder=FOLDER, **given):
    with pytest.warns(BridgeWarning, match="enrolment: 60 s"):
        return Device.from_bundle(folder, enrolment_s=ENROLMENT_S, **given)


@pytest.fixture
def copy(tmp_path):
    """A bundle's copy, and what changes its manifest."""
    folder = shutil.copytree(FOLDER, tmp_path / "bundle")

    def edit(change):
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return edit


class Other:
    """A model that Deciding does not hand to the core: its logits come from a function of int8 windows."""

    def __init__(self, core, run):
        self.network, self.classes, self.feature_shape = core.network, core.classes, core.feature_shape
        self.n_modalities, self.is_integer, self.quantisation = core.n_modalities, True, core.quantisation
        self._run = run

    def predict(self, features, presence):
        said = self._run(self.network.quantised(features, presence))
        port = self.network.outputs["stress"]
        return {"stress": (said.astype(np.float32) - np.float32(port.zero_point)) * np.float32(port.scale)}


def test_a_recordings_decisions_are_micros_bit_for_bit():
    pytest.importorskip("tflite_micro")
    from mmq_bridge.bundle.micro_tensors import MicroTensors

    core = opened()
    assert isinstance(core.model, NetworkModel)
    micro = MicroTensors((FOLDER / "model_int8.tflite").read_bytes())
    index = micro.graph.outputs["stress"].index
    other = Other(core.model, lambda window: np.asarray(micro.run(window)[index]).reshape(-1))
    wanted = Device(core.front_end, other, core.decision).decide(worn())
    said = core.decide(worn())
    assert said == wanted
    assert len({one.probabilities["stress"]["stress"] for one in said if one.probabilities}) > 10


def test_litert_decides_nearly_the_same():
    said, near = opened().decide(worn()), opened(runtime="litert")
    assert isinstance(near.model, TFLiteModel)
    for one, other in zip(said, near.decide(worn()), strict=True):
        assert one.time_s == other.time_s
        for name, value in one.probabilities.get("stress", {}).items():
            assert value == pytest.approx(other.probabilities["stress"][name], abs=0.02)


def test_two_devices_may_run_one_network():
    """Each in an arena of its own: what one is in the middle of, another does not disturb."""
    core, signals = opened(), worn()
    wanted = core.decide(signals)
    two = [Device(core.front_end, core.model, core.decision) for _ in range(2)]
    assert [one.decide(signals) for one in two] == [wanted, wanted]
    assert two[0].model is two[1].model


def test_a_bundle_without_a_plan_is_run_by_litert_and_says_so(copy):
    folder = copy(lambda manifest: manifest["files"].pop(NETWORK_FILE))
    sentence = f"{folder}: it has no {NETWORK_FILE} for the core, so LiteRT runs its model; export it again."
    with pytest.warns(BridgeWarning) as warned:
        device = Device.from_bundle(folder)
    assert [str(one.message) for one in warned] == [sentence]
    assert warned[0].filename == __file__
    assert isinstance(device.model, TFLiteModel)
    assert isinstance(Device.from_bundle(folder, runtime="litert").model, TFLiteModel)
    assert isinstance(Device.from_bundle(folder, "float32").model, TFLiteModel)
    with pytest.raises(BridgeError, match=f"bundle: it has no {NETWORK_FILE} for the core; export it again"):
        Device.from_bundle(folder, runtime="core")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"runtime": "tvm"}, "runtime: expected one of core, litert, got 'tvm'"),
        ({"model": "int4"}, "model: expected one of int8, int8_float_io, float32, got 'int4'"),
        ({"runtime": "core", "model": "float32"}, "runtime: the core runs the model int8 only, not float32"),
    ],
)
def test_what_cannot_be_run_is_refused(asked, says):
    with pytest.raises(BridgeError, match=says):
        Device.from_bundle(FOLDER, **asked)


def test_a_changed_plan_is_refused(copy):
    folder = copy(lambda manifest: None)
    plan = bytearray((folder / NETWORK_FILE).read_bytes())
    plan[2000] ^= 1
    (folder / NETWORK_FILE).write_bytes(plan)
    with pytest.raises(BridgeError, match=f"{NETWORK_FILE}: its SHA-256 is not the manifest's"):
        Device.from_bundle(folder)


def test_a_forged_plan_is_refused_by_name():
    with pytest.raises(BridgeError, match=r"^bundle/x\.bin: it is no plan that this core knows"):
        NetworkModel(b"PK" * 500, 12, "bundle/x.bin")
    plan = (FOLDER / NETWORK_FILE).read_bytes()
    with pytest.raises(BridgeError, match=r"expected (features|presence) of 13 tokens, got \d+ numbers"):
        NetworkModel(plan, 13)


def test_a_plan_of_another_front_end_is_refused():
    whole = Device.from_bundle(FOLDER)
    model = NetworkModel((FOLDER / NETWORK_FILE).read_bytes(), 6)
    with pytest.raises(BridgeError, match=r"model: expected \(tokens, features, modalities\) \(12, "):
        Device(whole.front_end, model, whole.decision)


def test_tasks_in_another_order_are_refused():
    whole = Device.from_bundle(FOLDER)
    model = NetworkModel((FOLDER / NETWORK_FILE).read_bytes(), 12)
    port = model.network.outputs["stress"]
    model.network.outputs = {"calm": port, "stress": port}
    settings = {"tasks": {"stress": ["rest", "stress"], "calm": ["no", "yes"]}}
    with pytest.raises(BridgeError, match=r"model: expected the outputs {'stress': 2, 'calm': 2}"):
        Device(whole.front_end, model, settings)


def test_int8_is_rounded_as_the_core_rounds():
    model = Device.from_bundle(FOLDER).model
    network = Network((FOLDER / NETWORK_FILE).read_bytes())
    scale, zero_point = model.quantisation()
    halves = (np.arange(-100, 100) + 0.5) * scale
    features = np.resize(halves.astype(np.float32), (12, model.feature_shape[1]))
    coded = network.quantised(features, np.ones((12, 4)))
    steps = features / np.float32(scale)
    wanted = np.clip(np.sign(steps) * np.floor(np.abs(steps) + np.float32(0.5)) + zero_point, -128, 127)
    np.testing.assert_array_equal(coded["features"], wanted)
    assert set(coded["presence"].ravel()) == {127}
