# SPDX-License-Identifier: Apache-2.0
"""NT-Xent against a written-out float64 reference, groups with sensors missing, and the loss' fairness."""

from typing import Any

import numpy as np
import pytest

from mmq_tf.model.keras_names import ops
from mmq_tf.model.mhacl import ModalityEncoder
from mmq_tf.pretraining.contrastive import contrastive_accuracy, group_maximum, nt_xent, similarities
from mmq_tf.pretraining.contrastive_model import Contrastive
from mmq_tf.pretraining.meiosis import Seconds, cross
from mmq_tf.pretraining.token_bank import TokenBank

P, Q, M, D = 4, 3, 2, 5


def number(value: Any) -> float:
    return float(ops.convert_to_numpy(value))


def reference(groups: np.ndarray, present: np.ndarray, tau: float) -> float:
    """Loop over modalities and groups in float64: -log of the complement's share of all others."""
    losses = []
    for m in range(groups.shape[2]):
        here = [(side, p) for side in range(2) for p in range(groups.shape[1]) if present[:, p, m].all()]
        vectors = {}
        for side, p in here:
            vector = groups[side, p, m].astype(np.float64)
            vectors[side, p] = vector / np.sqrt((vector**2).sum() + 1e-6)
        for side, p in here:
            own = vectors[side, p]
            others = {key: np.exp(own @ vectors[key] / tau) for key in here if key != (side, p)}
            losses.append(-np.log(others[1 - side, p] / sum(others.values())))
    return float(np.mean(losses))


def draw(seed: int, presence_rate: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    present = (rng.random((2, P, M)) < presence_rate).astype(np.float32)
    return rng.normal(size=(2, P, M, D)).astype(np.float32), present


@pytest.mark.parametrize("rate", [1.0, 0.8])
@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_nt_xent_is_the_written_out_sum(rate, tau):
    for seed in range(5):
        groups, present = draw(seed, rate)
        loss = number(nt_xent(*similarities(groups, present), tau))
        assert loss == pytest.approx(reference(groups, present, tau), rel=2e-4, abs=2e-5)


def test_without_any_modality_the_loss_is_zero():
    groups, present = draw(0)
    assert number(nt_xent(*similarities(groups, 0 * present))) == 0


def test_equal_complements_are_found_and_others_are_not():
    groups, present = draw(1)
    groups[1] = groups[0]
    assert number(contrastive_accuracy(*similarities(groups, present))) == 1
    assert number(nt_xent(*similarities(groups, present))) < 0.1
    groups[1] = np.roll(groups[0], 1, axis=0)
    assert number(contrastive_accuracy(*similarities(groups, present))) == 0


def test_a_group_is_the_maximum_over_members_that_have_the_modality():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(2, P, Q, M, D)).astype(np.float32)
    present = np.ones((2, P, Q, M), np.float32)
    present[0, 0, 0, 1] = present[1, 2, :, 0] = 0
    groups, there = (np.asarray(ops.convert_to_numpy(part)) for part in group_maximum(vectors, present))
    np.testing.assert_allclose(groups[0, 0, 0], vectors[0, 0, :, 0].max(0))
    np.testing.assert_allclose(groups[0, 0, 1], vectors[0, 0, 1:, 1].max(0))
    assert there[1, 2, 0] == 0
    assert there.sum() == 2 * P * M - 1


def test_what_an_absent_modality_holds_changes_nothing():
    rng = np.random.default_rng(3)
    encoder = ModalityEncoder(4, {"ppg": 3, "eda": 2}, 8, 2, seed=1)
    model = Contrastive(encoder, 2, 8, moments=P, members=Q, projection=6)
    features = rng.normal(size=(2 * P * Q, 4, 5)).astype(np.float32)
    presence = (rng.random((2 * P * Q, 4, 2)) < 0.5).astype(np.float32)
    seen = np.repeat(presence, [3, 2], axis=2)
    losses = [
        number(nt_xent(*model({"features": features * seen + filler * (1 - seen), "presence": presence})))
        for filler in (0.0, 50.0)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert np.isfinite(losses[0])


@pytest.mark.slow
def test_a_permutation_of_people_does_not_change_the_distribution_of_the_loss():
    rng = np.random.default_rng(4)
    people, seconds, steps = 6, 8, 4
    features = rng.normal(size=(people * seconds * steps, 5)).astype(np.float32)
    bank = TokenBank(features, np.ones((len(features), 2), np.float32), steps, ())
    window = (np.arange(people * seconds) * steps).reshape(seconds, people)
    encoder = ModalityEncoder(steps, {"ppg": 3, "eda": 2}, 8, 2, seed=1)
    model = Contrastive(encoder, 2, 8, moments=P, members=1, projection=6)

    def losses(order: np.ndarray, first: int) -> np.ndarray:
        table = Seconds(window[:, order], np.arange(seconds), np.zeros(seconds), 1.0)
        draws = [table.draw(np.random.default_rng([first, k]), P, 1) for k in range(120)]
        return np.array([number(nt_xent(*model(bank.take(one)))) for one in draws])

    plain, mixed = losses(np.arange(people), 0), losses(rng.permutation(people), 1)
    spread = np.sqrt((plain.var() + mixed.var()) / len(plain))
    assert abs(plain.mean() - mixed.mean()) < 4 * spread
    assert 0.6 < plain.std() / mixed.std() < 1.6


def test_swapping_the_parents_of_every_pair_changes_nothing():
    """The two groups play the same part."""
    rng = np.random.default_rng(5)
    bank = TokenBank(rng.normal(size=(100, 5)).astype(np.float32), np.ones((100, 2), np.float32), 4, ())
    encoder = ModalityEncoder(4, {"ppg": 3, "eda": 2}, 8, 2, seed=1)
    model = Contrastive(encoder, 2, 8, moments=P, members=Q, projection=6)
    parents, cut = rng.integers(0, 96, (P, Q, 2)), rng.uniform(0.1, 0.9, (P, Q))
    whole = np.zeros((P, Q), int)
    one, other = (
        number(nt_xent(*model(bank.take(cross(pair, cut, whole))))) for pair in (parents, parents[..., ::-1])
    )
    assert one == pytest.approx(other, rel=1e-5)
