# SPDX-License-Identifier: Apache-2.0
"""The tables of a personal head make components of unit variance from evidence alone."""

import numpy as np
import pytest
from mmq_bridge.core_binding.personal_head import PersonalHead
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.head_tables import MAX_BYTES, HeadTables

from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet
from mmq_tf.training.personal_tables import head_tables

LAYOUT = FeatureLayout(
    4,
    {"ppg": 4, "temp": 2},
    (
        "ppg.heart_rate",
        "ppg.rmssd",
        "ppg.heart_rate.look_back",
        "ppg.rmssd.look_back",
        "temp.mean",
        "temp.slope",
    ),
)


def windows(layout: FeatureLayout, count: int = 400, seed: int = 0) -> WindowSet:
    rng = np.random.default_rng(seed)
    presence = rng.random((count, layout.tokens, len(layout.feature_sizes))) < 0.7
    presence[: count // 10, :, 0] = False
    features = rng.standard_normal((count, 1, layout.n_features)) + rng.standard_normal(
        (count, layout.tokens, layout.n_features)
    )
    blank = np.zeros((0, count))
    return WindowSet(
        features=layout.visible(features.astype(np.float32), presence),
        presence=presence,
        label=np.zeros(count, np.int8),
        subject=np.full(count, "a"),
        session=np.full(count, "a"),
        trial=np.zeros(count, int),
        start_s=np.zeros(count),
        variant_features=blank,
        variant_presence=blank,
        variant_corrupted=blank,
    )


def made(layout: FeatureLayout, given: WindowSet) -> HeadTables:
    found = head_tables(given, layout, "stress", ("rest", "stress"))
    assert found is not None
    return found


def test_components_in_the_core_have_unit_variance_over_the_training_windows():
    given = windows(LAYOUT)
    tables = made(LAYOUT, given)
    assert tables.column == (0, 2, 4, 5)  # no rmssd, nor what looks back on it
    assert tables.owner == (0, 0, 1, 1)
    head = PersonalHead(tables)
    u = [
        head.summary(features, presence)
        for features, presence in zip(given.features, given.presence, strict=True)
    ]
    seen = np.array([row if row is not None else np.zeros(4) for row in u])
    assert np.allclose(np.cov(seen.T), np.eye(4), atol=1e-3)


def test_centre_and_scale_are_those_of_windows_that_have_the_sensor():
    given = windows(LAYOUT)
    tables = made(LAYOUT, given)
    seen = given.presence[:, :, 0]
    rows = seen.any(1)
    shown = np.where(seen, np.tanh(given.features[:, :, 0].astype(float) / 1.5), 0)
    mean = shown[rows].sum(1) / seen[rows].sum(1)
    assert tables.centre[0] == pytest.approx(mean.mean(), abs=1e-6)
    assert tables.scale[0] == pytest.approx(1 / (2 * max(mean.std(), 0.1)), rel=1e-5)


def test_tables_of_many_channels_stay_small():
    wide = FeatureLayout(2, {"eeg": 300})
    tables = made(wide, windows(wide, 80))
    assert len(tables.column) == 300
    assert tables.device_bytes <= MAX_BYTES < tables.device_bytes + 4 * 300


def test_what_is_written_is_read_to_the_same_bits():
    tables = made(LAYOUT, windows(LAYOUT))
    assert HeadTables.from_json(tables.to_json()) == tables
    assert all(float(np.float32(value)) == pytest.approx(value, rel=1e-8) for value in tables.centre)


def test_no_tables_without_two_classes_or_anything_that_varies():
    given = windows(LAYOUT)
    assert head_tables(given, LAYOUT, "stress", ("rest", "stress", "joy")) is None
    still = given.take(np.zeros(20, int))
    assert head_tables(still, LAYOUT, "stress", ("rest", "stress")) is None
    quality = FeatureLayout(4, {"ppg": 4, "temp": 2}, ("ppg.rmssd",) * 6)
    assert head_tables(given, quality, "stress", ("rest", "stress")) is None


def test_windows_of_another_layout_are_refused():
    bare = FeatureLayout(4, {"ppg": 2, "temp": 2}, ("ppg.heart_rate", "ppg.rmssd", "temp.mean", "temp.slope"))
    with pytest.raises(MMQError, match="they cover 4 features, but the windows hold 6"):
        head_tables(windows(LAYOUT), bare, "stress", ("rest", "stress"))
