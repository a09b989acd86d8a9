# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net with parts left out: what is gone leaves no weight, no loss and no trace, and the rest works."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.errors import MMQError
from mmq_tf.model import MMQNet, MMQTraining
from mmq_tf.model.queries import QUERIES
from mmq_tf.model.tokens import feature_owner

T, FEATURES = 4, {"ppg": 3, "eda": 2}
OWNER = feature_owner(FEATURES)

CASES: Mapping[str, dict[str, Any]] = {
    "all": {},
    "without_modality": {"queries": ("category", "interference")},
    "without_category": {"queries": ("modality", "interference")},
    "without_interference": {"queries": ("modality", "category")},
    "without_any": {"queries": ()},
    "without_mask": {"learned_mask": False},
    "trusting_what_is_rebuilt": {"rebuilt_penalty": 0.0},
}
REBUILT = {"rebuild_tokens", "rebuild_features"}
NOISE = {"orthogonality", "no_label", "interference"}
LOST = {
    "all": set(),
    "without_modality": REBUILT,
    "without_category": {"orthogonality"},
    "without_interference": NOISE,
    "without_any": REBUILT | NOISE,
    "without_mask": set(),
    "trusting_what_is_rebuilt": set(),
}


@pytest.fixture(params=CASES)
def case(request) -> str:
    return request.param


def net_of(case: str, **sizes: Any) -> MMQNet:
    sizes = {"dim": 8, "hidden": 16, "seed": 1, **sizes}
    return MMQNet(T, FEATURES, {"stress": 2}, **sizes, **CASES[case])


