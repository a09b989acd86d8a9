# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.evaluation.protocols import (
    artefact_seed,
    condition_name,
    draw_masks,
    kept_sensors,
    levels,
    read_level,
    sensor_conditions,
)

SENSORS = ("ppg", "eda", "temp", "acc")
TOKEN_S = 5.0


def presence_of(windows, tokens, modalities, seed, share=0.8):
    return np.random.default_rng(seed).random((windows, tokens, modalities)) < share


def by_level(masks, protocol):
    found = {read_level(name): mask for name, mask in masks.items()}
    return {level[1]: mask for level, mask in found.items() if level is not None and level[0] == protocol}


@pytest.mark.parametrize(
    ("cells", "last", "count"),
    [(1, None, 0), (2, 0.5, 5), (3, 0.6, 6), (4, 0.7, 7), (10, 0.9, 9), (48, 0.9, 9)],
)
def test_levels_end_where_one_cell_must_stay(cells, last, count):
    found = levels(cells)
    assert len(found) == count
    assert found == tuple(k / 10 for k in range(1, count + 1))
    assert (found[-1] if found else None) == last


@settings(max_examples=60, deadline=None)
@given(
    windows=st.integers(1, 30),
    tokens=st.integers(1, 14),
    modalities=st.integers(1, 6),
    token_s=st.sampled_from([0.5, 1.0, 2.0, 5.0, 15.0, 30.0]),
    share=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_shares_are_exact_something_present_stays_and_levels_are_nested(
    windows, tokens, modalities, token_s, share, seed
):
    presence = presence_of(windows, tokens, modalities, seed, share)
    masks = draw_masks(presence, token_s, seed)
    assert list(masks) == [
        *(condition_name("A", level) for level in levels(modalities)),
        *(condition_name(p, level) for p in "BC" for level in levels(tokens * modalities)),
    ]
    for protocol in "ABC":
        before = np.ones_like(presence)
        for level, mask in by_level(masks, protocol).items():
            assert mask.shape == presence.shape
            assert mask.dtype == bool
            assert not (mask & ~before).any()  # what a lower level hides stays hidden
            before = mask
            hidden = ~mask.any(axis=1) if protocol == "A" else ~mask
            assert hidden.sum() == round(level * hidden.size)
            seen = presence & mask
            assert (seen.any((1, 2)) == presence.any((1, 2))).all()
            assert mask.any((1, 2)).all()


def test_a_hides_a_modality_in_the_whole_window_and_every_one_as_often():
    masks = by_level(draw_masks(np.ones((4000, 3, 4), bool), TOKEN_S, seed=1), "A")
    for level, mask in masks.items():
        assert (mask == mask[:, :1]).all()
        assert np.abs((~mask[:, 0]).mean(0) - level).max() < 0.03


def test_a_keeps_a_modality_that_has_tokens_where_only_one_has():
    presence = np.zeros((500, 6, 4), bool)
    presence[:, 2, 3] = True
    for mask in by_level(draw_masks(presence, TOKEN_S, seed=0), "A").values():
        assert mask[:, :, 3].all()


def runs(hidden):
    """Lengths of the runs of True along a vector."""
    edges = np.flatnonzero(np.diff(np.r_[0, hidden.astype(int), 0]))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize(("token_s", "shortest", "longest"), [(5.0, 1, 4), (1.0, 2, 20), (30.0, 1, 1)])
def test_b_hides_blocks_of_2_to_20_s(token_s, shortest, longest):
    tokens = 10 * longest
    mask = draw_masks(np.ones((300, tokens, 3), bool), token_s, seed=2)["B-0.1"]
    lengths, inner = [], []
    for window in ~mask:
        for column in window.T:
            lengths += runs(column).tolist()
            inner += runs(column[1:-1] & ~column[0] & ~column[-1]).tolist()
    assert np.mean(lengths) > 0.9 * shortest
    if longest > 1:
        assert np.mean(lengths) > 1.3 * shortest
    # At 0.1 a column holds one block or none: what is longer are two that touch, what is shorter was cut.
    assert np.mean(np.array(inner) < shortest) < 0.02
    assert np.mean(np.array(inner) > longest) < (0.06 if longest > 1 else 0.2)


def test_c_scatters_where_b_does_not():
    masks = draw_masks(np.ones((300, 12, 4), bool), TOKEN_S, seed=3)
    neighbours = {p: np.mean((~masks[f"{p}-0.3"])[:, 1:] & (~masks[f"{p}-0.3"])[:, :-1]) / 0.3 for p in "BC"}
    assert abs(neighbours["C"] - 0.3) < 0.03  # a hidden token's neighbour is hidden as often as any
    assert neighbours["B"] > 0.55


def test_masks_come_from_the_seed_alone():
    presence = presence_of(20, 12, 4, seed=0)
    one, two, other = (draw_masks(presence, TOKEN_S, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_every_subset_of_sensors_has_one_name():
    conditions = sensor_conditions(SENSORS, {"wrist-dark": ("ppg", "acc")})
    assert conditions["no-ppg"] == ("ppg",)
    assert conditions["only-eda"] == ("ppg", "temp", "acc")
    assert conditions["subset-ppg+eda"] == ("temp", "acc")
    assert conditions["wrist-dark"] == ("ppg", "acc")
    assert "full" not in conditions
    kept = [kept_sensors(name, SENSORS) for name in ["full", *conditions]]
    subsets = [subset for subset in kept if subset is not None]
    assert len(subsets) == len(set(subsets)) == 2**4 - 1
    for name, subset in zip(conditions, kept[1:], strict=True):
        assert subset is None or set(subset) == set(SENSORS) - set(conditions[name])
    assert kept_sensors("wrist-dark", SENSORS) is None


def test_few_sensors_have_few_conditions_and_many_no_subsets():
    assert sensor_conditions(("ppg",)) == {}
    assert list(sensor_conditions(("ppg", "eda"))) == ["no-ppg", "no-eda", "only-ppg", "only-eda"]
    many = tuple("abcdefghi")
    assert len(sensor_conditions(many)) == 18


def test_the_artefacts_of_the_test_are_never_those_of_training():
    assert artefact_seed(0) == artefact_seed(1)
    assert artefact_seed(artefact_seed(0)) != artefact_seed(0)
