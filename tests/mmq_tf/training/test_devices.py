# SPDX-License-Identifier: Apache-2.0
"""One training on eight virtual devices: the losses and logits of one; without JAX it is refused."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import run_main

from mmq_tf.training.devices import REAL, filled, whole_batch

pytestmark = pytest.mark.tensorflow

CHILD = """
import json, sys
import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig
from mmq_tf.features.array_windows import array_spec, plain_windows
from mmq_tf.training.devices import devices_used, use_devices
from mmq_tf.training.fit import fit_network, new_network, predict_logits

devices = int(sys.argv[1])
use_devices(devices)
rng = np.random.default_rng(0)
features = rng.normal(size=(41, 3, 4)).astype(np.float32)
presence = rng.random((41, 3, 2)) < 0.8
windows = plain_windows(features, presence, rng.integers(0, 2, 41).astype(np.int8), np.full(41, "a"))
model = ModelConfig(dim=8, heads=1, blocks=1, hidden=8, dropout=0.0)
training = TrainingConfig(epochs=2, batch_size=16, teacher_share=0.0)
spec = array_spec(FeatureLayout(3, {"eda": 2, "temp": 2}), model, MissingConfig(), training)
network = new_network(spec, 2, 0)
history = fit_network(network, windows, windows, spec, 0, None)
logits = predict_logits(network.net, features, presence)["label"]
print(json.dumps([devices_used(), history.epochs, logits.tolist()]))
"""


def trained(devices):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(devices)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_eight_devices_give_the_losses_of_one():
    """41 windows in batches of 16: the last batch holds 9, and eight devices cannot share 9."""
    found = {}
    for devices in (1, 8):
        code, said, error = trained(devices)
        assert code == 0, error
        found[devices] = json.loads(said.splitlines()[-1])
    (one, plain, logits), (eight, split, others) = found[1], found[8]
    assert (one, eight) == (1, 8)
    assert len(plain) == len(split) == 2
    for before, after in zip(plain, split, strict=True):
        assert before.keys() == after.keys()
        names = [name for name in before if name != "loss"]  # Keras weighs each batch's by its rows
        assert [after[n] for n in names] == pytest.approx([before[n] for n in names], rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(others, logits, rtol=1e-5, atol=1e-6)
    code, _, error = trained(9)
    assert code == 1
    assert "--devices 9: JAX finds 8 here" in error


def test_a_batch_is_filled_up_with_windows_that_count_nothing():
    batch = {"features": np.ones((3, 2), np.float32)}, {"stress": np.ones((3, 2), np.float32)}
    inputs, targets, weight = whole_batch(batch, 4)
    assert inputs["features"].tolist() == [[1, 1]] * 3 + [[0, 0]]
    assert inputs[REAL].tolist() == weight.tolist() == [1, 1, 1, 0]
    assert targets["stress"].shape == (4, 2)
    assert whole_batch((*batch, np.array([2.0, 3.0, 4.0])), 4)[2].tolist() == [2, 3, 4, 0]
    assert filled(weight, 4) is weight


def test_another_backend_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert run_main(monkeypatch, "train", "simulated", "--devices", 2) == 2
    assert "--devices 2 needs JAX, but Keras's backend is tensorflow" in capsys.readouterr().err
    assert run_main(monkeypatch, "train", "simulated", "--devices", 2, "--jobs", 2) == 2
    assert "give one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
