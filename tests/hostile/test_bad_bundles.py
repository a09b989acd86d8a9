# SPDX-License-Identifier: Apache-2.0
"""Bundles that were cut short, changed, or forged: refused by name, and nothing crashes."""

import json
import os
import shutil

import mmq_bridge.bundle.cortex_m4f
import mmq_bridge.bundle.sources
import mmq_bridge.bundle.verify
import mmq_bridge.decision.runtime
import numpy as np
import pytest
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError


@pytest.fixture
def copy(tiny_bundle, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_bundle, folder)
    return folder


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    monkeypatch.setattr(mmq_bridge.bundle.sources, "find_compiler", lambda: None)
    monkeypatch.setattr(mmq_bridge.bundle.cortex_m4f, "missing_tools", lambda: ["qemu-system-arm"])


@pytest.fixture
def no_interpreter(monkeypatch):
    """Fail where anything reaches an interpreter or a compiler."""

    def reached(*args, **kwargs):
        raise AssertionError("an interpreter was reached")

    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", reached)
    monkeypatch.setattr(mmq_bridge.bundle.verify, "MicroModel", reached)
    monkeypatch.setattr(mmq_bridge.bundle.verify, "arena_bytes", reached)


def problem(folder):
    report = verify_bundle(folder)
    assert not report.ok
    return report.problems[0]


def edit(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_changed_byte_in_each_file_is_found_and_named(copy, no_interpreter):
    names = sorted(Manifest.load(copy).files)
    assert len(names) > 30
    for name in names:
        path = copy / name
        whole = path.read_bytes()
        at = len(whole) // 2
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert (
            problem(copy) == f"{path}: its SHA-256 is not the manifest's; the file was changed after export."
        )
        path.write_bytes(whole)


def test_a_missing_file_is_named(copy, no_interpreter):
    for name in ("model_int8.tflite", "frontend.json", "golden/ppg_samples.npy", "mmq_bridge/main.c"):
        whole = (copy / name).read_bytes()
        (copy / name).unlink()
        assert str(copy / name) in problem(copy)
        (copy / name).write_bytes(whole)


def test_an_unknown_file_is_named(copy, no_interpreter):
    (copy / "golden/extra.bin").write_bytes(b"x")
    assert f"{copy}/golden/extra.bin: the manifest does not name this file" in problem(copy)


def test_a_file_behind_a_link_is_refused(copy, tmp_path, no_interpreter):
    real = tmp_path / "elsewhere.tflite"
    shutil.move(copy / "model_int8.tflite", real)
    os.symlink(real, copy / "model_int8.tflite")
    assert problem(copy) == f"{copy}/model_int8.tflite: expected a regular file, found a link; remove it."
    (copy / "model_int8.tflite").unlink()
    os.rename(copy / "golden", tmp_path / "golden")
    os.symlink(tmp_path / "golden", copy / "golden")
    assert f"{copy}/golden: expected a regular file" in problem(copy)


@pytest.mark.parametrize("where", ["x", "golden/x", "mmq_bridge/src/network/x", "new/deep/er/x"])
@pytest.mark.parametrize("target", ["/etc", "/etc/passwd", "nowhere", "."])
def test_no_link_at_any_depth_is_followed(copy, no_interpreter, where, target):
    (copy / where).parent.mkdir(parents=True, exist_ok=True)
    (copy / where).symlink_to(target)
    assert problem(copy) == f"{copy / where}: expected a regular file, found a link; remove it."
    with pytest.raises(BridgeError, match="found a link"):
        Device.from_bundle(copy)


def test_a_pipe_in_a_bundle_is_not_waited_for(copy, no_interpreter):
    os.mkfifo(copy / "golden" / "x")
    assert "golden/x: expected a regular file, found a pipe" in problem(copy)


def test_files_that_are_too_large_together_are_refused(copy, no_interpreter):
    edit(
        copy,
        lambda m: m["files"].update({f"f{i}": {"bytes": 6 * 10**7, "sha256": "0" * 64} for i in range(5)}),
    )
    assert "manifest.json: files: at most 256000000 bytes together" in problem(copy)


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/etc/passwd",
        "a/../../b",
        "golden\\x",
        "",
        ".",
        "a//b",
        ".hidden",
        "manifest.json",
        "a\n",
        "é",
    ],
)
def test_a_path_that_leads_outside_is_refused(copy, no_interpreter, name):
    edit(copy, lambda m: m["files"].update({name: {"bytes": 1, "sha256": "0" * 64}}))
    message = problem(copy)
    assert "manifest.json: files" in message
    assert "not a plain path inside the bundle" in message
    with pytest.raises(BridgeError, match="manifest.json: files"):
        Device.from_bundle(copy)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"files": ' + b"9" * 5000 + b"}",
        b'{"bundle_version": 1}',
        b"\x00" * 100,
    ],
)
def test_a_broken_manifest_is_one_sentence(copy, no_interpreter, content):
    (copy / "manifest.json").write_bytes(content)
    message = problem(copy)
    assert message.startswith(f"{copy}/manifest.json: ")
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda m: m.update(bundle_version=2), "bundle_version"),
        (lambda m: m.update(bundle_version=10**400), "bundle_version"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m["decision"].update(every_tokens=10**30), "decision.every_tokens"),
        (lambda m: m["decision"].update(min_present_share=1e308), "decision.min_present_share"),
        (lambda m: m["decision"].update(temperature={"stress": 0}), "decision"),
        (lambda m: m["decision"].update(tasks={"stress": ["a"] * 10_000}), "decision"),
        (lambda m: m["files"]["README.md"].update(bytes=-1), "files.README.md.bytes"),
        (lambda m: m["files"]["README.md"].update(bytes=2**63), "files.README.md.bytes"),
        (lambda m: m["files"]["README.md"].update(sha256="zz"), "files.README.md.sha256"),
        (lambda m: m["model"].update(macs=-5), "model.macs"),
        (lambda m: m.update(files={}), "files"),
        (lambda m: m.update(files={f"f{i}": {"bytes": 0, "sha256": "0" * 64} for i in range(2000)}), "files"),
        (lambda m: m.pop("decision"), "decision"),
    ],
)
def test_impossible_values_are_named(copy, no_interpreter, change, place):
    edit(copy, change)
    assert f"manifest.json: {place}" in problem(copy)


