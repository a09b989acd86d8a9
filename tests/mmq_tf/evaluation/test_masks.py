# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.masks import shared_masks
from mmq_tf.evaluation.protocols import draw_masks
from mmq_tf.features.windows import WindowSet


@pytest.fixture
def windows():
    presence = np.random.default_rng(0).random((7, 5, 3)) < 0.8
    count = len(presence)
    nothing = np.zeros((0, count, 5, 3), bool)
    return WindowSet(
        features=np.zeros((count, 5, 3), np.float32),
        presence=presence,
        label=np.zeros(count, np.int8),
        subject=np.repeat("s1", count),
        session=np.repeat("", count),
        trial=np.arange(count),
        start_s=np.arange(count) * 5.0,
        variant_features=nothing.astype(np.float32),
        variant_presence=nothing,
        variant_corrupted=nothing,
    )


def test_masks_are_drawn_once_and_then_read_whatever_the_seed(windows, tmp_path):
    path = tmp_path / "masks" / "00.npz"
    drawn = shared_masks(path, windows, 5.0, seed=3)
    stored = path.read_bytes()
    again = shared_masks(path, windows, 5.0, seed=4)
    expected = draw_masks(windows.presence, 5.0, seed=3)
    assert list(drawn) == list(again) == list(expected)
    for name, mask in expected.items():
        assert np.array_equal(drawn[name], mask)
        assert np.array_equal(again[name], mask)
        assert again[name].dtype == bool
    assert path.read_bytes() == stored
    shared_masks(tmp_path / "other.npz", windows, 5.0, seed=3)
    assert (tmp_path / "other.npz").read_bytes() == stored


def test_masks_of_other_windows_are_refused(windows, tmp_path):
    path = tmp_path / "00.npz"
    shared_masks(path, windows, 5.0, seed=3)
    moved = replace(windows, start_s=windows.start_s + 5)
    with pytest.raises(MMQError, match="other test windows"):
        shared_masks(path, moved, 5.0, seed=3)
    with pytest.raises(MMQError, match="damaged|other test windows"):
        shared_masks(path, windows.take(np.arange(4)), 5.0, seed=3)


@pytest.mark.parametrize("content", [b"", b"no archive", "cut"])
def test_damaged_masks_are_refused_in_one_sentence(windows, tmp_path, content):
    path = tmp_path / "00.npz"
    shared_masks(path, windows, 5.0, seed=3)
    path.write_bytes(path.read_bytes()[:300] if content == "cut" else content)
    with pytest.raises(MMQError, match=r"00\.npz is damaged .* the same masks are drawn again"):
        shared_masks(path, windows, 5.0, seed=3)
