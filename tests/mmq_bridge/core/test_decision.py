# SPDX-License-Identifier: Apache-2.0
"""The decision in C: when one is due, why it abstains, temperature and thresholds, what a display shows."""

import ctypes
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.decision import (
    Abstention,
    CDecision,
    Decider,
    Display,
    Rules,
    TaskRules,
    abstention_name,
)
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.personal_head import PersonalHead
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.front_end.head_tables import HeadTables

T = 3
RATE = 4
TWO = TaskRules(2)


def front_end(mode: Any = "population", names=("eda", "temp"), **settings_):
    plain = FrontEnd.wearable(dict.fromkeys(names, RATE), token_s=5, tokens=T)
    count = plain.n_features
    norm = Normalisation(mode=mode, mean=(0.0,) * count, std=(1.0,) * count, **settings_)
    return plain.with_normalisation(norm).with_quantisation(Quantisation(scale=0.05, zero_point=-3))


def values(name, n, seed=0):
    noise = 0.01 * np.random.default_rng(seed).standard_normal((1, n))
    return ({"eda": 2.0, "temp": 33.0}[name] + noise).astype(np.float32)


class Worn:
    """A bridge fed with whole tokens, and its decider."""

    def __init__(self, end, rules=None):
        self.end, self.bridge = end, Bridge(end)
        self.decider = Decider(self.bridge, rules or Rules([TWO]))
        self.at = 0

    def wear(self, tokens, names=("eda", "temp")):
        """Push so many tokens of some sensors, and let time pass."""
        for _ in range(tokens):
            for name in names:
                self.bridge.push(name, values(name, 5 * RATE, self.at), 5.0 * self.at)
            self.at += 1
            self.bridge.advance(5.0 * self.at)

    def due(self):
        return list(iter(self.decider.due, None))

    def decide(self, *logits):
        """The newest decision that is due, with these logits."""
        said = self.due()[-1]
        assert said.abstention == Abstention.DECIDED
        assert said.n_probabilities == 0
        self.decider.decide(said, np.array(logits, np.float32))
        return said


def decided(rules, *logits):
    worn = Worn(front_end(), rules)
    worn.wear(T)
    return worn.decide(*logits)


def p_of(said):
    return said.probability[: said.n_probabilities]


def test_a_decision_is_due_at_the_end_of_every_so_many_tokens():
    for every in (1, 2, 3, 5):
        worn, found = Worn(front_end(), Rules([TWO], every_tokens=every)), []
        for _ in range(12):
            worn.wear(1)
            found += [said.number + 1 for said in worn.due()]
        assert found == [count for count in range(1, 13) if count % every == 0]


def test_several_tokens_at_once_are_decided_one_by_one_each_on_its_own_window():
    one_by_one, at_once = Worn(front_end()), Worn(front_end())
    wanted, windows = [], []
    for k in range(8):
        one_by_one.wear(1, ("eda",) if k % 3 else ("eda", "temp"))
        wanted += one_by_one.due()
        windows.append(one_by_one.bridge.window() if k >= T - 1 else None)
        at_once.wear(1, ("eda",) if k % 3 else ("eda", "temp"))
    said = at_once.due()
    assert [one.number for one in said] == [3, 4, 5, 6, 7]  # the last five: of others the window is not kept
    assert [bytes(one) for one in said] == [bytes(one) for one in wanted[3:]]
    for one in said:
        features, presence = at_once.bridge.window_at(one.number)
        np.testing.assert_array_equal(features, windows[one.number][0])
        np.testing.assert_array_equal(presence, windows[one.number][1])
        assert list(one.present[:2]) == presence.sum(axis=0).tolist()


def test_a_window_that_is_not_kept_cannot_be_read():
    worn = Worn(front_end())
    worn.wear(9)
    for number in (4, 8):
        assert worn.bridge.window_i8_at(number)[0].shape == (T, worn.end.n_features)
    for number in (2, 3, 9, 100):
        with pytest.raises(BridgeError, match=f"window of token {number}: no token is closed"):
            worn.bridge.window_at(number)
    np.testing.assert_array_equal(worn.bridge.window_i8_at(8)[0], worn.bridge.window_i8()[0])
    early = Worn(front_end())
    early.wear(2)
    with pytest.raises(BridgeError, match="not full"):
        early.bridge.window_at(1)


