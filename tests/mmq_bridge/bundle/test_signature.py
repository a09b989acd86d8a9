# SPDX-License-Identifier: Apache-2.0
"""Signed bundles: what the key says, and what it refuses."""

import json
import shutil
import sys

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from mmq_bridge.bundle.signature import check_signature, load_signer
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.companion.server import served_files
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, read_manifest
from mmq_bridge.errors import BridgeError
from mmq_export.folder import write_folder

from mmq_tf import pretrained

PEM, PRIVATE = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def key_files(folder, name, key, password=None):
    """Write a private key and its public one; return their paths."""
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}_pub.pem"
    private.write_bytes(key.private_bytes(PEM, PRIVATE, hidden))
    public.write_bytes(key.public_key().public_bytes(PEM, PUBLIC))
    return private, public


@pytest.fixture
def keys(tmp_path):
    return key_files(tmp_path, "ours", ed25519.Ed25519PrivateKey.generate())


@pytest.fixture
def signed(tmp_path, keys):
    """A signed copy of the shipped bundle, and the key to check it with."""
    shipped = pretrained.path("wrist-stress")
    manifest = Manifest.load(shipped)
    files = {name: manifest.read(shipped, name) for name in manifest.files}
    write_folder(tmp_path / "signed", files, manifest, load_signer(keys[0]))
    return tmp_path / "signed", keys[1]


def first_problem(folder, key):
    report = verify_bundle(folder, key)
    assert [check.name for check in report.checks] == ["signature"], "nothing is read of what is not signed"
    return report.problems[0]


def check(folder, key):
    return check_signature(folder, read_manifest(folder), key)


def test_what_was_signed_is_known_by_the_key_and_used_as_ever(signed, tmp_path):
    folder, public = signed
    assert len((folder / SIGNATURE_NAME).read_bytes()) == 64
    assert check(folder, public) == f"signed with {public}"
    assert Device.from_bundle(folder).decision.tasks
    assert f"/bundle/{SIGNATURE_NAME}" not in served_files(folder)
    files = {name: Manifest.load(folder).read(folder, name) for name in Manifest.load(folder).files}
    write_folder(tmp_path / "again", files, Manifest.load(folder), None)
    assert not (tmp_path / "again" / SIGNATURE_NAME).exists()


def test_a_changed_manifest_is_not_what_was_signed(signed):
    folder, public = signed
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["decision"]["min_present_share"] = 0.2
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    assert "not signed with the key" in first_problem(folder, public)


def test_a_changed_file_is_found_by_the_manifest_that_was_signed(signed):
    folder, public = signed
    (folder / "frontend.json").write_bytes(b"{}")
    report = verify_bundle(folder, public)
    assert [check.state for check in report.checks] == ["ok", "failed"]
    assert "frontend.json" in report.problems[0]


def test_another_key_no_signature_and_a_broken_one_are_refused(signed, tmp_path):
    folder, public = signed
    other = key_files(tmp_path, "other", ed25519.Ed25519PrivateKey.generate())[1]
    assert "not signed with the key" in first_problem(folder, other)
    whole = (folder / SIGNATURE_NAME).read_bytes()
    for broken in (b"", whole[:-1], bytes(64)):
        (folder / SIGNATURE_NAME).write_bytes(broken)
        assert "not signed with the key" in first_problem(folder, public)
    (folder / SIGNATURE_NAME).write_bytes(whole + b"x")
    assert "expected at most 64 bytes" in first_problem(folder, public)
    (folder / SIGNATURE_NAME).unlink()
    assert "the bundle is not signed" in first_problem(folder, public)


def test_no_file_of_a_bundle_may_take_the_signatures_name(signed):
    folder, _ = signed
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["files"][SIGNATURE_NAME] = {"bytes": 64, "sha256": "0" * 64}
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    with pytest.raises(BridgeError, match="not a plain path"):
        Manifest.load(folder)


def test_keys_that_cannot_sign_are_named(tmp_path, keys):
    sealed, _ = key_files(tmp_path, "sealed", ed25519.Ed25519PrivateKey.generate(), b"secret")
    with pytest.raises(BridgeError, match="sealed.pem: the key is encrypted; decrypt it"):
        load_signer(sealed)
    curve, curve_public = key_files(tmp_path, "curve", ec.generate_private_key(ec.SECP256R1()))
    for wrong, words in ((curve, "expected an Ed25519 key"), (keys[1], "a private key, found none")):
        with pytest.raises(BridgeError, match=words):
            load_signer(wrong)
    (tmp_path / "large.pem").write_bytes(b"x" * 100_000)
    for wrong in (tmp_path / "none.pem", tmp_path, tmp_path / "large.pem"):
        with pytest.raises(BridgeError, match="expected"):
            load_signer(wrong)
    shipped = pretrained.path("wrist-stress")
    for wrong, words in ((curve_public, "found another kind"), (keys[0], "a public key")):
        with pytest.raises(BridgeError, match=words):
            check(shipped, wrong)


def test_without_cryptography_a_sentence_says_what_to_install(keys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BridgeError, match=r"mmq-bridge\[sign\]"):
        load_signer(keys[0])


def test_the_commands_sign_and_check(tmp_path, keys, monkeypatch):
    from mmq_tf.cli.verify import command as verify

    shipped = shutil.copytree(pretrained.path("wrist-stress"), tmp_path / "unsigned")
    result = CliRunner().invoke(verify, [str(shipped), "--key", str(keys[1])])
    assert "the bundle is not signed" in str(result.exception)
    from mmq_tf.cli.export import command as export

    monkeypatch.setattr("mmq_export.add_sources.code_of", lambda bundle: {})
    out = tmp_path / "out"
    arguments = ["--pretrained", "wrist-stress", "--out", str(out), "--sign", str(keys[0])]
    assert CliRunner().invoke(export, arguments, catch_exceptions=False).exit_code == 0
    assert check(out, keys[1])
