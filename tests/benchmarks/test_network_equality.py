# SPDX-License-Identifier: Apache-2.0
"""Models of every kind, with random weights: the C network's bits are TFLite Micro's, in every tensor."""

import network_equality
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from click.testing import CliRunner
from methods.network_models import MODELS, random_deployed, random_model
from mmq_bridge.errors import BridgeError
from mmq_export.convert import convert
from mmq_export.recipes import RECIPES
from network_equality import SHIPPED, compare, main

from mmq_tf.metrics.results_table import read_results

pytest.importorskip("tflite_micro")
KINDS = (
    "small", "nano-line", "two-tasks-line", "nano-line-gate", "nano-line-steps", "one-sensor-line",
    "without-category", "without-modality-line", "without-queries-line", "ensemble", "ensemble-line", "mhacl",
)  # fmt: skip
"""Between them every operation and layout; `benchmarks/network_equality.py` runs all kinds."""


@pytest.mark.parametrize("name", KINDS)
def test_every_tensor_is_micros(name):
    counts = compare(random_model(name), [], 40)
    assert counts.differing == 0
    assert counts.values > 40 * 10_000
    assert name in MODELS


def _refuse(name: str) -> bytes:
    raise BridgeError(f"network: {name} is refused")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 1, "network_equality: nano is refused.\n"),
        (["--refused", "nano"], 0, ""),
        (["--refused", "small"], 1, "network_equality: nano is refused.\n"),
    ],
)
def test_a_refused_kind_passes_only_by_name(monkeypatch, options, code, said):
    monkeypatch.setattr(network_equality, "random_model", _refuse)
    done = CliRunner().invoke(main, ["--only", "nano", "--only", SHIPPED, "--windows", "1", *options])
    assert (done.exit_code, done.stderr) == (code, said)


def test_a_kind_that_should_be_refused_and_is_not_fails(monkeypatch, nets_model):
    monkeypatch.setattr(network_equality, "random_model", lambda name: nets_model)
    done = CliRunner().invoke(main, ["--only", "nano", "--windows", "1", "--refused", "nano"])
    assert (done.exit_code, done.stderr) == (1, "network_equality: nano should be refused, and is not.\n")


def test_a_different_number_fails(monkeypatch, nets_model):
    run = network_equality.MicroTensors.run

    def changed(self, window):
        found = run(self, window)
        next(iter(found.values()))[0] ^= 1
        return found

    monkeypatch.setattr(network_equality.MicroTensors, "run", changed)
    done = CliRunner().invoke(main, ["--only", SHIPPED, "--windows", "2"])
    assert (done.exit_code, done.stderr) == (1, f"network_equality: {SHIPPED} differs in 2 values.\n")


def test_kinds_are_added_to_the_table(monkeypatch, nets_model, tmp_path):
    monkeypatch.setattr(network_equality, "random_model", lambda name: nets_model)
    for kind, windows, more in ((SHIPPED, 2, ()), ("nano", 1, ("--keep",)), (SHIPPED, 1, ("--keep",))):
        options = [
            "--only",
            kind,
            "--windows",
            str(windows),
            "--results",
            str(tmp_path / "table.json"),
            *more,
        ]
        assert CliRunner().invoke(main, options).exit_code == 0
    counted = [row for row in read_results(tmp_path / "table.json").rows if row.metric == "windows"]
    assert [(row.method, row.mean) for row in counted] == [("nano", 1), (SHIPPED, 1)]


@pytest.fixture
def nets_model() -> bytes:
    return network_equality.content_of(SHIPPED)


@pytest.mark.parametrize("name", ["nano-line", "without-queries-line"])
def test_no_operation_writes_over_what_others_still_read(name):
    """LiteRT may reuse an operation's input for its output; so may the interpreter that calibrates int8."""
    deployed, windows = random_deployed(name)
    content, logits = convert(deployed, None, RECIPES["float32"]), []
    for kept in (True, False):
        runner = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=kept,
        )
        signature = runner.get_signature_runner()
        logits.append(np.concatenate([signature(**window)["stress"] for window in windows[:8]]))
    np.testing.assert_array_equal(*logits)
