# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from mmq_bridge.bundle.flatbuffer import count_macs
from mmq_export.convert import convert_any
from mmq_export.recipes import RECIPES

from mmq_tf.errors import MMQError
from mmq_tf.model.eegnet import eegnet


def test_it_has_the_published_number_of_weights():
    """Counted by hand from the publication's table 2, for 64 electrodes, 128 samples, 4 classes."""
    trained = 64 * 8 + 2 * 8 + 16 * 64 + 2 * 16 + 16 * 16 + 16 * 16 + 2 * 16 + 16 * (128 // 32) * 4 + 4
    net = eegnet(64, 128, 4)
    assert sum(np.prod(w.shape) for w in net.trainable_variables) == trained


@pytest.mark.slow
def test_its_macs_are_those_of_its_layers():
    channels, samples, classes = 3, 64, 2
    content = convert_any(eegnet(channels, samples, classes), None, RECIPES["float32"])
    quarter = samples // 4
    by_hand = channels * samples * 8 * 64 + samples * 16 * channels
    by_hand += quarter * 16 * 16 + quarter * 16 * 16 + 16 * (samples // 32) * classes
    assert count_macs(content) == by_hand


def test_a_seed_gives_the_same_network_and_logits_come_out():
    samples = np.random.default_rng(0).normal(size=(1, 2, 64, 1)).astype("float32")
    first, second, third = (
        np.asarray(eegnet(2, 64, 3, seed=seed)([samples])["logits"]) for seed in (1, 1, 2)
    )
    assert first.shape == (1, 3)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 1e-3


def test_too_small_a_window_is_refused():
    with pytest.raises(MMQError, match="at least 1 channel, 32 samples and 2 classes, got 2, 31 and 2"):
        eegnet(2, 31, 2)
