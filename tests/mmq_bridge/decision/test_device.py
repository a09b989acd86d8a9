# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens, normalise_tokens
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import decision_settings
from mmq_bridge.decision.replay import Drop, replay
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import Quantisation


def run(device, signals, drop=(), chunk_s=1.0):
    return [d for chunk in replay(signals, chunk_s, drop) for d in device.push(*chunk)]


@pytest.fixture(scope="module")
def worn(tiny):
    return tiny.signals(150.0)


@pytest.fixture(scope="module")
def decisions(tiny_bundle, worn):
    return run(Device.from_bundle(tiny_bundle), worn)


def test_one_decision_a_token(decisions):
    assert [d.time_s for d in decisions] == [5.0 * k for k in range(1, 31)]


def test_enrolling_and_filling_abstain_with_what_is_left(decisions):
    assert decisions[0].reason == "enrolling (1 of 12 tokens measured)"
    assert decisions[10].reason == "enrolling (11 of 12 tokens measured)"
    assert decisions[11].reason == "filling the first window (20 s left)"
    assert decisions[14].reason == "filling the first window (5 s left)"
    assert all(d.abstained and not d.probabilities for d in decisions[:15])
    assert all(d.probabilities for d in decisions[15:])


def test_probabilities_are_those_of_training_features_through_the_model(decisions, tiny_bundle, worn):
    device = Device.from_bundle(tiny_bundle)
    stream = extract_tokens(device.front_end, worn)
    features = normalise_tokens(device.front_end, stream.features, stream.presence)
    for end in (16, 23, 30):
        window = slice(end - 4, end)
        logits = device.model.predict(features[window], stream.presence[window])["stress"] / 2.0
        wanted = np.exp(logits) / np.exp(logits).sum()
        got = decisions[end - 1].probabilities["stress"]
        np.testing.assert_allclose([got["rest"], got["stress"]], wanted, rtol=1e-6)
        assert decisions[end - 1].classes["stress"] == ("rest", "stress")[int(wanted.argmax())]


@pytest.mark.parametrize("chunk_s", [0.21, 2.0, 5.0])
def test_decisions_do_not_depend_on_how_samples_arrive(decisions, tiny_bundle, worn, chunk_s):
    assert run(Device.from_bundle(tiny_bundle), worn, chunk_s=chunk_s) == decisions


def test_a_dropped_sensor_is_named_and_the_device_goes_on(decisions, tiny_bundle, worn):
    dropped = run(Device.from_bundle(tiny_bundle), worn, [Drop("eda", 100, 130)])
    by_time = {d.time_s: d for d in dropped}
    assert sorted(by_time) == sorted({d.time_s for d in decisions})
    assert by_time[120.0].sensors["eda"] == 0
    assert by_time[120.0].sensors["ppg"] == 1
    assert by_time[120.0].probabilities
    assert by_time[110.0].sensors["eda"] == 0.5
    assert by_time[95.0] == next(d for d in decisions if d.time_s == 95.0)


def test_a_decision_says_why_a_sensor_is_absent(tiny_bundle, worn):
    signals = {name: replace(signal, samples=signal.samples.copy()) for name, signal in worn.items()}
    rate = signals["eda"].sampling_rate_hz
    signals["eda"].samples[:, int(101 * rate) : int(104 * rate)] = 1000.0
    decisions = run(Device.from_bundle(tiny_bundle), signals, [Drop("temp", 110, 120)])
    absent = {d.time_s: d.absent for d in decisions}
    assert absent[100.0] == absent[110.0] == {}
    assert absent[105.0] == {"eda": ("range",)}
    assert absent[115.0] == {"temp": ("lost",)}


def test_too_little_present_abstains_without_running_the_model(tiny_bundle, worn):
    away = [Drop(name, 90, 140) for name in ("ppg", "eda", "acc")]
    dropped = run(Device.from_bundle(tiny_bundle), {k: v for k, v in worn.items()}, away)
    found = next(d for d in dropped if d.time_s == 120.0)
    assert found.probabilities  # temp alone: a quarter of the tokens, a fifth is needed
    away += [Drop("temp", 100, 140)]
    device = Device.from_bundle(tiny_bundle)
    dropped = run(device, worn, away)
    found = next(d for d in dropped if d.time_s == 125.0)
    assert found.abstained
    assert found.probabilities == {}
    assert found.reason == "too little present (0% of 20% needed)"


