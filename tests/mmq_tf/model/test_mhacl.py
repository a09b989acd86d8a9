# SPDX-License-Identifier: Apache-2.0
"""ME-MHACL's network: absent modalities, saving, and int8 against float."""

import keras
import numpy as np
import pytest
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import ops
from mmq_tf.model.mhacl import MHACL

T, SIZES, TASKS = 4, {"ppg": 3, "eda": 2, "temp": 1}, {"stress": 2}


def make_inputs(count: int, seed: int = 0, rate: float = 0.7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    presence = (rng.random((count, T, len(SIZES))) < rate).astype(np.float32)
    presence[: count // 4, :, rng.integers(len(SIZES))] = 0  # a whole sensor gone
    features = rng.normal(size=(count, T, sum(SIZES.values()))).astype(np.float32)
    return {"features": features * np.repeat(presence, list(SIZES.values()), axis=2), "presence": presence}


@pytest.fixture(scope="module")
def net() -> MHACL:
    return MHACL.from_size("nano", T, SIZES, TASKS, seed=3)


def logits(net, inputs):
    return ops.convert_to_numpy(net(inputs)["stress"])


def test_what_an_absent_token_holds_never_reaches_the_answer(net):
    inputs = make_inputs(16)
    seen = np.repeat(inputs["presence"], list(SIZES.values()), axis=2)
    filled = {**inputs, "features": inputs["features"] + 100 * (1 - seen)}
    np.testing.assert_allclose(logits(net, filled), logits(net, inputs), atol=1e-5)


def test_a_modality_that_is_gone_gives_no_vector_and_the_others_keep_theirs(net):
    inputs = make_inputs(8, rate=1.1)
    inputs["presence"][:] = 1
    whole, _ = net.encoder.encode(inputs)
    gone = {**inputs, "presence": inputs["presence"] * np.array([1, 0, 1], np.float32)}
    part, present = (ops.convert_to_numpy(value) for value in net.encoder.encode(gone))
    np.testing.assert_array_equal(present, np.tile([1, 0, 1], (8, 1)))
    assert not part[:, 1].any()
    np.testing.assert_allclose(part[:, [0, 2]], ops.convert_to_numpy(whole)[:, [0, 2]], atol=1e-4)


def test_nothing_at_all_gives_a_finite_answer(net):
    inputs = {name: 0 * value for name, value in make_inputs(2).items()}
    assert np.isfinite(logits(net, inputs)).all()


def test_saved_and_loaded_it_answers_the_same(net, tmp_path):
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    np.testing.assert_array_equal(logits(again, make_inputs(6)), logits(net, make_inputs(6)))


@pytest.mark.slow
def test_int8_says_what_float_says(net):
    deployed = deployed_model(net, T, sum(SIZES.values()), len(SIZES))
    seen = [make_inputs(1, seed=k, rate=[0.2, 0.6, 1.1][k % 3]) for k in range(60)]
    model = TFLiteModel(convert(deployed, seen, RECIPES["int8"]), "int8")
    inputs = make_inputs(200, seed=99)
    got = model.predict_many(inputs["features"], inputs["presence"])["stress"]
    want = logits(net, inputs)
    sure = np.abs(want[:, 1] - want[:, 0]) > 0.02
    assert sure.sum() > 100
    assert (got.argmax(1) == want.argmax(1))[sure].mean() > 0.97
    assert np.sqrt(np.mean((got - want) ** 2)) < 0.1 * want.std() + 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "at least 1"),
        ({"dropout": 1.0}, "below 1"),
        ({"tasks": {"stress": 1}}, "at least 2 classes"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(MMQError, match=message):
        MHACL(**{"n_tokens": T, "feature_sizes": SIZES, "tasks": TASKS, **change})
    with pytest.raises(MMQError, match="expected one of nano"):
        MHACL.from_size("huge", T, SIZES, TASKS)
