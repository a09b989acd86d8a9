# SPDX-License-Identifier: Apache-2.0
"""`MMQClassifier.to_bundle`: the device computes what the classifier computes."""

from typing import Any

import numpy as np
import pytest

import mmq_tf
from mmq_tf.api.classifier_bundle import with_scaler
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import TASK
from mmq_tf.model.keras_names import ops

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def loaded(study):
    return mmq_tf.load_windows(study / "tiny.toml", study / "cohort")


@pytest.fixture(scope="module")
def fitted(loaded):
    model = mmq_tf.MMQClassifier.for_front_end(
        loaded.front_end, epochs=2, validation_fraction=0.5, random_state=0
    )
    return model.fit(*loaded.to_sklearn())


@pytest.mark.parametrize("members", [1, 2])
def test_the_scaler_goes_into_the_first_layer(loaded, members):
    """Where nothing is clipped, the network with the scaler inside gives the classifier's logits."""
    X, y, groups = loaded.to_sklearn()
    model = mmq_tf.MMQClassifier.for_front_end(loaded.front_end, epochs=1, members=members, random_state=0)
    model.fit(X, y, groups)
    scaler: Any = model.scaler_
    inputs, _ = loaded.to_keras()
    inside = with_scaler(model.net_, scaler.mean_, scaler.scale_)
    layout = loaded.front_end.feature_layout
    scaled = layout.visible((inputs["features"] - scaler.mean_) / scaler.scale_, inputs["presence"] > 0)
    outside = model.net_({**inputs, "features": scaled.astype("float32")})
    found, expected = (ops.convert_to_numpy(one[TASK]) for one in (inside(inputs), outside))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_bundle_holds_classes_data_and_the_groups_held_back(fitted, loaded, tmp_path):
    bundle = fitted.to_bundle(tmp_path / "b", data=loaded.data, max_drop=100, slim=True)
    manifest = bundle.manifest
    assert manifest.decision.tasks == {TASK: ("rest", "stress")}
    assert manifest.decision.temperature[TASK] == pytest.approx(fitted.temperature_)
    assert manifest.simulated
    assert set(manifest.train_subjects) == set(fitted.training_groups_)
    assert set(manifest.train_subjects) & set(fitted.validation_groups_) == set()
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    assert "Macro-F1 on validation windows" in card
    assert "No subject was left out" not in card
    assert bundle.verify().problems == []
    unstated = fitted.to_bundle(tmp_path / "u", max_drop=100, slim=True)
    assert "| licence of the training data | not stated" in (unstated.folder / "MODEL_CARD.md").read_text()


def test_what_cannot_become_a_bundle_is_one_sentence(fitted, loaded, tmp_path):
    X, y, groups = loaded.to_sklearn()
    other = loaded.front_end.model_copy(update={"tokens": 5})
    with pytest.raises(MMQError, match="must be the normalised one that made X"):
        fitted.to_bundle(tmp_path / "b", front_end=other)
    sizes = dict(loaded.front_end.feature_layout.feature_sizes)
    plain = mmq_tf.MMQClassifier(modalities=sizes, tokens=4, epochs=1, random_state=0)
    with pytest.raises(MMQError, match="which front end made X is not known"):
        plain.fit(X, y, groups).to_bundle(tmp_path / "b")
    with pytest.raises(MMQError, match="no group was held back"):
        plain.fit(X, y).to_bundle(tmp_path / "b", front_end=loaded.front_end)
    assert list(tmp_path.iterdir()) == []
