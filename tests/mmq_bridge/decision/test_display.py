# SPDX-License-Identifier: Apache-2.0
"""The display filter: exact small sequences, a table in one go and in steps, what a device shows."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.decision import CDecision, Display, Rules, TaskRules
from mmq_bridge.decision.decisions import Decisions
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.display import display_average, display_seconds
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation


def test_the_filter_is_causal_and_stays_in_the_recording():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    sequence, start_s = np.array([0, 0, 0, 1]), np.array([0.0, 10.0, 20.0, 25.0])
    found = display_average(sequence, start_s, p, 20.0)[:, 1]
    assert found.tolist() == [0.0, 0.5, 1.0, 0.0]
    np.testing.assert_array_equal(display_average(sequence, start_s, p, 0.0), p)
    late = p.copy()
    late[2] = [1.0, 0.0]
    np.testing.assert_array_equal(display_average(sequence, start_s, late, 20.0)[:2, 1], found[:2])
    assert display_average(np.zeros(0, int), np.zeros(0), np.zeros((0, 2)), 30.0).shape == (0, 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 10.0, 30.0, 31.0, 1e9]))
def test_the_filter_is_the_mean_of_the_last_seconds(seed, display_s):
    rng = np.random.default_rng(seed)
    sequence = np.sort(rng.integers(3, size=30))
    start_s = np.concatenate([np.sort(5.0 * rng.integers(60, size=(sequence == s).sum())) for s in range(3)])
    p = rng.random((30, 2))
    found = display_average(sequence, start_s, p, display_s)
    for i in range(30):
        near = (sequence == sequence[i]) & (start_s > start_s[i] - display_s) & (np.arange(30) < i)
        near[i] = True
        np.testing.assert_allclose(found[i], p[near].mean(axis=0))


def shown_with(display, time_s, p):
    """What is shown with probabilities; none for a withheld decision."""
    said = CDecision(time_s=time_s, n_probabilities=len(p))
    said.probability[: len(p)] = p
    shown = display.show(said)
    return shown.probability[: shown.n_probabilities]


def shown_of(display_s, given_) -> list[Any]:
    """What is shown of ``(time_s, p)``, None for a withheld decision."""
    display = Display(Rules([TaskRules(2)]), display_s, 100)
    found = [shown_with(display, time_s, [] if p is None else [1 - p, p]) for time_s, p in given_]
    return [one[1] if one else None for one in found]


def test_a_sequence_by_hand():
    given_ = [(5.0, 1.0), (10.0, 0.0), (15.0, 0.5), (20.0, 0.5), (25.0, 0.25), (30.0, 0.75), (35.0, 0.0)]
    wanted = [1.0, 0.5, 0.5, 0.5, 0.45, 0.5, 2.0 / 6]
    np.testing.assert_allclose(shown_of(30.0, given_), wanted, rtol=1e-6)
    np.testing.assert_allclose(shown_of(15.0, given_)[-2:], [0.5, 1.0 / 3], rtol=1e-6)


def test_what_is_withheld_is_not_averaged_and_shows_nothing():
    assert shown_of(30.0, [(5.0, 1.0), (10.0, None), (15.0, 0.0)]) == [1.0, None, 0.5]
    assert shown_of(30.0, [(5.0, None), (10.0, 0.75)]) == [None, 0.75]


def test_after_a_gap_it_begins_anew():
    waits = [(5.0 * k, None) for k in range(2, 7)]
    assert shown_of(30.0, [(5.0, 1.0), *waits, (35.0, 0.25)])[-1] == 0.25
    assert shown_of(30.0, [(5.0, 1.0), *waits, (34.0, 0.5)])[-1] == 0.75
    assert shown_of(30.0, [(5.0, 1.0), (10.0, 1.0), (3600.0, 0.25)])[-1] == 0.25


def test_tasks_are_averaged_each_for_itself():
    display = Display(Rules([TaskRules(2), TaskRules(3)]), 30.0, 8)
    shown_with(display, 5.0, [1.0, 0.0, 0.5, 0.25, 0.25])
    assert shown_with(display, 10.0, [0.5, 0.5, 0.0, 0.25, 0.75]) == [0.75, 0.25, 0.25, 0.25, 0.5]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 2.5, 30.0, 31.0, 600.0]))
def test_one_by_one_is_the_table(seed, display_s):
    """The core's average in float32 is that of the training side in float64."""
    rng = np.random.default_rng(seed)
    times_s = 0.1 * np.sort(rng.choice(4000, size=40, replace=False))
    p = rng.random(40)
    wanted = display_average(np.zeros(40, int), times_s, np.stack([1 - p, p], axis=1), display_s)
    found = shown_of(display_s, zip(times_s, p, strict=True))
    np.testing.assert_allclose(found, wanted[:, 1], rtol=0, atol=1e-6)
    if display_s == 0:
        assert found == p.astype(np.float32).tolist()


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0, 3600), st.integers(1, 60))
def test_a_constant_stays(p, display_s, count):
    for shown in shown_of(display_s, [(5.0 * k, p) for k in range(count)]):
        assert shown == np.float32(p)


