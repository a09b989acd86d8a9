# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.errors import MMQError
from mmq_tf.training.splits import SIDES, dataset_folds, joined_folds, subject_folds


@given(
    count=st.integers(3, 30),
    folds=st.one_of(st.just("loso"), st.integers(2, 30)),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_every_subject_is_tested_once_and_sides_never_meet(count, folds, share, seed):
    subjects = [f"S{i:02d}" for i in range(count)] * 2
    if folds != "loso" and (folds > count or (count, folds) == (3, 2)):
        with pytest.raises(MMQError, match="cannot be split"):
            subject_folds(subjects, folds, share, seed)
        return
    result = subject_folds(subjects, folds, share, seed)
    assert sorted(name for fold in result for name in fold.test) == sorted(set(subjects))
    for fold in result:
        sides = [set(fold.train), set(fold.validation), set(fold.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides)) == count


def test_same_seed_same_folds_other_seed_other_folds():
    names = [f"S{i}" for i in range(12)]
    assert subject_folds(names, 4, 0.2, 1) == subject_folds(names, 4, 0.2, 1)
    assert subject_folds(names, 4, 0.2, 1) != subject_folds(names, 4, 0.2, 2)


def test_loso_tests_one_subject_a_fold_in_order():
    assert [fold.test for fold in subject_folds(["c", "a", "b"], "loso", 0.2, 0)] == [("a",), ("b",), ("c",)]


@given(
    first=st.integers(6, 20),
    second=st.integers(6, 20),
    folds=st.integers(2, 5),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_a_joined_fold_is_the_union_of_the_groups_own(first, second, folds, share, seed):
    groups = [[f"a-{i:02d}" for i in range(first)], [f"b-{i:02d}" for i in range(second)]]
    alone = [subject_folds(group, folds, share, seed) for group in groups]
    for index, fold in enumerate(joined_folds(groups, folds, share, seed)):
        for side in SIDES:
            own = [getattr(parts[index], side) for parts in alone]
            assert all(own)
            assert getattr(fold, side) == tuple(sorted(own[0] + own[1]))
    assert joined_folds(groups[:1], folds, share, seed) == alone[0]


def test_the_folds_of_one_group_do_not_depend_on_its_prefix():
    plain = joined_folds([["S1", "S2", "S3", "S4"]], 2, 0.2, 0)
    named = joined_folds([["x-S1", "x-S2", "x-S3", "x-S4"]], 2, 0.2, 0)
    assert [tuple(f"x-{name}" for name in fold.test) for fold in plain] == [fold.test for fold in named]


def test_several_groups_are_not_left_out_one_by_one():
    groups = [["a", "b", "c"], ["d", "e", "f"]]
    with pytest.raises(MMQError, match="give a number of folds"):
        joined_folds(groups, "loso", 0.2, 0)
    assert joined_folds(groups[:1], "loso", 0.2, 0) == subject_folds(groups[0], "loso", 0.2, 0)


@given(
    counts=st.lists(st.integers(2, 12), min_size=2, max_size=4),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_leaving_a_data_set_out_tests_all_of_it_and_no_side_lacks_another(counts, share, seed):
    groups = [[f"set{k}-{i:02d}" for i in range(count)] for k, count in enumerate(counts)]
    folds = dataset_folds(groups, share, seed)
    assert [fold.test for fold in folds] == [tuple(group) for group in groups]
    for index, fold in enumerate(folds):
        others = [group for k, group in enumerate(groups) if k != index]
        assert sorted(fold.train + fold.validation) == sorted(sum(others, []))
        for group in others:
            assert set(group) & set(fold.train)
            assert set(group) & set(fold.validation)
    assert folds == dataset_folds(groups, share, seed)


@pytest.mark.parametrize("groups", [[], [["a", "b"]], [["a", "b"], ["c"]]])
def test_one_data_set_or_one_person_cannot_be_left_out(groups):
    with pytest.raises(MMQError, match="leaving one data set out needs two or more"):
        dataset_folds(groups, 0.2, 0)
