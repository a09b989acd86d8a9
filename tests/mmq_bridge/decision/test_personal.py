# SPDX-License-Identifier: Apache-2.0
"""What a wearer marks corrects the device's decisions, is saved with the state, and is undone by one call."""

import numpy as np
import pytest
from mmq_bridge.core_binding.personal_head import BOUND
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import decision_settings
from mmq_bridge.decision.personal import Personal
from mmq_bridge.decision.replay import replay
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import HeadTables

SECONDS = 500.0


def tables(front_end, components=6):
    rng, count = np.random.default_rng(0), front_end.n_features
    sizes = list(front_end.feature_layout.feature_sizes.values())
    return HeadTables(
        task="stress",
        tokens=front_end.tokens,
        n_modalities=len(sizes),
        n_features=count,
        column=tuple(range(count)),
        owner=tuple(np.repeat(np.arange(len(sizes)), sizes).tolist()),
        centre=(0.0,) * count,
        scale=(2.0,) * count,
        component=tuple(map(tuple, rng.standard_normal((components, count)))),
    )


@pytest.fixture(scope="module")
def bundle(tiny, tmp_path_factory):
    """A bundle with a personal head and no code."""
    folder = tmp_path_factory.mktemp("personal") / "bundle"
    front_end = tiny.front_end()
    tiny.write(folder, front_end=front_end, head=tables(front_end), code=False)
    return folder


@pytest.fixture(scope="module")
def worn(tiny):
    return tiny.signals(SECONDS)


def run(device, signals):
    return [d for chunk in replay(signals, 1.0) for d in device.push(*chunk)]


def logit(decision):
    values = decision.probabilities["stress"]
    return np.log(values["stress"] / values["rest"])


def decided(decisions):
    return {d.time_s: logit(d) for d in decisions if d.probabilities}


class Worn(Device):
    """A device, and what it said before anything was marked."""

    first: list[Decision]

    @classmethod
    def of(cls, bundle, signals):
        device = cls.from_bundle(bundle)
        assert isinstance(device, Worn)
        device.first = run(device, signals)
        return device


def own(device: Device) -> Personal:
    assert device.personal
    return device.personal


@pytest.fixture
def device(bundle, worn):
    return Worn.of(bundle, worn)


def test_without_marks_decisions_are_those_of_a_bundle_without_a_head(tiny_bundle, device, worn):
    assert run(Device.from_bundle(tiny_bundle), worn) == device.first


def test_marks_correct_what_is_decided_later(device, worn):
    assert device.mark("rest", 100, 200) == 6  # windows of 20 s, each 15 s after the last
    only = device.decide(worn)
    assert only == device.first[: len(only)]  # one class alone corrects nothing
    assert device.mark("stress", 200, 400) == 8
    assert device.personal.counts == {"rest": 6, "stress": 8}
    before, after = decided(only), decided(device.decide(worn))
    moved = np.array([after[time_s] - before[time_s] for time_s in after])
    assert 0 < np.abs(moved).max() <= BOUND + 1e-9

    def loss(said):
        rest = [np.logaddexp(0, z) for time_s, z in said.items() if 120 <= time_s <= 200]
        stress = [np.logaddexp(0, -z) for time_s, z in said.items() if 220 <= time_s <= 400]
        return np.mean(rest) + np.mean(stress)

    assert loss(after) < loss(before)


def test_one_call_undoes_all(device, worn):
    first = device.decide(worn)
    device.mark("rest", 100, 200)
    device.mark("stress", 200, 400)
    assert device.decide(worn) != first
    device.forget()
    assert device.decide(worn) == first
    device.mark("rest", 100, 200)  # and marking begins anew


def test_marks_are_saved_with_the_state_and_old_states_load(bundle, tiny_bundle, device, worn, tmp_path):
    device.save_state(tmp_path / "unmarked")
    device.mark("rest", 100, 200)
    device.mark("stress", 200, 400)
    device.save_state(tmp_path / "marked")
    again = Device.from_bundle(bundle)
    again.load_state(tmp_path / "marked")
    assert own(again).counts == {"rest": 6, "stress": 8}
    assert own(again).asks() == own(device).asks()
    assert again.decide(worn) == device.decide(worn)
    other = Device.from_bundle(tiny_bundle)
    other.load_state(tmp_path / "unmarked")
    with pytest.raises(BridgeError, match="this bundle has none"):
        Device.from_bundle(tiny_bundle).load_state(tmp_path / "marked")
    again.load_state(tmp_path / "unmarked")
    assert own(again).counts == {"rest": 0, "stress": 0}


