# SPDX-License-Identifier: Apache-2.0
"""A command trains on one thread and with the same numbers each time; its caller then trains as before."""

import os

import keras
import numpy as np
import pytest
from tensorflow.python.eager import context
from tensorflow.python.framework import config

from mmq_tf.utils.backend_threads import THREADS, one_thread_per_command

pytestmark = pytest.mark.tensorflow
NAMES = (*THREADS, "TF_DETERMINISTIC_OPS")


def fit_without_a_seed():
    """Train as a program may: it shuffles, by a seed that nobody set."""
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.compile(loss="mse", run_eagerly=True)
    net.fit(np.zeros((4, 1)), np.zeros((4, 1)), verbose="0")


@pytest.fixture
def free(monkeypatch):
    """A process in which nothing of this is set."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    before = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    context.set_global_seed(None)  # others' tests may have set one
    yield
    (config.enable_op_determinism if before else config.disable_op_determinism)()


def test_a_command_leaves_its_callers_training_as_it_was(free):
    before = dict(os.environ)
    with one_thread_per_command():
        assert [os.environ[name] for name in NAMES] == ["1"] * 4
        assert config.is_op_determinism_enabled()
        with pytest.raises(RuntimeError, match="require a seed"):
            fit_without_a_seed()
    assert os.environ == before
    fit_without_a_seed()


def test_also_one_that_fails(free):
    with pytest.raises(ZeroDivisionError), one_thread_per_command():
        _ = 1 / 0
    assert not config.is_op_determinism_enabled()
    assert not set(NAMES) & set(os.environ)


def test_what_the_user_set_stays(free, monkeypatch):
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    config.enable_op_determinism()
    with one_thread_per_command():
        assert (os.environ["OMP_NUM_THREADS"], config.is_op_determinism_enabled()) == ("7", False)
    assert (os.environ["OMP_NUM_THREADS"], config.is_op_determinism_enabled()) == ("7", True)
