# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.augmentation.missingness import channel_keep, hide_modalities, named_conditions, training_keep


@given(
    samples=st.integers(1, 40),
    tokens=st.integers(1, 20),
    modalities=st.integers(1, 9),
    rate=st.floats(0, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_training_keep_never_hides_whole_windows_by_modality(samples, tokens, modalities, rate, seed):
    shape = (samples, tokens, modalities)
    keep = training_keep(np.random.default_rng(seed), shape, max_rate=rate, complete_share=0.0)
    assert keep.shape == shape
    assert keep.dtype == bool


def test_training_keep_hides_as_much_as_its_rate_says():
    keep = training_keep(np.random.default_rng(0), (20_000, 12, 4), max_rate=0.9, complete_share=0.0)
    assert (
        abs((1 - keep.mean()) - 0.45) < 0.03
    )  # mean of U(0, 0.9), less what "one modality stays" gives back
    hidden = 1 - keep.mean((1, 2))
    assert hidden.max() > 0.85


def test_complete_share_keeps_windows_whole():
    keep = training_keep(np.random.default_rng(0), (5_000, 12, 4), max_rate=0.9, complete_share=0.4)
    assert 0.38 < keep.all((1, 2)).mean() < 0.5


def test_channels_fail_whole_and_only_where_a_sensor_has_several():
    names = ["eda", "eda", "eeg.Fz", "eeg.Fz", "eeg.Cz", "acc"]
    keep = channel_keep(np.random.default_rng(0), 4000, names, max_rate=0.8)
    assert keep[:, [0, 1, 5]].all()
    np.testing.assert_array_equal(keep[:, 2], keep[:, 3])
    np.testing.assert_allclose(keep[:, [2, 4]].mean(axis=0), 0.6, atol=0.03)
    assert channel_keep(np.random.default_rng(0), 9, names, max_rate=0.0).all()


def test_named_conditions_hide_each_sensor_once():
    assert named_conditions(("ppg", "eda")) == {"full": (), "no-ppg": ("ppg",), "no-eda": ("eda",)}
    assert named_conditions(("ppg",)) == {"full": ()}
    assert named_conditions(("ppg",), {"dark": ("ppg",)}) == {"full": (), "dark": ("ppg",)}


def test_hide_modalities_leaves_natural_gaps():
    presence = np.array([[[True, True], [False, True]]])
    assert hide_modalities(presence, ("ppg", "eda"), ("eda",)).tolist() == [[[True, False], [False, False]]]
