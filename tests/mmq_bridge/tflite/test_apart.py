# SPDX-License-Identifier: Apache-2.0
"""A model in a process of its own: same numbers, and no death, hang or hunger of it is ours."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from mmq_bridge.bundle.microcontroller import micro_there
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite import apart
from mmq_bridge.tflite.apart import ApartModel

from mmq_tf import pretrained

FOLDER = pretrained.path("wrist-stress")


def content_of(name="int8"):
    return (FOLDER / f"model_{name}.tflite").read_bytes()


@pytest.fixture
def code(monkeypatch):
    """Start the process with this code in place of the interpreter's loader."""

    def given(text):
        start = "import numpy as np, os, time, signal; from mmq_bridge.tflite import worker\n"
        command = [sys.executable, "-P", "-c", f"{start}{text}\nworker._litert = load; worker.main()"]
        monkeypatch.setattr(
            apart,
            "start_worker",
            lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE),
        )

    apart.stop_worker()
    yield given
    apart.stop_worker()


@pytest.mark.parametrize("name", ["int8", "int8_float_io", "float32"])
def test_the_numbers_are_those_of_this_process(name):
    content = content_of(name)
    away, here = TFLiteModel(content), TFLiteModel(content, own=True)
    assert (away.feature_shape, away.classes, away.n_modalities) == (
        here.feature_shape,
        here.classes,
        here.n_modalities,
    )
    assert (away.input_positions, away.output_positions) == (here.input_positions, here.output_positions)
    assert away.quantisation() == here.quantisation()
    features = np.random.default_rng(0).normal(size=(5, *away.feature_shape)).astype(np.float32)
    presence = np.ones((5, away.feature_shape[0], away.n_modalities))
    got, wanted = away.predict_many(features, presence), here.predict_many(features, presence)
    assert got["stress"].tobytes() == wanted["stress"].tobytes()
    assert away.predict_many(features[:0], presence[:0])["stress"].shape == (0, 2)


@pytest.mark.skipif(not micro_there(), reason="tflite-micro is not installed")
def test_one_process_serves_both_runtimes_and_many_models():
    models = [ApartModel(runtime, content_of()) for runtime in ("litert", "micro", "litert")]
    zeros = {name: np.zeros((2, *tensor.shape[1:]), np.int8) for name, tensor in models[0].inputs.items()}
    logits = [model.run(zeros)["stress"] for model in models]
    assert {values.shape for values in logits} == {(2, 2)}
    np.testing.assert_array_equal(logits[0], logits[2])
    assert np.abs(logits[0].astype(int) - logits[1]).max() <= 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def load(content, about): os.kill(os.getpid(), signal.SIGSEGV)", "ended on it .SIGSEGV."),
        ("def load(content, about): os.abort()", "ended on it .SIGABRT."),
        ("def load(content, about): os._exit(3)", "ended on it .exit status 3."),
        ("def load(content, about): return bytearray(1 << 33)", "LiteRT refused it .MemoryError."),
        ("def load(content, about): raise ValueError('bad\\nworse')", "LiteRT refused it .bad."),
    ],
)
def test_a_model_that_ends_its_process_ends_only_that(code, text, words):
    code(text)
    with pytest.raises(BridgeError, match=f"evil.tflite: .*{words}"):
        ApartModel("litert", content_of(), "evil.tflite")


def test_after_a_death_the_next_model_has_a_process_again(code, monkeypatch):
    code("def load(content, about): os.abort()")
    with pytest.raises(BridgeError, match="SIGABRT"):
        ApartModel("litert", content_of())
    monkeypatch.undo()
    assert TFLiteModel(content_of()).classes == {"stress": 2}


def test_a_model_is_loaded_again_into_a_new_process():
    model = TFLiteModel(content_of())
    given = np.zeros(model.feature_shape), np.ones((model.feature_shape[0], model.n_modalities))
    before = model.predict(*given)["stress"]
    apart.stop_worker()
    np.testing.assert_array_equal(model.predict(*given)["stress"], before)


def test_a_model_that_never_ends_is_stopped(code, monkeypatch):
    code("def load(content, about): time.sleep(60)")
    monkeypatch.setattr(apart, "START_S", 0.3)
    with pytest.raises(BridgeError, match="did not finish in 0 s"):
        ApartModel("litert", content_of())


def test_outputs_of_another_size_are_refused(code):
    code("def load(content, about): return lambda given: {'stress': np.zeros((1, 1), np.int8)}")
    model = ApartModel("litert", content_of())
    zeros = {name: np.zeros((1, *tensor.shape[1:]), np.int8) for name, tensor in model.inputs.items()}
    with pytest.raises(BridgeError, match="outputs of another size"):
        model.run(zeros)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the system")
def test_the_process_can_write_no_file_and_has_little_memory(code):
    code(
        "import resource\n"
        "def load(content, about): raise ValueError(str([resource.getrlimit(getattr(resource, name))[0]"
        " for name in ('RLIMIT_FSIZE', 'RLIMIT_CORE', 'RLIMIT_AS')]))"
    )
    with pytest.raises(BridgeError, match=r"\[0, 0, 4294967296\]"):
        ApartModel("litert", content_of())


def test_nothing_is_imported_from_the_folder_it_starts_in(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit(7)")
    apart.stop_worker()
    monkeypatch.chdir(tmp_path)
    assert TFLiteModel(content_of()).is_integer


def test_threads_share_it():
    model, said = TFLiteModel(content_of()), []
    given = np.zeros(model.feature_shape), np.ones((model.feature_shape[0], model.n_modalities))
    threads = [
        threading.Thread(target=lambda: said.append(model.predict(*given)["stress"].tobytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 4
    assert len(set(said)) == 1
    assert os.getpid() == apart._WORKER._owner
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