@pytest.mark.parametrize("name", ["manifest.json", "frontend.json"])
@pytest.mark.parametrize("text", ["\x1b[2J", "\ud800", "\x07", "\r"])
def test_texts_that_no_file_holds_or_a_terminal_obeys_are_refused(copy, tiny, no_interpreter, name, text):
    path = copy / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": f"a {text} b"}))
    if name != "manifest.json":
        tiny.sign_again(copy, [name])
    assert f"a text has the character U+{ord(text[0]):04X}" in problem(copy)


def test_numbers_json_does_not_have_are_refused(copy, no_interpreter):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"drop_points": ', '"drop_points": NaN, "x": '))
    assert "manifest.json: " in problem(copy)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6])
def test_a_truncated_model_with_a_forged_digest_never_reaches_an_interpreter(
    copy, tiny, no_interpreter, share
):
    path = copy / "model_int8.tflite"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    tiny.sign_again(copy, ["model_int8.tflite"])
    assert f"{path}: " in problem(copy)
    with pytest.raises(BridgeError, match="model_int8.tflite"):
        Device.from_bundle(copy, runtime="litert")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6])
def test_a_truncated_plan_with_a_forged_digest_is_refused(copy, tiny, share):
    path = copy / "mmq_network.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    tiny.sign_again(copy, ["mmq_network.bin"])
    with pytest.raises(BridgeError, match=r"mmq_network\.bin: it is no plan"):
        Device.from_bundle(copy)


