# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net: shapes, saving, and that what is absent cannot matter."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mmq_tf.model
from mmq_tf.errors import MMQError
from mmq_tf.model import SIZES, MMQNet

T, FEATURES, TASKS = 4, {"ppg": 3, "eda": 2, "acc": 1}, {"stress": 2, "load": 3}
M, F = len(FEATURES), sum(FEATURES.values())


@pytest.fixture(scope="module")
def net() -> MMQNet:
    return MMQNet.from_size("nano", T, FEATURES, TASKS, seed=3)


def window(batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    presence = (rng.random((batch, T, M)) < 0.6).astype("float32")
    return {"features": rng.normal(size=(batch, T, F)).astype("float32"), "presence": presence}


def logits_of(net, inputs) -> dict[str, np.ndarray]:
    return {task: np.array(value) for task, value in net(inputs).items()}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_give_logits_a_task(size):
    net = MMQNet.from_size(size, T, FEATURES, TASKS)
    found = logits_of(net, window(5))
    assert {task: value.shape for task, value in found.items()} == {"stress": (5, 2), "load": (5, 3)}
    assert net.dim == SIZES[size]["dim"]


def test_trace_keeps_what_the_contract_names(net):
    n_all, inputs = T * M, window(5)
    trace = net.trace(inputs)
    shapes = {name: tuple(value.shape) for name, value in trace.items() if name != "logits"}
    assert shapes == {
        **{name: (5, n_all, 32) for name in ("tokens", "rebuilt", "completed")},
        "category": (5, 5, 32),
        "interference": (5, 4, 32),
        "interference_scores": (5, n_all),
        "category_attention": (5, 20, n_all),
    }
    for task, value in logits_of(net, inputs).items():
        np.testing.assert_array_equal(value, trace["logits"][task])


def test_completed_stream_keeps_present_tokens_and_fills_absent_ones(net):
    inputs = window(5)
    trace = net.trace(inputs)
    here = inputs["presence"].reshape(5, -1) == 1
    tokens, rebuilt, completed = (np.array(trace[name]) for name in ("tokens", "rebuilt", "completed"))
    np.testing.assert_array_equal(completed[here], tokens[here])
    assert (tokens[~here] == 0).all()
    np.testing.assert_allclose(completed[~here], rebuilt[~here] + np.array(net.imputed), rtol=1e-6)
    assert (np.array(trace["interference_scores"])[~here] == 0).all()


def test_a_task_reads_its_own_queries_only(net):
    for task, first, count in (("stress", 0, 2), ("load", 2, 3)):
        kernel = np.array(net.read_outs[task].kernel).reshape(5, net.dim, count)
        used = np.abs(kernel).max(axis=1) > 0
        assert used.tolist() == [[k == first + c for c in range(count)] for k in range(5)]


def test_saved_net_predicts_the_same_bits(net, tmp_path):
    path = tmp_path / "net.keras"
    net.save(path)
    again = keras.saving.load_model(path)
    assert isinstance(again, MMQNet)
    assert again.get_config() == net.get_config()
    for task, value in logits_of(net, window(9)).items():
        np.testing.assert_array_equal(logits_of(again, window(9))[task], value)


ANYTHING = st.floats(width=32, allow_nan=False, allow_infinity=False)


@hypothesis.given(
    other=hnp.arrays("float32", (1, T, F), elements=ANYTHING),
    presence=hnp.arrays("bool", (1, T, M)),
)
@hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
def test_features_of_absent_tokens_cannot_change_the_output(net, other, presence):
    features = window(1, seed=1)["features"]
    owned = np.repeat(presence, list(FEATURES.values()), axis=-1)
    given = {"presence": presence.astype("float32")}
    plain = net.predict_on_batch({"features": np.where(owned, features, 0), **given})
    changed = net.predict_on_batch({"features": np.where(owned, features, other), **given})
    for task, value in plain.items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(changed[task], value)


def test_nothing_present_gives_finite_logits_and_presence_may_be_bool(net):
    inputs = window(2)
    nothing = {"features": inputs["features"], "presence": np.zeros((2, T, M), bool)}
    for value in logits_of(net, nothing).values():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value[0], value[1])


def test_presence_itself_matters(net):
    inputs = window(1)
    complete = {**inputs, "presence": np.ones((1, T, M), "float32")}
    assert not np.array_equal(logits_of(net, inputs)["load"], logits_of(net, complete)["load"])


def attention_to_absent(penalty: float) -> float:
    net = MMQNet.from_size("nano", T, FEATURES, TASKS, seed=3, rebuilt_penalty=penalty)
    inputs = window(16)
    shares = np.array(net.trace(inputs)["category_attention"])
    return float((shares * (1 - inputs["presence"]).reshape(16, 1, -1)).sum(-1).mean())


def test_the_more_a_rebuilt_token_is_distrusted_the_less_is_read_from_it():
    read = [attention_to_absent(penalty) for penalty in (0.0, 2.0, 16.0)]
    assert read[0] > 2 * read[1] > 0
    assert read[2] < 1e-5


def test_a_net_saved_before_rebuilt_tokens_were_distrusted_trusts_them(net):
    config = net.get_config()
    assert MMQNet.from_config(config).rebuilt_penalty == net.rebuilt_penalty == 2.0
    del config["rebuilt_penalty"]
    assert MMQNet.from_config(config).rebuilt_penalty == 0.0


def test_seed_generators_are_those_of_the_dropout():
    net = MMQNet.from_size("small", T, FEATURES, TASKS, dropout=0.1)
    assert len(net.seed_generators) == net.blocks
    first = np.array(net(window(2), training=True)["load"])
    second = np.array(net(window(2), training=True)["load"])
    assert not np.array_equal(first, second)


def test_the_model_imports_no_backend():
    """Only `keras.ops` may compute: an import of a backend would bind training to it."""
    sources = Path(mmq_tf.model.__file__).parent.glob("*.py")
    imported = {
        name.split(".")[0]
        for source in sources
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= {"keras", "mmq_tf", "mmq_bridge", "numpy"} | sys.stdlib_module_names


def test_jax_computes_the_same(net, tmp_path):
    pytest.importorskip("jax", reason="jax is an extra")
    path, inputs = tmp_path / "net.keras", window(3)
    net.save(path)
    np.savez(tmp_path / "inputs.npz", features=inputs["features"], presence=inputs["presence"])
    code = (
        "import sys, keras, numpy as np; import mmq_tf.model\n"
        "net = keras.saving.load_model(sys.argv[1])\n"
        "np.save(sys.argv[3], net(dict(np.load(sys.argv[2])))['load'])\n"
    )
    arguments = [str(path), str(tmp_path / "inputs.npz"), str(tmp_path / "logits.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(arguments[2]), logits_of(net, inputs)["load"], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_tokens": 0}, "at least 1"),
        ({"feature_sizes": {"ppg": 0}}, "at least 1"),
        ({"tasks": {"stress": 1}}, "at least 2 classes"),
        ({"tasks": {}}, "tasks"),
        ({"dropout": 1.0}, "dropout"),
        ({"rebuilt_penalty": 17.0}, "from 0 to 16"),
        ({"rebuilt_penalty": float("nan")}, "from 0 to 16"),
    ],
)
def test_impossible_nets_are_refused(change, words):
    with pytest.raises(MMQError, match=words):
        MMQNet(**{"n_tokens": T, "feature_sizes": FEATURES, "tasks": TASKS, **change})


def test_unknown_size_is_refused():
    with pytest.raises(MMQError, match="nano, small, base"):
        MMQNet.from_size("huge", T, FEATURES, TASKS)
