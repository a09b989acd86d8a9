# SPDX-License-Identifier: Apache-2.0
"""The personal head learns the likeliest correction of what was marked, and never exceeds its bound."""

import ctypes
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.personal_head import BOUND, LEAST_MARKS, MAX_MARKS, PersonalHead
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import MAX_BYTES, HeadTables
from scipy.optimize import minimize

FEATURES, MODALITIES = 6, 2
CORE = Path(__file__).parents[3] / "firmware_bridge" / "core"
FEW = settings(max_examples=25, deadline=None)


def tables(components: int = 4, seed: int = 0, features: int = FEATURES) -> HeadTables:
    rng = np.random.default_rng(seed)
    count = features - 1
    return HeadTables(
        task="stress",
        tokens=12,
        n_modalities=MODALITIES,
        n_features=features,
        column=tuple(range(1, features)),
        owner=tuple((np.arange(1, features) * MODALITIES // features).tolist()),
        centre=tuple(rng.uniform(-0.3, 0.3, count).tolist()),
        scale=tuple(rng.uniform(0.5, 5, count).tolist()),
        component=tuple(map(tuple, rng.standard_normal((components, count)).tolist())),
    )


def shown(head: PersonalHead, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
    u = head.summary(features, presence)
    assert u is not None
    return u


def summary_by_numpy(given: HeadTables, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
    found = np.zeros(len(given.column))
    for place, (column, owner) in enumerate(zip(given.column, given.owner, strict=True)):
        seen = presence[:, owner] > 0.5
        if seen.any():
            mean = np.tanh(features[seen, column] / 1.5).mean()
            found[place] = np.tanh((mean - given.centre[place]) * given.scale[place])
    return np.array(given.component) @ found


def likeliest(u: np.ndarray, logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bias and weights by scipy in float64."""
    rows = np.column_stack([np.ones(len(u)), u]).astype(np.float64)
    weight = len(label) / (2 * np.bincount(label)[label])
    precision = np.r_[1.0, np.full(u.shape[1], 10.0)]

    def loss(x):
        z = logit + rows @ x
        value = (weight * (np.logaddexp(0, z) - label * z)).sum() + 0.5 * (precision * x * x).sum()
        return value, rows.T @ (weight * (1 / (1 + np.exp(-z)) - label)) + precision * x

    return minimize(loss, np.zeros(rows.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10}).x


def marked(count: int, components: int, seed: int, spread: float = 1.0) -> tuple:
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((count, components)).astype(np.float32)
    label = np.r_[0, 0, 1, 1, rng.integers(0, 2, count - 4)]
    return u, (spread * rng.standard_normal(count)).astype(np.float32), label


def told(given: HeadTables, u, logit, label, stretch=None) -> PersonalHead:
    head = PersonalHead(given)
    where = np.zeros(len(u), int) if stretch is None else stretch
    for row in zip(u, logit, label, where, strict=True):
        head.mark(*row)
    return head


def taught(given: HeadTables, u, logit, label, stretch=None) -> PersonalHead:
    head = told(given, u, logit, label, stretch)
    assert head.adapt()
    return head


def losses_elsewhere(u, logit, label, stretch) -> tuple[float, float]:
    """Loss of the marks of each stretch without and with what the others teach, in float64."""
    u, logit = u.astype(float), logit.astype(float)
    sign, weight = 2 * label - 1, 0.5 / np.bincount(label)[label]
    shift = np.zeros(len(u))
    for held in np.unique(stretch):
        known = stretch != held
        learned = likeliest(u[known], logit[known], label[known])
        shift[~known] = np.clip(learned[0] + u[~known] @ learned[1:], -BOUND, BOUND)
    before, after = (weight @ np.logaddexp(0, -z * sign) for z in (logit, logit + shift))
    return float(before), float(after)


def test_a_windows_components():
    given, rng = tables(), np.random.default_rng(1)
    features = (3 * rng.standard_normal((12, FEATURES))).astype(np.float32)
    presence = (rng.random((12, MODALITIES)) < 0.6).astype(np.float32)
    head = PersonalHead(given)
    wanted = summary_by_numpy(given, features, presence)
    assert np.allclose(shown(head, features, presence), wanted, atol=1e-5)
    presence[:, 1] = 0
    features[:, 3:] = np.nan  # an absent sensor says nothing, whatever stands there
    wanted = summary_by_numpy(given, np.nan_to_num(features), presence)
    assert np.allclose(shown(head, features, presence), wanted, atol=1e-5)
    assert head.summary(features, 0 * presence) is None


def test_exponential_and_tangent_agree_with_numpy():
    """Components of one feature are tanh alone: over its whole range within float32's rounding."""
    given = HeadTables(
        task="t", tokens=1, n_modalities=1, n_features=1,
        column=(0,), owner=(0,), centre=(0.0,), scale=(1.0,), component=((1.0,),),
    )  # fmt: skip
    head, here = PersonalHead(given), np.ones((1, 1))
    for x in np.concatenate([np.linspace(-40, 40, 4001), [-1e30, 1e30, 1e-30]]):
        got = shown(head, np.array([[x]]), here)[0]
        assert abs(got - np.tanh(np.tanh(x / 1.5))) < 3e-7


@pytest.mark.parametrize("components", [1, 8, 32])
@pytest.mark.parametrize("count", [4, 16, 32])
@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0])
def test_the_likeliest_correction(components, count, spread):
    for seed in range(5):
        u, logit, label = marked(count, components, seed, spread)
        head = taught(tables(components, features=40), u, logit, label)
        bias, weight = head.weights
        wanted = likeliest(u, logit.astype(np.float64), label)
        assert np.allclose(np.r_[bias, weight], wanted, atol=1e-4)
        for row in u:
            free = wanted[0] + wanted[1:] @ row
            assert abs(head.correction(row) - np.clip(free, -BOUND, BOUND)) < 1e-3


def test_confidently_wrong_logits():
    """Where every marked logit is sure of the other class, Newton's steps still arrive."""
    u, _, label = marked(32, 32, 0)
    logit = np.where(label == 1, -15.0, 15.0).astype(np.float32)
    bias, weight = taught(tables(32, features=40), u, logit, label).weights
    assert np.allclose(np.r_[bias, weight], likeliest(u, logit.astype(float), label), atol=1e-4)


@pytest.mark.parametrize("size", [1e6, 1e19, 3e38])
def test_numbers_no_window_has_correct_within_the_bound(size):
    """Where no correction can be computed there is none, and what is saved can be loaded."""
    head = PersonalHead(tables())
    for place in range(8):
        head.mark(np.full(4, size * (-1) ** (place // 3)), (-1) ** place * size, place % 2)
    assert head.adapt() == bool(head.weights[1].any())
    assert abs(head.correction(np.full(4, size))) <= BOUND
    assert head.correction(np.array([np.nan] * 4)) == 0.0
    again = PersonalHead(tables())
    again.load(head.save())
    assert again.save() == head.save()


def test_fewer_than_the_least_marks_of_a_class_correct_nothing():
    u, logit, label = marked(12, 4, 0)
    for kept in (label == 1, label == 0, np.cumsum(label == 1) * (label == 1) <= LEAST_MARKS - 1):
        head = PersonalHead(tables())
        assert not head.adapt()
        for row in zip(u[kept], logit[kept], label[kept], strict=True):
            head.mark(*row)
        assert not head.adapt()
        assert head.correction(u[0]) == 0.0


def test_marks_are_forgotten():
    u, logit, label = marked(16, 4, 0)
    head = taught(tables(), u, logit, label)
    assert head.correction(u[0]) != 0.0
    head.reset()
    assert head.count == 0
    assert head.correction(u[0]) == 0.0
    assert head.save() == PersonalHead(tables()).save()


def test_what_is_learned_is_undone_when_marks_no_longer_suffice():
    """A loaded correction does not outlive its marks."""
    u, logit, label = marked(16, 4, 0)
    head = taught(tables(), u, logit, label)
    head.reset()
    head.mark(u[0], 0.0, 1)
    assert not head.adapt()
    assert head.weights[0] == 0.0


@FEW
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_marks_does_not_matter(seed, random):
    u, logit, label = marked(20, 8, seed, 2.0)
    order = list(range(20))
    random.shuffle(order)
    first = taught(tables(8, features=20), u, logit, label).weights
    other = taught(tables(8, features=20), u[order], logit[order], label[order]).weights
    assert np.allclose(np.r_[first[0], first[1]], np.r_[other[0], other[1]], atol=1e-5)


@FEW
@given(st.integers(0, 10**6), st.floats(0, 30))
def test_no_mark_corrects_beyond_the_bound(seed, spread):
    u, logit, label = marked(32, 32, seed, spread)
    head = taught(tables(32, features=40), u * np.float32(spread), logit, label)
    rng = np.random.default_rng(seed)
    for row in 30 * rng.standard_normal((20, 32)):
        assert abs(head.correction(row)) <= BOUND


@FEW
@given(st.integers(0, 10**6))
def test_shuffled_marks_correct_less_than_true_ones(seed):
    """The mean square of the correction on other windows; wrong marks agree on nothing."""
    rng = np.random.default_rng(seed)
    label = np.arange(16) % 2
    u = rng.standard_normal((16, 4)).astype(np.float32) + np.float32(1.5) * (2 * label[:, None] - 1)
    new = rng.standard_normal((200, 4)) + 1.5 * (2 * rng.integers(0, 2, (200, 1)) - 1)
    sizes = []
    for labels in (label, np.r_[label[:8], 1 - label[8:]]):
        head = taught(tables(), u, np.zeros(16, np.float32), labels)
        sizes.append(np.mean([head.correction(row) ** 2 for row in new]))
    assert sizes[1] < sizes[0]


def agreeing(sign: int = 1) -> tuple:
    """Two stretches of two marks of each class, where one component tells the classes apart.

    In the second by the same side, or with -1 by the other.
    """
    label = np.tile([0, 1], 4)
    side = (2 * label - 1) * np.repeat([1, sign], 4)
    u = np.outer(side, [2, 0, 0, 0]).astype(np.float32)
    return u, np.zeros(8, np.float32), label, np.repeat([7, 2**32 - 1], 4)


def test_stretches_that_agree_teach_what_they_did_without_the_check():
    marks = agreeing()
    assert taught(tables(), *marks).weights[1].tolist() == taught(tables(), *marks[:3]).weights[1].tolist()
    assert taught(tables(), *marks).weights[1][0] > 0


def test_stretches_that_contradict_each_other_correct_nothing():
    u, logit, label, stretch = agreeing(-1)
    u[:, 1] = label  # together they would teach something
    head = told(tables(), u, logit, label, stretch)
    assert (head.adapt(), head.unhelpful) == (False, True)
    core, (where, state) = library(), head.given
    features, presence = np.ones((12, FEATURES), np.float32), np.ones((12, MODALITIES), np.float32)
    applied = core.mmq_head_apply(where, state, features.ctypes.data, presence.ctypes.data, 0.1)
    assert np.float32(applied) == np.float32(0.1)
    assert [head.correction(row) for row in u] == [0.0] * len(u)
    assert head.weights[0] == 0
    again = PersonalHead(tables())
    again.load(head.save())
    assert again.unhelpful
    again.reset()
    assert not again.unhelpful
    for row in zip(u[:4], logit[:4], label[:4], strict=True):
        head.mark(*row, stretch=7)  # the first stretch outweighs the other, and yet
    assert not head.adapt()
    head.join(7, 2**32 - 1)
    assert head.adapt()
    assert not head.unhelpful


def test_one_stretch_of_a_class_is_as_before():
    """Of nothing that is held out anything is known of that class."""
    u, logit, label, _ = agreeing(-1)
    u[:, 1] = label
    for stretch in (np.zeros(8, int), label, *(np.where(label == one, 9, np.arange(8)) for one in (0, 1))):
        assert (
            taught(tables(), u, logit, label, stretch).save()[20:40]
            == (taught(tables(), u, logit, label).save()[20:40])
        )


def test_three_stretches_are_each_held_out():
    """Two agree and outvote a third one or not, as the losses say."""
    verdicts = set()
    for size in (0.1, 0.4, 1.0, 4.0):
        label = np.tile([0, 1], 6)
        side = (2 * label - 1) * np.repeat([1.0, 1.0, -size], 4)
        u = np.outer(side, [1, 0, 0, 0]).astype(np.float32)
        marks = u, np.zeros(12, np.float32), label, np.repeat([0, 1, 2], 4)
        before, after = losses_elsewhere(*marks)
        assert abs(before - after) > 1e-3
        assert told(tables(), *marks).adapt() == (after < before)
        verdicts.add(after < before)
    assert verdicts == {True, False}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([1, 4, 16]), st.floats(0.1, 6))
def test_the_verdict_is_that_of_float64(seed, stretches, components, spread):
    """Random marks, in every stretch of both classes or of one, unless the two losses are nearly the same."""
    rng = np.random.default_rng(seed)
    label = np.r_[0, 0, 1, 1, rng.integers(0, 2, 24)]
    stretch = np.r_[0, 1, 2 % stretches, 1 + 2 % stretches, rng.integers(0, stretches, 24)]
    u = rng.standard_normal((28, components)).astype(np.float32)
    u[:, 0] += (2 * label - 1) * rng.choice([-1, 1, 1], 6)[stretch]
    logit = (spread * rng.standard_normal(28)).astype(np.float32)
    before, after = losses_elsewhere(u, logit, label, stretch)
    head = told(tables(components, features=40), u, logit, label, stretch)
    assert head.adapt() != head.unhelpful
    if abs(before - after) > 1e-4:
        assert head.unhelpful == (after >= before)


def test_stretches_are_saved_and_an_older_core_saved_none():
    given = tables()
    head = told(given, *agreeing(-1))
    again = PersonalHead(given)
    again.load(head.save())
    assert again.stretches.tolist() == head.stretches.tolist() == 4 * [7] + 4 * [2**32 - 1]
    assert not again.adapt()
    words = np.frombuffer(head.save(), "<u4")
    first, marks = words[:10].copy(), words[10:-1].reshape(8, 7)
    older = np.r_[first, np.delete(marks, 1, axis=1).ravel()].astype("<u4")
    older[1:3] = 1, 4 * (len(older) + 1)
    content = older.tobytes() + zlib.crc32(older.tobytes()).to_bytes(4, "little")
    again.load(content)
    assert again.stretches.tolist() == [0] * 8
    assert again.adapt()
    wanted = taught(given, *agreeing(-1)[:3])
    assert again.save() == wanted.save()


def test_the_oldest_of_the_more_frequent_class_goes():
    head = PersonalHead(tables())
    for place in range(30):
        head.mark(np.full(4, place), 0.0, 0)
    head.mark(np.zeros(4), 0.0, 1)
    head.mark(np.zeros(4), 0.0, 1)
    assert (head.count, head.labels.sum()) == (MAX_MARKS, 2)
    for _ in range(14):
        head.mark(np.zeros(4), 0.0, 1)
    assert (head.count, head.labels.sum()) == (MAX_MARKS, 16)
    zeros = np.frombuffer(head.save(), "<u4")[5 + 1 + 4 : -1].reshape(MAX_MARKS, 7)
    kept = zeros[zeros[:, 0] == 0][:, 3].view("<f4")
    assert kept.tolist() == list(range(14, 30))
    head.mark(np.zeros(4), 0.0, 1)
    assert (head.count, head.labels.sum()) == (MAX_MARKS, 16)  # of a class that has more already: its own


@pytest.mark.parametrize(
    ("u", "logit", "label"),
    [
        ([0, 0, 0, np.nan], 0.0, 1),
        ([0] * 4, np.inf, 1),
        ([0] * 3, 0.0, 1),
        ([0] * 4, 0.0, 2),
        (["a"], 0.0, 1),
    ],
)
def test_a_bad_mark_changes_nothing(u, logit, label):
    head = PersonalHead(tables())
    with pytest.raises(BridgeError):
        head.mark(u, logit, label)
    assert head.count == 0


def test_the_c_function_marks_and_applies_a_window():
    given, rng = tables(), np.random.default_rng(0)
    head, by_hand, core = PersonalHead(given), PersonalHead(given), library()
    where, state = head.given
    for place in range(8):
        features = rng.standard_normal((12, FEATURES)).astype(np.float32)
        presence = np.ones((12, MODALITIES), np.float32)
        pointers = features.ctypes.data, presence.ctypes.data
        assert core.mmq_mark(where, state, *pointers, 0.5, place % 2, place // 4) == 0
        by_hand.mark(shown(by_hand, features, presence), 0.5, place % 2, place // 4)
    assert head.adapt() == by_hand.adapt()
    assert head.save() == by_hand.save()
    wanted = np.float32(0.25) + np.float32(head.correction(shown(head, features, presence)))
    assert core.mmq_head_apply(where, state, *pointers, 0.25) == wanted
    empty = np.zeros_like(presence)
    assert core.mmq_head_apply(where, state, pointers[0], empty.ctypes.data, 0.25) == 0.25
    assert core.mmq_mark(where, state, pointers[0], empty.ctypes.data, 0.5, 1, 0) != 0
    assert core.mmq_head_apply(None, None, None, None, 0.25) == 0.25


@pytest.mark.parametrize("compiler", ["gcc -O0", "gcc -O3", "clang -O3"])
def test_other_compilers_make_the_same_bits(compiler, tmp_path, monkeypatch):
    name, *flags = compiler.split()
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    given, rng = tables(32, features=40), np.random.default_rng(0)
    windows = rng.standard_normal((33, 12, 40)).astype(np.float32)
    seen = (rng.random((33, 12, MODALITIES)) < 0.8).astype(np.float32)

    def learned() -> tuple[bytes, float]:
        head = PersonalHead(given)
        for place in range(32):
            head.mark(shown(head, windows[place], seen[place]), place / 8 - 2, place % 2, place // 8)
        head.adapt()
        return head.save(), head.correction(shown(head, windows[32], seen[32]))

    wanted, made = learned(), tmp_path / "core.so"
    sources = [*map(str, sorted((CORE / "src").glob("*.c"))), "-I", str(CORE / "include"), "-lm"]
    flags += ["-std=c99", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([name, *flags, "-o", str(made), *sources], check=True)
    other, core = ctypes.CDLL(str(made)), library()
    for name in ("mmq_head_init", "mmq_head_summary", "mmq_mark_summary", "mmq_adapt", "mmq_head_correction",
                 "mmq_head_size", "mmq_head_save"):  # fmt: skip
        function = getattr(other, name)
        function.argtypes, function.restype = getattr(core, name).argtypes, getattr(core, name).restype
    monkeypatch.setattr("mmq_bridge.core_binding.personal_head.library", lambda: other)
    assert learned() == wanted


@FEW
@given(st.integers(4, 32), st.integers(1, 32), st.integers(0, 10**6))
def test_saved_and_loaded(count, components, seed):
    given = tables(components, features=40)
    head = taught(given, *marked(count, components, seed))
    again = PersonalHead(given)
    again.load(head.save())
    assert again.save() == head.save()
    assert again.correction(np.ones(components)) == head.correction(np.ones(components))


def test_what_is_no_saved_head_is_refused():
    given = tables()
    head = taught(given, *marked(8, 4, 0))
    good, fresh = head.save(), PersonalHead(given)

    def refused(content: bytes, words: str, by: PersonalHead = fresh) -> None:
        before = by.save()
        with pytest.raises(BridgeError, match=words):
            by.load(content)
        assert by.save() == before

    def sealed(words: np.ndarray) -> bytes:
        body = words[:-1].tobytes()
        return body + zlib.crc32(body).to_bytes(4, "little")

    words = np.frombuffer(good, "<u4")
    assert sealed(words) == good
    for cut in range(0, len(good), 4):
        refused(good[:cut], "cut short")
    refused(good + b"1234", "was changed")
    refused(good[:20] + bytes([good[20] ^ 1]) + good[21:], "was changed")
    refused(good, "of another", PersonalHead(tables(seed=1)))
    for place, value, said in (
        (1, 3, "newer"),
        (1, 1, "changed"),
        (1, 0, "changed"),
        (4, 33, "changed"),
        (10, 2, "changed"),
        (5, 0x7FC00000, "changed"),
    ):
        wrong = words.copy()
        wrong[place] = value
        refused(sealed(wrong), said)


def test_tables_are_refused_by_name():
    good = tables()
    assert HeadTables.from_json(good.to_json()) == good
    assert good.device_bytes < MAX_BYTES
    for change, said in (
        ({"column": (6, 1, 2, 3, 4)}, "not one of the features"),
        ({"owner": (2, 0, 0, 0, 0)}, "not one of the modalities"),
        ({"centre": (0.0,)}, "a value per column"),
    ):
        broken = good.model_copy(update=change).to_json()
        with pytest.raises(BridgeError, match=said):
            HeadTables.from_json(broken)
    with pytest.raises(BridgeError, match="expected JSON"):
        HeadTables.from_json(b"\xff")
    with pytest.raises(BridgeError, match="refuses its tables"):
        PersonalHead(good.model_copy(update={"scale": (np.nan,) * 5}))