def test_after_a_long_silence_only_the_newest_are_decided():
    worn = Worn(front_end(), Rules([TWO], min_present_share=0.5))
    worn.wear(4)
    worn.due()
    worn.bridge.advance(5000.0)
    said = worn.due()
    assert [one.number + 1 for one in said] == [996, 997, 998, 999, 1000]
    assert {one.abstention for one in said} == {Abstention.ABSENT}
    assert worn.due() == []


def test_a_decider_that_comes_later_decides_about_what_closes_then():
    worn = Worn(front_end())
    worn.wear(5)
    worn.decider = Decider(worn.bridge, Rules([TWO]))
    assert worn.due() == []
    worn.wear(1)
    assert [said.number for said in worn.due()] == [5]


def test_filling_the_first_window():
    worn = Worn(front_end())
    worn.wear(1)
    (said,) = worn.due()
    assert (said.abstention, said.tokens_left, said.tokens) == (Abstention.FILLING, 2, 1)
    assert (said.time_s, said.present_share, list(said.present[:2])) == (5.0, 1.0, [1, 1])
    worn.wear(1, ("temp",))
    (said,) = worn.due()
    assert (said.tokens_left, said.present_share, list(said.present[:2])) == (1, 0.75, [1, 2])
    assert list(said.reasons[:2]) == [1, 0]  # lost
    worn.wear(1)
    assert worn.due()[0].abstention == Abstention.DECIDED


def test_enrolling_counts_measured_tokens():
    worn = Worn(front_end("enrolment", enrolment_s=20))
    worn.wear(2)
    worn.wear(1, ("temp",))
    worn.wear(2)
    found = [(one.abstention, one.tokens_left) for one in worn.due()]
    enrolling = [(Abstention.ENROLLING, left) for left in (3, 2, 2, 1)]
    assert found == [*enrolling, (Abstention.FILLING, 3)]


def test_a_sensor_that_came_later_is_not_enrolled():
    worn = Worn(front_end("enrolment", enrolment_s=60))
    least = worn.end.enrolment_least
    assert least > 2
    worn.wear(12 + T, ("eda",))
    said = worn.due()[-1]
    assert (said.abstention, said.not_enrolled) == (Abstention.DECIDED, 0)
    for k in range(least + T):
        worn.wear(1)
        (said,) = worn.due()
        assert said.not_enrolled == (2 if k + 1 - T + 1 < least else 0), k


def test_too_little_present_and_the_share_exactly_met():
    for share, wanted in ((0.5, Abstention.DECIDED), (0.51, Abstention.ABSENT)):
        worn = Worn(front_end(), Rules([TWO], min_present_share=share))
        worn.wear(T, ("temp",))
        said = worn.due()[-1]
        assert (said.abstention, said.present_share) == (wanted, 0.5)
    worn = Worn(front_end(), Rules([TWO], min_present_share=0.0))
    worn.bridge.advance(5.0 * T)
    assert worn.due()[-1].abstention == Abstention.ABSENT  # of nothing nothing is said, whatever the share


def test_the_share_of_tokens_is_exact_for_every_window():
    """A share that is a setting's very number is enough: k of n against k / n."""
    share, cells = np.float32, 2 * T
    for k in range(cells + 1):
        assert share(k) / share(cells) == share(k / cells)


def test_temperature_and_softmax():
    said = decided(Rules([TaskRules(2, temperature=2.0)]), 1.0, 5.0)
    np.testing.assert_allclose(p_of(said), [1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))], rtol=1e-6)
    assert (said.best[0], said.confidence[0], said.abstention) == (1, said.probability[1], 0)


def test_three_classes_and_the_first_of_equals():
    said = decided(Rules([TaskRules(3)]), 0.5, 0.5, -1.0)
    assert said.best[0] == 0
    assert said.probability[0] == said.probability[1] > said.probability[2] > 0
    assert sum(p_of(said)) == pytest.approx(1, abs=1e-6)


