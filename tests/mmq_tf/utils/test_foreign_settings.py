# SPDX-License-Identifier: Apache-2.0
"""What other projects leave on a machine: keras.json, policies, backends and styles of figures."""

import os
import subprocess
import sys

import keras
import matplotlib
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.reports.figures import STYLE
from mmq_tf.utils import foreign_settings
from mmq_tf.utils.foreign_settings import check_keras, settle_keras, settle_matplotlib


@pytest.mark.parametrize(("backend", "chosen"), [(None, "tensorflow"), ("tensorflow", "tensorflow")])
def test_the_backend_is_ours_whatever_keras_json_says(monkeypatch, backend, chosen):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if backend:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    settle_keras()
    assert os.environ["KERAS_BACKEND"] == chosen


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(foreign_settings.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MMQError, match="KERAS_BACKEND is 'torch', which is not installed; unset"):
        settle_keras()


def test_half_precision_is_refused():
    check_keras()
    try:
        keras.config.set_floatx("float16")
        with pytest.raises(MMQError, match="Keras computes in float16, as keras.json"):
            check_keras()
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("mixed_float16")
        with pytest.raises(MMQError, match="global policy is 'mixed_float16'"):
            check_keras()
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("module://no_such_package.backend", "agg"),
        ("module://no_such", "agg"),
        ("module://matplotlib.backends.backend_agg", "module://matplotlib.backends.backend_agg"),
        ("svg", "svg"),
    ],
)
def test_a_backend_of_figures_that_cannot_be_had(monkeypatch, left, kept):
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.setenv("MPLBACKEND", left)
    settle_matplotlib()
    assert os.environ["MPLBACKEND"] == kept


def test_a_matplotlibrc_does_not_count():
    with matplotlib.rc_context({"text.usetex": True, "savefig.transparent": True, "figure.autolayout": True}):
        with matplotlib.rc_context(STYLE):
            got = {key: matplotlib.rcParams[key] for key in STYLE}
    assert not got["text.usetex"]
    assert not got["savefig.transparent"]
    assert got["figure.autolayout"] == matplotlib.rcParamsDefault["figure.autolayout"]


def test_keras_json_of_another_project(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "torch", "floatx": "float32"}')
    env = {**os.environ, "KERAS_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    env.pop("KERAS_BACKEND", None)
    code = "from mmq_tf import MMQNet; import keras; print(keras.backend.backend())"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "tensorflow", done.stderr