def test_advance_lets_time_pass_while_every_sensor_is_silent(tiny_bundle, worn):
    device = Device.from_bundle(tiny_bundle)
    first = {name: signal for name, signal in worn.items()}
    before = [d for c in replay(first, 1.0, [Drop(n, 100, 1e6) for n in worn]) for d in device.push(*c)]
    after = device.advance(200.0)
    assert before[-1].time_s <= 100.0
    assert after[-1].time_s == 200.0
    assert after[-1].reason is not None
    assert "too little" in after[-1].reason


def test_a_sensor_the_front_end_does_not_know_is_ignored(tiny_bundle):
    assert Device.from_bundle(tiny_bundle).push("ecg", np.zeros((1, 10), np.float32), 0.0) == []


def test_a_wrong_number_of_channels_is_refused(tiny_bundle):
    with pytest.raises(BridgeError, match="acc"):
        Device.from_bundle(tiny_bundle).push("acc", np.zeros((1, 10), np.float32), 0.0)


def test_low_confidence_abstains_and_keeps_the_probabilities(tiny_bundle, worn, tiny):
    whole = Device.from_bundle(tiny_bundle)
    settings = {**tiny.DECISION, "min_confidence": {"stress": 0.999}}
    doubtful = run(Device(whole.front_end, whole.model, settings), worn)[-1]
    assert doubtful.abstained
    assert doubtful.probabilities
    assert doubtful.reason is not None
    assert doubtful.reason.startswith("confidence under threshold (stress 0.")


def test_every_tokens_thins_out_decisions(tiny_bundle, worn, tiny):
    whole = Device.from_bundle(tiny_bundle)
    device = Device(whole.front_end, whole.model, {**tiny.DECISION, "every_tokens": 3})
    assert [d.time_s for d in run(device, worn)] == [15.0 * k for k in range(1, 11)]


@pytest.mark.parametrize("name", ["int8_float_io", "float32"])
def test_the_other_models_decide_alike(decisions, tiny_bundle, worn, name):
    other = run(Device.from_bundle(tiny_bundle, name), worn)
    got = [d.probabilities["stress"]["stress"] for d in other[15:]]
    wanted = [d.probabilities["stress"]["stress"] for d in decisions[15:]]
    np.testing.assert_allclose(got, wanted, atol=0.05)


def test_an_unknown_model_is_refused_by_name(tiny_bundle):
    with pytest.raises(BridgeError, match="expected one of int8, int8_float_io, float32, got 'int4'"):
        Device.from_bundle(tiny_bundle, "int4")  # type: ignore[arg-type]


def test_parts_that_do_not_belong_together_are_refused(tiny_bundle, tiny):
    whole = Device.from_bundle(tiny_bundle)
    model, end = whole.model, whole.front_end
    with pytest.raises(BridgeError, match="outputs"):
        Device(end, model, {**tiny.DECISION, "tasks": {"stress": ["a", "b", "c"]}})
    with pytest.raises(BridgeError, match="scale"):
        Device(end.with_quantisation(Quantisation(scale=0.5, zero_point=0)), model, tiny.DECISION)
    with pytest.raises(BridgeError, match="normalisation"):
        Device(end.with_normalisation(None), model, tiny.DECISION)
    shorter = type(end).model_validate({**dict(end), "tokens": 3})
    with pytest.raises(BridgeError, match=r"\(3, 26, 4\) of the front end, got \(4, 26, 4\)"):
        Device(shorter, model, tiny.DECISION)


@pytest.mark.parametrize(
    "change",
    [
        {"min_present_share": 2},
        {"tasks": {}},
        {"tasks": {"stress": ["one"]}},
        {"temperature": {"stress": 0}},
        {"temperature": {"other": 1}},
        {"min_confidence": {"stress": -1}},
        {"every_tokens": 0},
        {"surprise": 1},
    ],
)
def test_impossible_decision_settings_are_named(tiny, change):
    with pytest.raises(BridgeError, match="decision: "):
        decision_settings({**tiny.DECISION, **change})


def test_a_decision_without_probabilities_has_no_classes():
    assert Decision(5.0, {}, {}).classes == {}


def test_running_normalisation_needs_no_enrolment(tiny_bundle, tiny, worn):
    whole = Device.from_bundle(tiny_bundle)
    end = tiny.front_end("running").with_quantisation(whole.front_end.quantisation)
    model = TFLiteModel((tiny_bundle / "model_int8.tflite").read_bytes())
    decisions = run(Device(end, model, tiny.DECISION), worn)
    assert decisions[2].reason == "filling the first window (5 s left)"
    assert decisions[3].probabilities
