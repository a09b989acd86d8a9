# SPDX-License-Identifier: Apache-2.0
"""What an epoch of stage 1 shows."""

import numpy as np
import pytest

from mmq_tf.config.run_config import PretrainingConfig
from mmq_tf.pretraining.fit import Epoch
from mmq_tf.pretraining.meiosis import Seconds
from mmq_tf.pretraining.token_bank import TokenBank

T, F, M = 8, 3, 2


@pytest.mark.parametrize("one_sided", [0.0, 1.0])
def test_an_epoch_shows_one_side_of_the_cut_where_the_settings_say_so(one_sided):
    bank = TokenBank(np.ones((60, F), np.float32), np.ones((60, M), np.float32), T, ())
    seconds = Seconds(np.arange(40).reshape(10, 4), np.arange(10), np.zeros(10), float(T))
    settings = PretrainingConfig(seconds=5, pairs=2, steps=3, one_sided=one_sided)
    epoch = Epoch(bank, seconds, settings, 0, 0)
    assert len(epoch) == 3
    shown = epoch[0][0]["presence"].reshape(2, 5, 2, T, M).mean(axis=(3, 4))
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown.min() < 1) == (one_sided > 0)
    assert np.all(shown < 1) == (one_sided > 0)