def test_two_tasks_and_the_first_that_is_unsure():
    tasks = [TaskRules(2, 1.0, 0.6), TaskRules(3, 0.5, 0.9), TaskRules(2, 1.0, 0.9)]
    said = decided(Rules(tasks), 0.0, 1.0, 0.0, 0.1, 0.2, 0.0, 0.1)
    assert list(said.best[:3]) == [1, 2, 1]
    assert (said.abstention, said.unsure_task, said.sure) == (Abstention.UNSURE, 1, 1)
    assert said.n_probabilities == 7
    np.testing.assert_allclose(
        said.probability[2:5], np.exp([0, 0.2, 0.4]) / np.exp([0, 0.2, 0.4]).sum(), rtol=1e-6
    )


def test_a_threshold_exactly_met_is_enough():
    assert decided(Rules([TaskRules(2, 1.0, 0.5)]), 0.3, 0.3).abstention == Abstention.DECIDED
    over = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert decided(Rules([TaskRules(2, 1.0, over)]), 0.3, 0.3).abstention == Abstention.UNSURE


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_logits_that_are_no_numbers_make_it_abstain(wrong, place):
    logits = [0.0, 9.0, 0.0, 9.0]
    logits[place] = wrong
    said = decided(Rules([TaskRules(2, 0.1), TaskRules(2, 0.1)]), *logits)
    assert said.abstention == Abstention.NO_NUMBERS
    assert (said.n_probabilities, list(said.probability[:4])) == (0, [0.0] * 4)


def test_int8_logits_are_those_floats():
    rules = Rules([TaskRules(2, 1.7, 0.6, 0.125, -5), TaskRules(3, 0.9, 0.4, 0.25, 7)])
    worn = Worn(front_end(), rules)
    worn.wear(T)
    said = worn.due()[-1]
    coded = np.array([-128, 127, 0, 20, -5], np.int8)
    real = (coded - np.array([-5, -5, 7, 7, 7])) * np.array([0.125] * 2 + [0.25] * 3)
    other = CDecision.from_buffer_copy(said)
    worn.decider.decide(said, coded)
    worn.decider.decide(other, real)
    assert bytes(said) == bytes(other)


NUMBERS = st.floats(-80, 80, width=32)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(st.integers(2, 6), min_size=1, max_size=4), st.floats(0.05, 20), st.floats(0, 1))
def test_probabilities_are_those_of_float64(data, classes, temperature, least):
    rules = Rules([TaskRules(k, temperature, least) for k in classes])
    logits = [data.draw(st.lists(NUMBERS, min_size=k, max_size=k)) for k in classes]
    said, p = decided(rules, *itertools.chain(*logits)), 0
    doubts = []
    for task, z in enumerate(logits):
        scaled = np.array(z) / np.float64(np.float32(temperature))
        wanted = np.exp(scaled - scaled.max())
        wanted /= wanted.sum()
        got = np.array(said.probability[p : p + len(z)])
        # the difference of two logits is only as exact as float32 holds them
        np.testing.assert_allclose(got, wanted, atol=1e-6 + 1e-7 * np.abs(scaled).max())
        order = np.sort(wanted)
        if order[-1] - order[-2] > 1e-4:
            assert said.best[task] == wanted.argmax()
        assert said.confidence[task] == got[said.best[task]] == got.max()
        if got.max() < np.float32(least):
            doubts.append(task)
        p += len(z)
    assert said.abstention == (Abstention.UNSURE if doubts else Abstention.DECIDED)
    assert said.unsure_task == (doubts[0] if doubts else 0)


def tables(end, components=4):
    rng, count = np.random.default_rng(0), end.n_features
    sizes = list(end.feature_layout.feature_sizes.values())
    return HeadTables(
        task="stress",
        tokens=end.tokens,
        n_modalities=len(sizes),
        n_features=count,
        column=tuple(range(count)),
        owner=tuple(np.repeat(np.arange(len(sizes)), sizes).tolist()),
        centre=(0.0,) * count,
        scale=(0.5,) * count,
        component=tuple(map(tuple, rng.standard_normal((components, count)))),
    )