@pytest.mark.parametrize("display_s", [-1.0, float("nan"), float("inf"), 3600.5])
def test_what_cannot_be_averaged_over_is_refused(display_s):
    with pytest.raises(BridgeError, match=r"^display: expected 0 to 3600 s, got"):
        display_seconds(display_s)
    with pytest.raises(BridgeError, match=r"^display: expected a number"):
        display_seconds("30")


TOKENS = 2
LOGITS = [0.0, 3.0, -3.0, 0.2, 3.0, 3.0]


def device(display_s, least=0.0):
    """A device whose model says `LOGITS` of stress, one after the other."""
    end = FrontEnd.wearable({"temp": 4}, token_s=5, tokens=TOKENS)
    count = end.n_features
    norm = Normalisation(mode="population", mean=(0.0,) * count, std=(1.0,) * count)
    end = end.with_normalisation(norm)
    logits = iter(LOGITS)
    stub: Any = SimpleNamespace(
        feature_shape=(TOKENS, count),
        n_modalities=1,
        classes={"stress": 2},
        is_integer=False,
        predict=lambda *given_: {"stress": [0.0, next(logits)]},
    )
    settings_ = {"tasks": {"stress": ["rest", "stress"]}, "min_confidence": {"stress": least}}
    settings_ |= {"min_present_share": 0.0}
    return Device(end, stub, settings_, display_s=display_s)


def decisions_of(device_):
    samples = 30.0 + 0.01 * np.random.default_rng(0).standard_normal((1, 4 * 40)).astype(np.float32)
    said = [d for s in range(35) for d in device_.push("temp", samples[:, 4 * s : 4 * s + 4], float(s))]
    return Decisions(said)


def test_a_device_keeps_its_decisions_and_says_what_is_shown():
    said, raw = decisions_of(device(30.0, 0.6)), decisions_of(device(0.0, 0.6))
    assert all(one.shown is None and one.shown_probabilities is None for one in raw)
    assert "shown_stress" not in raw.rows()[-1]
    first = next(k for k, one in enumerate(said) if one.probabilities)
    assert all((one.shown, one.shown_probabilities) == ({}, {}) for one in said[:first])
    p = [one.probabilities["stress"]["stress"] for one in raw[first:]]
    assert len(p) >= 5
    assert [one.probabilities for one in said] == [one.probabilities for one in raw]
    assert [one.reason for one in said] == [one.reason for one in raw]
    averages = [np.mean(p[: k + 1]) for k in range(len(p))]
    for one, average in zip(said[first:], averages, strict=True):
        assert one.shown_probabilities is not None
        assert one.shown_probabilities["stress"]["stress"] == pytest.approx(average)
        best = {"stress": "stress" if average > 0.5 else "rest"}
        assert one.shown == (best if max(average, 1 - average) >= 0.6 else {})
    # single decisions of .5 and of certain rest: the first two are shown by their average, the third by none
    assert [one.shown for one in said[first : first + 3]] == [{}, {"stress": "stress"}, {}]
    assert [row["shown_stress"] for row in said.rows()[first : first + 3]] == [None, "stress", None]