def test_a_damaged_state_changes_nothing(bundle, device, tmp_path):
    device.mark("rest", 100, 200)
    device.save_state(tmp_path / "state")
    content = (tmp_path / "state").read_bytes()
    for place in (20, len(content) - 30):
        (tmp_path / "state").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        again = Device.from_bundle(bundle)
        with pytest.raises(BridgeError, match="was changed"):
            again.load_state(tmp_path / "state")
        assert own(again).counts == {"rest": 0, "stress": 0}
        assert again.shortest_s == 80


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (("joy", 100, 200), "expected rest or stress, got 'joy'"),
        (("rest", 200, 100), "expected a stop after the start"),
        (("rest", 100, 110), "no window of 20 s from 100 to 110 s"),
        (("rest", 600, 700), "decisions are known from 80 to 500 s"),
        (("rest", float("nan"), 100), "expected a stop after the start"),
        (("rest", 220, 300), "overlaps 200 to 260 s, which is marked stress"),
    ],
)
def test_a_bad_mark_is_refused_by_name(device, mark, said):
    device.mark("stress", 200, 260)
    with pytest.raises(BridgeError, match=said):
        device.mark(*mark)
    assert device.personal.counts == {"rest": 0, "stress": 3}


def test_what_is_asked_for(device):
    assert "mark at least 2 windows of 20 s of rest" in device.personal.asks()
    device.mark("rest", 100, 140)
    device.mark("stress", 150, 200)
    assert "a second, different one" in device.personal.asks()
    device.mark("stress", 250, 300)
    assert device.personal.asks() is None


def test_marks_that_touch_are_of_one_stretch(device):
    device.mark("stress", 100, 140)
    device.mark("rest", 140, 200)
    device.mark("stress", 260, 300)
    device.mark("stress", 220, 260)
    assert [mark.stretch for mark in device.personal.marks] == [0, 1, 2, 2]
    device.mark("stress", 200, 220)
    assert len(set(device.personal.head.stretches[device.personal.head.labels == 1])) == 2
    device.forget()
    device.mark("rest", 300, 400)
    device.mark("stress", 100, 140)
    device.mark("stress", 180, 220)
    assert "a second, different one" not in str(device.personal.asks())
    device.mark("stress", 140, 180)  # what lies between two makes them one
    assert [mark.stretch for mark in device.personal.marks] == [0, 1, 1, 1]
    assert set(device.personal.head.stretches) == {0, 1}
    assert "a second, different one" in device.personal.asks()


def test_stretches_that_contradict_each_other_correct_nothing_and_it_is_said(device, worn):
    """The same window called rest and stress, each in two stretches."""
    first, personal = device.decide(worn), own(device)
    u = np.ones(6, np.float32)
    for stretch, sign in enumerate((1, 1, -1, -1)):
        for _ in range(2):
            personal.head.mark(sign * (2 * (stretch % 2) - 1) * u, 0.0, stretch % 2, stretch // 2)
    assert not personal.head.adapt()
    assert personal.asks() == (
        "Nothing is corrected: what was marked in one stretch does not hold in another; "
        "mark more of them, or forget all."
    )
    assert not personal.adapted
    assert device.decide(worn) == first
    device.forget()
    assert "does not hold" not in str(personal.asks())


def test_advice_is_the_least_sure_that_is_not_marked(device):
    device.mark("rest", 100, 200)
    sure = [abs(logit(d)) for d in device.first if d.probabilities and not 80 < d.time_s < 220]
    found = device.personal.advise(3)
    assert abs(found[0].probability - 0.5) == pytest.approx(1 / (1 + np.exp(-min(sure))) - 0.5, abs=1e-6)
    for one in found:
        assert one.stop_s - one.start_s == 20
        assert one.stop_s <= 100 or one.start_s >= 200
    starts = sorted(one.start_s for one in found)
    assert min(np.diff(starts)) >= 20


def test_a_bundle_without_a_head_says_so(tiny_bundle):
    device = Device.from_bundle(tiny_bundle)
    assert device.personal is None
    for act in (lambda: device.mark("rest", 0, 100), device.forget):
        with pytest.raises(BridgeError, match="this bundle has none"):
            act()


def test_tables_that_do_not_fit_are_refused(tiny, tiny_bundle):
    front_end = tiny.front_end()
    good, whole = tables(front_end), Device.from_bundle(tiny_bundle)
    for change, said in (({"tokens": 5}, "of the front end"), ({"task": "joy"}, "none of stress")):
        with pytest.raises(BridgeError, match=said):
            Device(whole.front_end, whole.model, whole.decision, head=good.model_copy(update=change))


def test_more_than_two_classes_are_refused_by_name(tiny, tiny_bundle):
    from mmq_bridge.decision.head_file import check_head

    front_end = tiny.front_end()
    three = decision_settings({"tasks": {"stress": ["rest", "stress", "joy"]}})
    with pytest.raises(BridgeError, match="two classes, stress has rest, stress, joy"):
        check_head(tables(front_end), front_end, three)


def test_the_logit_is_remembered_at_the_decisions_temperature(bundle, worn):
    """What is remembered is the log-odds of class 1 against class 0, divided by the temperature."""
    device = Worn.of(bundle, worn)
    found = {time_s: (before, after) for time_s, before, after in own(device).before_and_after()}
    for said in device.first:
        if said.probabilities:
            p = said.probabilities["stress"]["stress"]
            assert found[said.time_s] == pytest.approx((p, p), abs=1e-6)