def test_the_personal_head_shifts_the_second_class_at_the_temperature():
    rules = Rules([TaskRules(3), TaskRules(2, 4.0)])
    worn = Worn(front_end(), rules)
    head = PersonalHead(tables(worn.end))
    worn.decider.follow(head, 1)
    worn.wear(T)
    before = worn.decide(0.0, 0.0, 1.0, 2.0, 6.0)
    u = worn.decider.components
    assert u is not None
    np.testing.assert_array_equal(u, head.summary(*worn.bridge.window()))
    assert worn.decider.logit == 1.0
    np.testing.assert_allclose(before.probability[4], 1 / (1 + np.exp(-1)), rtol=1e-6)
    for label in (0, 1, 1, 0):
        head.mark(u if label else -u, 0.0, label)
    assert head.adapt()
    worn.wear(1)
    after = worn.decide(0.0, 0.0, 1.0, 2.0, 6.0)
    shift = head.correction(worn.decider.components)
    assert shift > 0
    assert worn.decider.logit == 1.0
    np.testing.assert_allclose(after.probability[4], 1 / (1 + np.exp(-1 - shift)), rtol=1e-6)
    assert list(after.probability[:3]) == list(before.probability[:3])


def test_the_personal_head_reads_the_window_of_the_decision():
    worn = Worn(front_end(), Rules([TWO]))
    head = PersonalHead(tables(worn.end))
    worn.decider.follow(head, 0)
    worn.wear(2, ("temp",))
    worn.wear(5)
    for said in iter(worn.decider.due, None):
        if said.abstention == Abstention.DECIDED:
            wanted = head.summary(*worn.bridge.window_at(said.number))
            np.testing.assert_array_equal(worn.decider.components, wanted)


def test_a_personal_head_that_does_not_fit_is_refused():
    end = front_end()
    worn, good = Worn(end, Rules([TaskRules(3), TWO])), tables(end)
    for head, task in ((good, 0), (good, 2), (good.model_copy(update={"tokens": T + 1}), 1)):
        with pytest.raises(BridgeError, match="personal head: the spec is bad"):
            worn.decider.follow(PersonalHead(head), task)
    assert worn.decider.components is None


@pytest.mark.parametrize(
    "rules",
    [
        Rules([]),
        Rules([TWO] * 17),
        Rules([TaskRules(33), TaskRules(32)]),
        Rules([TaskRules(1)]),
        Rules([TaskRules(2, 0.0)]),
        Rules([TaskRules(2, float("nan"))]),
        Rules([TaskRules(2, 1.0, 1.5)]),
        Rules([TaskRules(2, 1.0, float("nan"))]),
        Rules([TaskRules(2, 1.0, 0.5, float("inf"))]),
        Rules([TWO], every_tokens=0),
        Rules([TWO], min_present_share=-0.1),
    ],
)
def test_rules_that_cannot_be_are_refused(rules):
    with pytest.raises(BridgeError, match="decision: the C core refuses its rules"):
        Decider(Bridge(front_end()), rules)


def test_as_many_outputs_as_there_is_room_for():
    assert decided(Rules([TaskRules(62), TWO]), *range(62), 0.0, 1.0).best[0] == 61


def test_logits_of_another_number_are_refused():
    worn = Worn(front_end())
    worn.wear(T)
    with pytest.raises(BridgeError, match=r"logits: expected the shape \[2\], got \[3\]"):
        worn.decide(0.0, 0.0, 0.0)


def shown_of(display, p, time_s):
    said = CDecision(time_s=time_s, n_probabilities=len(p))
    said.probability[: len(p)] = p
    return display.show(said)


def test_a_display_shows_the_mean_of_the_last_seconds_and_judges_it():
    display = Display(Rules([TaskRules(2, 1.0, 0.75)]), 15.0, 8)
    found = [shown_of(display, [1 - p, p], 5.0 * k) for k, p in enumerate((1.0, 0.5, 0.0, 0.0, 0.0))]
    np.testing.assert_allclose([one.probability[1] for one in found], [1, 0.75, 0.5, 0.5 / 3, 0], rtol=1e-6)
    assert [one.best[0] for one in found] == [1, 1, 0, 0, 0]
    assert [one.sure for one in found] == [1, 1, 0, 1, 1]
    assert [one.abstention for one in found] == [0, 0, Abstention.UNSURE, 0, 0]
    withheld = display.show(CDecision(time_s=25.0, abstention=Abstention.ABSENT))
    assert (withheld.abstention, withheld.n_probabilities) == (Abstention.ABSENT, 0)
    assert shown_of(display, [1.0, 0.0], 30.0).probability[0] == 1.0


def test_a_display_with_few_rows_forgets_the_oldest():
    display = Display(Rules([TWO]), 3600.0, 2)
    found = [shown_of(display, [1 - p, p], float(k)).probability[1] for k, p in enumerate((1.0, 0.0, 0.5))]
    assert found == [1.0, 0.5, 0.25]