def test_another_kind_of_file_as_model_is_refused(copy, tiny, no_interpreter):
    (copy / "model_float32.tflite").write_bytes(b"PK\x03\x04" * 1000)
    tiny.sign_again(copy, ["model_float32.tflite"])
    assert "model_float32.tflite: " in problem(copy)


def test_a_buffer_index_outside_the_file_is_refused(copy, tiny):
    whole = (copy / "model_int8.tflite").read_bytes()
    with pytest.raises(BridgeError, match="whole"):
        mmq_bridge.decision.runtime.check_flatbuffer(whole[:4] + b"TFL3" + b"\xff" * (len(whole) - 8))


@pytest.mark.parametrize("name", ["frontend.json", "golden/golden.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 50_000, b"\xff", b'{"token_s": 1e999}'])
def test_broken_json_with_a_forged_digest_is_named(copy, tiny, name, content):
    (copy / name).write_bytes(content)
    tiny.sign_again(copy, [name])
    assert f"{copy}/{name}" in problem(copy)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"enrolment_tokens": 2', '"enrolment_tokens": 99999999999'),
        ('"step_s": 1.0', '"step_s": 0'),
        ('"start_s": 0.25', '"start_s": 1e300'),
        ('"ppg"', '"../ppg"'),
    ],
)
def test_golden_index_with_impossible_values_is_named(copy, tiny, old, new):
    path = copy / "golden/golden.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    tiny.sign_again(copy, ["golden/golden.json"])
    assert "golden" in problem(copy)


@pytest.mark.parametrize(
    "name",
    ["features", "window_features", "window_tokens", "ppg_samples", "logits_int8_stress", "decisions"],
)
def test_golden_arrays_that_lie_about_themselves_are_named(copy, tiny, name):
    path = copy / f"golden/{name}.npy"
    whole = path.read_bytes()
    for broken in (
        b"",
        whole[:60],
        whole[:-4],
        whole.replace(b"<f4", b"<f8").replace(b"<i8", b"<i4"),
        whole + b"\0" * 4,
    ):
        path.write_bytes(broken)
        tiny.sign_again(copy, [f"golden/{name}.npy"])
        assert f"golden/{name}.npy" in problem(copy)


def test_a_golden_array_of_another_shape_is_named(copy, tiny):
    shutil.copy(copy / "golden/eda_samples.npy", copy / "golden/window_features.npy")
    tiny.sign_again(copy, ["golden/window_features.npy"])
    assert "golden/window_features.npy: expected float32" in problem(copy)


def test_golden_decisions_about_other_classes_are_named(copy, tiny):
    path = copy / "golden/decisions.npy"
    decisions = np.load(path)
    other = np.dtype([*decisions.dtype.descr[:-1], ("probability", "<f4", (3,))])
    np.save(path, np.zeros(len(decisions), other))
    tiny.sign_again(copy, ["golden/decisions.npy"])
    assert "golden/decisions.npy: expected" in problem(copy)


def test_golden_samples_that_never_fill_a_window_are_named(copy, tiny):
    path = copy / "golden/golden.json"
    path.write_text(path.read_text().replace('"enrolment_tokens": 2', '"enrolment_tokens": 90000'))
    tiny.sign_again(copy, ["golden/golden.json"])
    assert "no window" in problem(copy)


def test_models_swapped_between_bundles_are_found(copy, tiny):
    shutil.copy(copy / "model_float32.tflite", copy / "model_int8.tflite")
    tiny.sign_again(copy, ["model_int8.tflite"])
    assert not verify_bundle(copy).ok


def test_no_folder_a_file_and_an_empty_folder_are_told_apart(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    assert "expected a bundle folder, found none" in problem(tmp_path / "nothing")
    assert "expected a bundle folder, found none" in problem(tmp_path / "file")
    assert "manifest.json: expected a regular file" in problem(tmp_path / "empty")
