# SPDX-License-Identifier: Apache-2.0
"""Offspring hold their parents' samples and nothing else; groups complement each other; who is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.errors import MMQError
from mmq_tf.pretraining.meiosis import ABSENT, Neighbours, Seconds, cross, cut_step
from mmq_tf.pretraining.moments import StimulusTimeline, stimulus_seconds
from mmq_tf.pretraining.token_bank import TokenBank
from mmq_tf.recording import Trial

PEOPLE, STIMULI, STEPS, T, F, M = 5, 6, 20, 8, 3, 2


def make_bank(tokens: int = T) -> TokenBank:
    """Every person's every step has features of its own; nobody's are those of another."""
    count = STIMULI * STEPS
    features = np.arange(PEOPLE * count * F, dtype=np.float32).reshape(-1, F)
    presence = np.random.default_rng(0).integers(0, 2, (PEOPLE * count, M)).astype(np.float32)
    orders = [np.random.default_rng(person).permutation(STIMULI) for person in range(PEOPLE)]
    lines = tuple(
        StimulusTimeline(
            f"p{person}",
            tuple(Trial(n * STEPS, (n + 1) * STEPS, {}, {}, f"film {film}") for n, film in enumerate(order)),
            person * count,
            count,
        )
        for person, order in enumerate(orders)
    )
    return TokenBank(features, presence, tokens, lines)


@given(seed=st.integers(0, 10_000), pairs=st.integers(1, 4), tokens=st.integers(2, 12))
def test_offspring_hold_exactly_the_samples_of_their_two_parents(seed, pairs, tokens):
    bank = make_bank(tokens)
    seconds = stimulus_seconds(bank.timelines, 1.0, tokens)
    offspring = seconds.draw(np.random.default_rng(seed), 4, pairs)
    taken = bank.take(offspring)
    shape = (2, 4, pairs, tokens)
    children = taken["features"].reshape(*shape, F)
    for parent, other in (("before", "after"), ("after", "before")):
        # what the two groups of a pair hold together, step by step, is what the two parents hold
        rows = [getattr(offspring, name)[0][..., None] + np.arange(tokens) for name in (parent, other)]
        parents = np.sort(np.stack([bank.features[row] for row in rows]), axis=0)
        np.testing.assert_array_equal(np.sort(children, axis=0), parents)
    heads = cut_step(offspring.cut, tokens)[None, ..., None]
    first = np.where(np.arange(tokens) < heads, offspring.before[..., None], offspring.after[..., None])
    np.testing.assert_array_equal(children, bank.features[first + np.arange(tokens)])
    np.testing.assert_array_equal(
        taken["presence"].reshape(*shape, M), bank.presence[first + np.arange(tokens)]
    )


@given(seed=st.integers(0, 10_000))
def test_groups_of_a_second_are_complementary(seed):
    rng = np.random.default_rng(seed)
    parents = rng.integers(0, 100, (3, 4, 2))
    offspring = cross(parents, rng.uniform(0.1, 0.9, (3, 4)), np.zeros((3, 4), int))
    np.testing.assert_array_equal(offspring.before[0], offspring.after[1])
    np.testing.assert_array_equal(offspring.before[1], offspring.after[0])
    np.testing.assert_array_equal(offspring.before[0], parents[..., 0])


@given(cut=st.floats(0.1, 0.9), steps=st.integers(2, 500))
def test_the_cut_lies_between_a_tenth_and_nine_tenths(cut, steps):
    at = int(cut_step(np.array(cut), steps))
    assert 1 <= at <= steps - 1
    if steps >= 10:
        assert 0.1 * steps - 1e-6 <= at <= 0.9 * steps + 1e-6


@pytest.mark.parametrize("pairs", [1, 2, 4])
def test_both_parents_met_the_same_second_and_are_two_people(pairs):
    bank = make_bank()
    seconds = stimulus_seconds(bank.timelines, 1.0, T)
    where = {}
    for row, windows in enumerate(seconds.window.tolist()):
        where |= {window: (row, person) for person, window in enumerate(windows) if window != ABSENT}
    for seed in range(50):
        drawn = seconds.draw(np.random.default_rng(seed), 5, pairs)
        for one, other in zip(drawn.before[0], drawn.after[0], strict=True):
            rows = {where[window][0] for window in (*one.tolist(), *other.tolist())}
            assert len(rows) == 1
            for a, b in zip(one.tolist(), other.tolist(), strict=True):
                assert where[a][1] != where[b][1]


def test_windows_of_a_batch_do_not_overlap():
    seconds = stimulus_seconds(make_bank().timelines, 1.0, T)
    for seed in range(30):
        rows = seconds._apart(np.random.default_rng(seed), 8)
        for a in rows:
            for b in rows:
                same = seconds.stimulus[a] == seconds.stimulus[b] and a != b
                assert not same or abs(seconds.start_s[a] - seconds.start_s[b]) >= T


def test_people_who_lack_a_second_are_never_drawn_for_it():
    window = np.array([[0, 10, ABSENT, 30], [ABSENT, 11, 21, ABSENT], [2, 12, 22, 32]])
    seconds = Seconds(window, np.arange(3), np.zeros(3), 1.0)
    for seed in range(40):
        drawn = seconds.draw(np.random.default_rng(seed), 3, 3)
        used = np.concatenate([drawn.before, drawn.after])
        assert (used != ABSENT).all()


def test_too_few_seconds_are_refused():
    seconds = stimulus_seconds(make_bank(T).timelines, 1.0, T)
    with pytest.raises(MMQError, match=r"needs 99 windows of 8 s that do not overlap"):
        seconds.draw(np.random.default_rng(0), 99, 2)


def test_everyone_is_drawn_as_often_whatever_the_order_of_people():
    """A permutation of people permutes who is drawn: no place in the table is preferred."""
    bank = make_bank()
    seconds = stimulus_seconds(bank.timelines, 1.0, T)
    counts = np.zeros(PEOPLE)
    for seed in range(400):
        drawn = seconds.draw(np.random.default_rng(seed), 4, 1)
        counts += np.bincount(np.stack([drawn.before, drawn.after]).ravel() // (STIMULI * STEPS), minlength=5)
    assert counts.sum() == 400 * 4 * 4
    assert np.abs(counts / counts.sum() - 1 / PEOPLE).max() < 0.03


def test_neighbours_touch_and_pairs_stay_apart():
    neighbours = Neighbours((0, 100), (90, 40), 5)
    for seed in range(30):
        drawn = neighbours.draw(np.random.default_rng(seed), 6, 2)
        left, right = drawn.before[0, :, 0], drawn.before[1, :, 0]
        np.testing.assert_array_equal(right - left, 5)
        np.testing.assert_array_equal(drawn.before, drawn.after)
        assert ((right < 86) | ((left >= 100) & (right <= 135))).all()
        assert (np.diff(np.sort(left)) >= 10).all()
    with pytest.raises(MMQError, match="pairs of touching windows are needed"):
        neighbours.draw(np.random.default_rng(0), 50, 2)


def test_the_seconds_of_a_batch_lie_equally_far_into_their_stimuli_while_there_are_enough():
    seconds = stimulus_seconds(make_bank().timelines, 1.0, T)
    for seed in range(30):
        rows = seconds._apart(np.random.default_rng(seed), STIMULI)
        assert len({seconds.start_s[row] for row in rows}) == 1
        assert len({seconds.stimulus[row] for row in rows}) == STIMULI


@given(seed=st.integers(0, 10_000), tokens=st.integers(2, 12))
def test_shown_on_one_side_no_person_is_in_both_groups(seed, tokens):
    bank = make_bank(tokens)
    bank.presence[:] = 1
    offspring = stimulus_seconds(bank.timelines, 1.0, tokens).draw(np.random.default_rng(seed), 4, 1, 1.0)
    taken = bank.take(offspring)
    shown = taken["presence"].reshape(2, 4, tokens, M)[..., 0] > 0
    assert shown.any(axis=2).all()
    assert not shown.all(axis=2).any()
    np.testing.assert_array_equal(shown[0], shown[1])
    owner = taken["features"].reshape(2, 4, tokens, F)[..., 0] // (F * STIMULI * STEPS)
    for p in range(4):
        people = [set(owner[group, p][shown[group, p]].tolist()) for group in range(2)]
        assert not people[0] & people[1]
    assert not taken["features"].reshape(2, 4, tokens, F)[~shown].any()