def test_every_abstention_has_words():
    assert [abstention_name(one) for one in Abstention] == [
        "decided",
        "enrolling",
        "filling the first window",
        "too little present",
        "confidence under threshold",
        "the model gave no numbers",
    ]
    assert abstention_name(len(Abstention)) == ""


RUN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
OK, NO_TOKEN, BUSY, NO_NETWORK = 0, 7, 18, 19


class CRunner(ctypes.Structure):
    _fields_ = [
        ("run", RUN),
        ("context", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in ("features", "presence", "logits")),
        ("running", ctypes.c_uint32),
    ]


class Stepped(Worn):
    """A device whose network says the features' and the presence's sum, in so many slices."""

    def __init__(self, slices=1, fails=False):
        super().__init__(front_end(), Rules([TaskRules(2, 1.0, 0.0, 0.01, 0)]))
        self.slices, self.fails, self.calls = slices, fails, 0
        self.features = np.zeros((T, self.end.n_features), np.int8)
        self.presence = np.zeros((T, 2), np.int8)
        self.logits = np.zeros(2, np.int8)
        arrays = (array.ctypes.data for array in (self.features, self.presence, self.logits))
        self.run = RUN(self.work)
        self.runner = CRunner(self.run, None, *arrays, 0)
        self.decision = CDecision()

    def work(self, *_):
        self.calls += 1
        if self.fails:
            return -1
        if self.calls % self.slices:
            return 1
        self.logits[:] = self.features.sum(dtype=np.int8), self.presence.sum(dtype=np.int8)
        return 0

    def step(self):
        step = library().mmq_step
        return step(
            ctypes.byref(self.decider._decider), ctypes.byref(self.runner), ctypes.byref(self.decision)
        )


def test_a_step_is_window_network_and_decision():
    worn = Stepped()
    assert worn.step() == NO_TOKEN
    worn.wear(T)
    for wanted in (Abstention.FILLING, Abstention.FILLING):
        assert worn.step() == OK
        assert worn.decision.abstention == wanted
    assert worn.calls == 0
    assert worn.step() == OK
    assert worn.calls == 1
    features, presence = worn.bridge.window_i8()
    np.testing.assert_array_equal(worn.features, features)
    np.testing.assert_array_equal(worn.presence, presence)
    z = 0.01 * np.array([features.sum(dtype=np.int8), presence.sum(dtype=np.int8)], float)
    np.testing.assert_allclose(p_of(worn.decision), np.exp(z) / np.exp(z).sum(), rtol=1e-6)
    assert worn.step() == NO_TOKEN


def test_slices_decide_the_same_while_samples_come():
    whole, sliced = Stepped(), Stepped(slices=5)
    for worn in (whole, sliced):
        worn.wear(T)
        assert [worn.step(), worn.step()] == [OK, OK]
    assert whole.step() == OK
    for _ in range(4):
        assert sliced.step() == BUSY
        sliced.bridge.push("eda", values("eda", RATE), 5.0 * T)
    sliced.wear(2)  # and tokens close: what was begun is of the window it began with
    assert sliced.step() == OK
    assert bytes(sliced.decision) == bytes(whole.decision)
    assert [sliced.step() for _ in range(6)] == [BUSY] * 4 + [OK, BUSY]


def test_a_network_that_fails_gives_up_its_decision():
    worn = Stepped(fails=True)
    worn.wear(T)
    assert [worn.step() for _ in range(4)] == [OK, OK, NO_NETWORK, NO_TOKEN]
    assert worn.decision.n_probabilities == 0


def test_null_pointers_are_refused():
    core, worn = library(), Stepped()
    decider, network, decision = (
        ctypes.byref(one) for one in (worn.decider._decider, worn.runner, worn.decision)
    )
    for given_ in ((None, network, decision), (decider, None, decision), (decider, network, None)):
        assert core.mmq_step(*given_) == 1
    for function in (core.mmq_decide, core.mmq_decide_i8):
        assert function(decider, None, decision) == function(None, worn.logits.ctypes.data, decision) == 1
    assert core.mmq_decision_due(decider, None) == core.mmq_decider_init(decider, None, None) == 1
    assert core.mmq_display_show(None, None, decision, decision) == 1
