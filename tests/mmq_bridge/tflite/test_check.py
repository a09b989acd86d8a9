# SPDX-License-Identifier: Apache-2.0
"""A .tflite that export could not have written is refused in one sentence, before any interpreter."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite import tables
from mmq_bridge.tflite.check import check_model

from mmq_tf import pretrained

FOLDER = pretrained.path("wrist-stress")
WHOLE = (FOLDER / "model_int8.tflite").read_bytes()
CODES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def changed(change, content=WHOLE):
    """Return a model after `change` of its objects."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    assert model.subgraphs
    change(model, model.subgraphs[0])
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def op(model, graph, name):
    """Return the first operator of a name."""
    codes = [CODES[code.builtinCode] for code in model.operatorCodes]
    return next(one for one in graph.operators if codes[one.opcodeIndex] == name)


def weights(model, graph):
    return graph.tensors[op(model, graph, "FULLY_CONNECTED").inputs[1]]


@pytest.mark.parametrize("name", ["model_int8", "model_int8_float_io", "model_float32"])
def test_what_export_wrote_passes_also_packed_anew(name):
    content = (FOLDER / f"{name}.tflite").read_bytes()
    found = check_model(content)
    assert sorted(found.inputs) == ["features", "presence"]
    assert [tensor.shape for tensor in found.outputs.values()] == [(1, 2)]
    assert len(check_model(changed(lambda model, graph: None, content)).ops) == len(found.ops)


CHANGES = {
    "version": (lambda m, g: setattr(m, "version", 4), "another version"),
    "two graphs": (lambda m, g: m.subgraphs.append(g), "2 graphs"),
    "no signature": (lambda m, g: setattr(m, "signatureDefs", []), "0 signatures"),
    "custom": (lambda m, g: setattr(m.operatorCodes[0], "customCode", b"Evil"), "operator"),
    "unknown": (
        lambda m, g: (
            setattr(m.operatorCodes[0], "builtinCode", 32),
            setattr(m.operatorCodes[0], "deprecatedBuiltinCode", 32),
        ),
        "the operator 32",
    ),
    "huge shape": (lambda m, g: setattr(weights(m, g), "shape", np.array([2**20, 2**20], np.int32)), "shape"),
    "negative": (lambda m, g: setattr(weights(m, g), "shape", np.array([-4, 4], np.int32)), "shape"),
    "cut": (
        lambda m, g: setattr(
            m.buffers[weights(m, g).buffer], "data", m.buffers[weights(m, g).buffer].data[:-1]
        ),
        "holds",
    ),
    "transposed": (
        lambda m, g: setattr(weights(m, g), "shape", weights(m, g).shape[::-1]),
        "FULLY_CONNECTED",
    ),
    "no buffer": (lambda m, g: setattr(weights(m, g), "buffer", 9999), "no buffer 9999"),
    "outside": (lambda m, g: setattr(m, "metadataBuffer", np.array([1], np.int32)), "another version"),
    "loop": (lambda m, g: g.operators.reverse(), "before it is computed"),
    "twice": (lambda m, g: g.operators.append(g.operators[-1]), "written twice"),
    "axis": (lambda m, g: setattr(op(m, g, "CONCATENATION").builtinOptions, "axis", 77), "CONCATENATION"),
    "beta": (lambda m, g: setattr(op(m, g, "SOFTMAX").builtinOptions, "beta", float("nan")), "beta"),
    "options": (lambda m, g: setattr(op(m, g, "SOFTMAX"), "builtinOptionsType", 1), "other options"),
    "activation": (lambda m, g: setattr(op(m, g, "ADD").builtinOptions, "fusedActivationFunction", 5), "ADD"),
    "variable": (lambda m, g: setattr(weights(m, g), "isVariable", True), "kind"),
    "type": (lambda m, g: setattr(weights(m, g), "type", 5), "kind"),
    "dynamic": (
        lambda m, g: setattr(weights(m, g), "shapeSignature", np.array([-1, 4], np.int32)),
        "not known",
    ),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_export_does_not_write_is_refused(change):
    function, words = CHANGES[change]
    with pytest.raises(BridgeError, match=f"where: not a .tflite that mmq-tf writes .*{words}"):
        check_model(changed(function), "where")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e-30, 1e30])
@pytest.mark.parametrize("name", ["ADD", "MUL", "SOFTMAX", "FULLY_CONNECTED", "TANH"])
def test_scales_that_cannot_be_are_refused(scale, name):
    def change(model, graph):
        graph.tensors[op(model, graph, name).outputs[0]].quantization.scale = np.array([scale], np.float32)

    with pytest.raises(BridgeError, match="scale"):
        check_model(changed(change))


@pytest.mark.parametrize("zero", [-129, 128, 2**40])
def test_zero_points_that_cannot_be_are_refused(zero):
    def change(model, graph):
        weights(model, graph).quantization.zeroPoint = np.array([zero], np.int64)

    with pytest.raises(BridgeError, match="zero points"):
        check_model(changed(change))


def test_no_byte_and_no_cut_raises_anything_else():
    """Every 2999th byte set to 0, 0x7f and 0xff, and cuts: refused or read, nothing else."""
    content, refused = bytearray(WHOLE), 0
    for at in range(0, len(content), 2999):
        for value in (0, 0x7F, 0xFF):
            kept, content[at] = content[at], value
            try:
                check_model(bytes(content))
            except BridgeError:
                refused += 1
            content[at] = kept
    assert refused > 3
    for cut in range(0, len(WHOLE), 6007):
        with pytest.raises(BridgeError):
            check_model(WHOLE[:cut])


def test_parts_that_contain_each_other_end(monkeypatch):
    """What is read twice is counted twice."""
    monkeypatch.setattr(tables, "MAX_ELEMENTS", 3000)
    model = schema.ModelT.InitFromPackedBuf(bytearray(WHOLE), 0)
    model.operatorCodes = (model.operatorCodes or [])[:1] * 3000
    builder = Builder(len(WHOLE))
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(BridgeError, match="over and over"):
        check_model(bytes(builder.Output()))


def test_a_bias_of_another_scale_is_refused():
    """LiteRT ends its process on one."""

    def change(model, graph):
        codes = [CODES[code.builtinCode] for code in model.operatorCodes]
        dense = [one for one in graph.operators if codes[one.opcodeIndex] == "FULLY_CONNECTED"]
        bias = next(one.inputs[2] for one in dense if len(one.inputs) == 3 and one.inputs[2] >= 0)
        graph.tensors[bias].quantization.scale = graph.tensors[bias].quantization.scale * np.float32(1.01)

    with pytest.raises(BridgeError, match="a bias of another scale"):
        check_model(changed(change))