def training_windows(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    full = rng.normal(size=(count, T, 5))
    presence = rng.random((count, T, 2)) < 0.6
    inputs = {
        "features": full * (presence @ OWNER),
        "presence": presence,
        "features_full": full,
        "presence_full": np.ones(presence.shape),
        "corrupted": presence & (rng.random(presence.shape) < 0.3),
    }
    return {name: values.astype("float32") for name, values in inputs.items()}


def shown(count: int) -> dict[str, np.ndarray]:
    inputs = training_windows(count)
    return {name: inputs[name] for name in ("features", "presence")}


def test_only_the_losses_of_parts_that_are_there_are_computed_and_every_weight_learns(case):
    training = MMQTraining(net_of(case))
    training.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    before = [np.array(weight) for weight in training.trainable_variables]
    labels = {"stress": np.arange(32) % 2}
    logs: Any = training.train_on_batch(training_windows(32), labels, return_dict=True)
    complete = set(MMQTraining(net_of("all")).trackers)
    assert complete - set(logs) == LOST[case]
    assert all(np.isfinite(value) for value in logs.values())
    after = zip(training.trainable_variables, before, strict=True)
    assert [weight.path for weight, old in after if np.array_equal(weight, old)] == []


def test_a_part_that_is_gone_leaves_no_weight_and_no_trace(case):
    net, queries = net_of(case), CASES[case].get("queries", QUERIES)
    paths = " ".join(weight.path for weight in MMQTraining(net).weights)
    assert [kind for kind in QUERIES if f"{kind}_queries" in paths] == [k for k in QUERIES if k in queries]
    assert ("decoder" in paths, "label_stress" in paths) == ("modality" in queries, "interference" in queries)
    trace = set(net.trace(shown(2)))
    of = {"modality": {"rebuilt"}, "category": {"category"}, "interference": {"interference_scores"}}
    assert all((names <= trace) == (kind in queries) for kind, names in of.items())


def test_what_stays_starts_from_the_same_weights(case):
    complete = {weight.path.split("/", 1)[1]: np.array(weight) for weight in net_of("all").weights}
    for weight in net_of(case).weights:
        path = weight.path.split("/", 1)[1]
        if "logits" not in path:
            np.testing.assert_array_equal(weight, complete[path])


def test_absent_tokens_cannot_change_the_answer_and_nothing_present_is_finite(case):
    net, inputs = net_of(case), shown(16)
    absent = (inputs["presence"] @ OWNER) == 0
    junk = {**inputs, "features": np.where(absent, np.float32(1e6), inputs["features"])}
    np.testing.assert_array_equal(net(junk)["stress"], net(inputs)["stress"])
    nothing = {**inputs, "presence": np.zeros_like(inputs["presence"])}
    assert np.isfinite(np.array(net(nothing)["stress"])).all()


def test_without_modality_queries_the_rest_is_encoded_as_if_absent_tokens_did_not_exist():
    """A net of one modality with the same weights sees nothing else, and computes the same."""
    net = net_of("without_modality")
    features = np.random.default_rng(1).normal(size=(6, T, 5)).astype("float32")
    presence = np.ones((6, T, 2), "float32")
    presence[:, :, 1] = 0
    alone = MMQNet(T, {"ppg": 3}, {"stress": 2}, dim=8, hidden=16, seed=1, **CASES["without_modality"])
    for mine, whole in zip(alone.weights, net.weights, strict=True):
        if mine.shape == whole.shape:
            mine.assign(whole)
    alone.embedding.modality.assign(net.embedding.modality[:, :1])
    alone.embedding.features_in.kernel.assign(net.embedding.features_in.kernel[:3, :8])
    bias: Any = net.embedding.features_in.bias
    alone_bias: Any = alone.embedding.features_in.bias
    alone_bias.assign(bias[:8])
    expected = alone({"features": features[:, :, :3], "presence": presence[:, :, :1]})["stress"]
    found = net({"features": features, "presence": presence})["stress"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_category_queries_the_classes_are_read_from_the_mean_of_what_is_seen():
    net, inputs = net_of("without_any"), shown(3)
    inputs["presence"][:, 0] = 1  # something is seen in each window
    encoded = net.trace(inputs)["completed"]
    here = inputs["presence"].reshape(3, 1, -1)
    for block in net.encoder:
        encoded = block(encoded, penalty=16.0 * (1.0 - here))
    encoded = np.array(net.norm(encoded))
    mean = (here @ encoded)[:, 0] / here.sum(axis=2)
    logits = mean @ np.array(net.read_outs["stress"].kernel) + np.array(net.read_outs["stress"].bias)
    np.testing.assert_allclose(net(inputs)["stress"], logits, atol=1e-5)


def test_without_the_mask_scores_are_there_and_change_nothing():
    net, inputs = net_of("without_mask"), shown(8)
    before = np.array(net(inputs)["stress"])
    scores = np.array(net.trace(inputs)["interference_scores"])
    assert net.interference_queries is not None
    queries = net.interference_queries.attention.queries
    queries.assign(queries * 10.0)
    np.testing.assert_allclose(net.trace(inputs)["interference_scores"], 10 * scores, rtol=1e-4)
    np.testing.assert_array_equal(net(inputs)["stress"], before)


def test_it_is_saved_with_its_switches(case, tmp_path):
    net = net_of(case)
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    assert isinstance(again, MMQNet)
    assert again.get_config() == net.get_config()
    np.testing.assert_array_equal(again(shown(4))["stress"], net(shown(4))["stress"])


@pytest.mark.parametrize("case", ["without_modality", "without_category", "without_any"])
def test_int8_computes_what_it_computes(case):
    net, inputs = net_of(case, dim=16), shown(200)
    deployed = deployed_model(net, T, 5, 2)
    calibration = calibration_windows(inputs["features"], inputs["presence"], 100)
    runner = Interpreter(
        model_content=convert(deployed, calibration, RECIPES["int8_float_io"])
    ).get_signature_runner()
    found = [
        runner(features=features[None], presence=presence[None])["stress"][0]
        for features, presence in zip(*inputs.values(), strict=True)
    ]
    expected = np.array(net(inputs)["stress"])
    assert np.sqrt(np.mean((np.array(found) - expected) ** 2)) < 0.15 * expected.std()


def test_an_unknown_kind_is_refused():
    with pytest.raises(MMQError, match="modality, category, interference"):
        MMQNet(T, FEATURES, {"stress": 2}, queries=("modality", "memory"))
