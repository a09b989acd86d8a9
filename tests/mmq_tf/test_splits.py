import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.errors import MMQError
from mmq_tf.splits import subject_folds


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
