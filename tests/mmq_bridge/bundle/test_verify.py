# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import mmq_bridge.bundle.sources
import numpy as np
import pytest
from mmq_bridge.bundle import cortex_m4f
from mmq_bridge.bundle.example_run import find_compiler, parse_output
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.errors import BridgeError


@pytest.fixture(scope="module")
def report(tiny_bundle):
    return verify_bundle(tiny_bundle)


@pytest.fixture
def copy(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(mmq_bridge.bundle.sources, "find_compiler", lambda: None)  # compiling takes seconds
    monkeypatch.setattr(cortex_m4f, "missing_tools", lambda: ["qemu-system-arm"])
    folder = tmp_path / "copy"
    shutil.copytree(tiny_bundle, folder)
    return folder


def states(report):
    return {check.name: check.state for check in report.checks}


def test_a_whole_bundle_passes_every_check(report, tiny_bundle):
    assert report.ok
    assert report.problems == []
    wanted = "ok" if find_compiler() else "skipped"
    emulated = "skipped" if cortex_m4f.missing_tools() else "ok"
    assert states(report) == {
        "files": "ok",
        "runtime": "ok",
        "contents": "ok",
        "operations and size": "ok",
        "C core": "ok",
        "LiteRT int8": "ok",
        "LiteRT int8_float_io": "ok",
        "LiteRT float32": "ok",
        "TFLite Micro": "ok",
        "C network": "ok",
        "C decisions": "ok",
        "C source: model array": "ok",
        "C source: text": "ok",
        "C source: example": wanted,
        "C source: Cortex-M4F": emulated,
    }


def test_the_report_holds_sizes_operations_and_agreement(report, tiny_bundle):
    assert report.numbers["bytes"] == (tiny_bundle / "model_int8.tflite").stat().st_size
    assert report.numbers["macs"] == 976
    assert 500 < report.numbers["arena_bytes"] < 20_000
    assert report.ops == {"ADD": 1, "FULLY_CONNECTED": 3, "RESHAPE": 3}
    assert report.agreement["int8 / int8 float io"] >= 0.97
    assert report.agreement["int8 / TFLite Micro"] >= 0.97
    assert report.agreement["float32 / int8"] > 0.85
    content = json.loads(json.dumps(report.to_dict()))
    assert content["ok"]
    assert content["simulated"]
    assert content["macs"] == 976


def test_other_core_bits_are_found_and_measured(copy, tiny):
    path = copy / "golden/features.npy"
    features = np.load(path)
    features[3, 2] = np.nextafter(features[3, 2], np.float32(9))
    np.save(path, features)
    tiny.sign_again(copy, ["golden/features.npy"])
    report = verify_bundle(copy)
    assert states(report)["C core"] == "failed"
    assert "golden/features.npy: the C core computes other values" in report.problems[0]


def test_filters_that_the_settings_do_not_design_are_found(copy, tiny):
    path = copy / "frontend.json"
    content = json.loads(path.read_text())
    bank = content["modalities"]["ppg"]["filters"]["bank"]
    bank[0][0] = float(np.float32(bank[0][0] * 1.01))
    path.write_text(json.dumps(content))
    tiny.sign_again(copy, ["frontend.json"])
    report = verify_bundle(copy)
    assert states(report) == {"files": "ok", "runtime": "ok", "contents": "failed"}
    assert report.problems == [
        f"{path}: ppg.filters.bank are not the coefficients that its settings design; export again."
    ]


def test_a_runtime_that_computes_wrongly_is_found_by_the_golden_logits(copy, tiny):
    path = copy / "golden/logits_int8_stress.npy"
    np.save(path, np.load(path) + 5.0)
    tiny.sign_again(copy, ["golden/logits_int8_stress.npy"])
    report = verify_bundle(copy)
    failed = [name for name, state in states(report).items() if state == "failed"]
    assert failed == ["LiteRT int8", "LiteRT int8_float_io", "TFLite Micro"]
    assert "use a runtime the bundle's README names" in report.problems[0]


def test_one_decision_of_another_bit_is_found(copy, tiny):
    path = copy / "golden/decisions.npy"
    decisions = np.load(path)
    assert list(decisions["abstention"][:5]) == [1, 2, 2, 2, 2]  # enrolling, then filling the first window
    np.testing.assert_allclose(decisions["probability"].sum(axis=1), [0] * 5 + [1] * 7, rtol=1e-6)
    decisions["probability"][-2] = np.nextafter(decisions["probability"][-2], np.float32(9))
    np.save(path, decisions)
    tiny.sign_again(copy, ["golden/decisions.npy"])
    report = verify_bundle(copy)
    assert [name for name, state in states(report).items() if state == "failed"] == ["C decisions"]
    assert report.problems == [
        f"{path}: the network in C decides otherwise about token {decisions['number'][-2]}; export again."
    ]


def test_bundles_from_before_golden_decisions_still_verify(copy, tiny):
    (copy / "golden/decisions.npy").unlink()
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["golden/decisions.npy"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    report = verify_bundle(copy)
    assert report.ok
    (row,) = (check for check in report.checks if check.name == "C decisions")
    assert (row.state, row.detail.rpartition(": ")[2]) == (
        "skipped",
        "exported before bundles had golden decisions",
    )


def test_another_model_in_the_array_is_found(copy, tiny):
    path = copy / "mmq_bridge/mmq_model.c"
    path.write_bytes(path.read_bytes().replace(b"0x54, 0x46, 0x4c, 0x33", b"0x54, 0x46, 0x4c, 0x34"))
    tiny.sign_again(copy, ["mmq_bridge/mmq_model.c"])
    report = verify_bundle(copy)
    assert states(report)["C source: model array"] == "failed"


@pytest.mark.parametrize(
    "name",
    [
        "mmq_bridge/main.c",
        "mmq_bridge/mmq_spec.h",
        "mmq_bridge/mmq_model.h",
        "mmq_bridge/src/bridge.c",
        "mmq_bridge/cortex_m4f/toolchain.cmake",
    ],
)
def test_code_that_mmq_tf_did_not_write_is_never_compiled(copy, tiny, monkeypatch, name):
    monkeypatch.setattr(mmq_bridge.bundle.sources, "find_compiler", lambda: "cc")
    monkeypatch.setattr(mmq_bridge.bundle.sources, "run_example", lambda *args: pytest.fail("compiled"))
    monkeypatch.setattr(cortex_m4f, "missing_tools", list)
    monkeypatch.setattr(cortex_m4f, "run_example", lambda *args: pytest.fail("compiled"))
    path = copy / name
    path.write_text(path.read_text() + "\nint surprise;\n")
    tiny.sign_again(copy, [name])
    report = verify_bundle(copy)
    assert states(report)["C source: text"] == "failed"
    assert f"{name} is not what mmq-tf" in report.problems[0]
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["versions"]["mmq-tf"] = "0.0.1"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    report = verify_bundle(copy)
    assert report.ok
    assert states(report)["C source: text"] == "skipped"


def test_an_added_source_file_is_never_compiled(copy, tiny, monkeypatch):
    monkeypatch.setattr(mmq_bridge.bundle.sources, "find_compiler", lambda: "cc")
    monkeypatch.setattr(mmq_bridge.bundle.sources, "run_example", lambda *args: pytest.fail("compiled"))
    monkeypatch.setattr(cortex_m4f, "missing_tools", list)
    monkeypatch.setattr(cortex_m4f, "run_example", lambda *args: pytest.fail("compiled"))
    (copy / "mmq_bridge/src/extra.c").write_text("int surprise;\n")
    tiny.sign_again(copy, ["mmq_bridge/src/extra.c"])
    assert "src/extra.c is not what mmq-tf" in verify_bundle(copy).problems[0]


def test_without_a_compiler_the_example_is_skipped(tiny_bundle, monkeypatch):
    monkeypatch.setattr(mmq_bridge.bundle.sources, "find_compiler", lambda: None)
    monkeypatch.setattr(cortex_m4f, "missing_tools", lambda: ["cmake", "qemu-system-arm"])
    report = verify_bundle(tiny_bundle)
    assert report.ok
    assert states(report)["C source: example"] == "skipped"
    last = report.checks[-1]
    assert (last.name, last.state) == ("C source: Cortex-M4F", "skipped")
    assert last.detail.startswith("cmake, qemu-system-arm not found: apt install ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token 0 | 1 | 3f800000\n",
        "nonsense\n",
        "token 0 | x | 1\n",
        "token 0 | 1 | zz\n",
        "token 0 | 1 | 0\nwindow 1 | 1 | 1\ndecision 0 | 1 | 0\n",
    ],
)
def test_other_output_of_the_example_is_refused(text):
    with pytest.raises(BridgeError, match="printed something unexpected"):
        parse_output(text)


def test_macs_or_operations_that_the_model_has_not_are_found(copy):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["macs"] = 1
    path.write_text(json.dumps(manifest))
    report = verify_bundle(copy)
    assert "operations or MACs are not those" in report.problems[0]
