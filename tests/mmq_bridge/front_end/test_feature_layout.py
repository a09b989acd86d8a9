# SPDX-License-Identifier: Apache-2.0
"""How a window's features belong to its sensors, and which of them are no evidence."""

from __future__ import annotations

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modalities import OUTPUT_FEATURES, QUALITY_FEATURES


def test_quality_features_are_features_that_there_are():
    for modality, features in QUALITY_FEATURES.items():
        assert set(features) < set(OUTPUT_FEATURES[modality])


def test_quality_is_told_by_name():
    front_end = FrontEnd.wearable({"ppg": 64, "ecg": 250, "eda": 4})
    layout = front_end.feature_layout
    evidence = [
        name for name, quality in zip(layout.feature_names, layout.quality, strict=True) if not quality
    ]
    assert evidence[:3] == ["ppg.heart_rate", "ppg.amplitude", "ppg.spectral_rate"]
    assert layout.quality.sum() == 8
    assert set(np.array(layout.feature_names)[layout.quality][-1:]) == {"ecg.accepted_share"}


def test_quality_of_each_of_several_outputs():
    front_end = FrontEnd.wearable({"ppg": 64}, {"ppg": ("left", "right")})
    names = np.array(front_end.feature_names)[front_end.feature_layout.quality]
    assert [name for name in names if name.endswith("sdnn")] == ["ppg.left.sdnn", "ppg.right.sdnn"]


def test_numbered_features_are_evidence():
    assert not FeatureLayout(12, {"ppg": 3, "eda": 2}).quality.any()
