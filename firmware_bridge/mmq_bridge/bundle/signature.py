# SPDX-License-Identifier: Apache-2.0
"""The signature of a bundle: Ed25519 over its manifest, which names every file by digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmq_bridge.decision.manifest import SIGNATURE_NAME, read_part
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.files import read_bytes

MAX_KEY_BYTES = 65_536
SIGNATURE_BYTES = 64

Sign = Callable[[bytes], bytes]
"""Returns the signature of a manifest's bytes."""


def load_signer(path: Path) -> Sign:
    """Return what signs with the Ed25519 private key of a PEM file.

    Raises
    ------
    BridgeError
        When `cryptography` is not installed, the file cannot be read, is encrypted, or holds another key.
    """
    serialization, ed25519 = _cryptography()
    content = _key_file(path)
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError as error:
        raise BridgeError(
            f"{path}: the key is encrypted; decrypt it for signing: openssl pkey -in {path} -out plain.pem"
        ) from error
    except Exception as error:  # cryptography raises several kinds for what is no key
        raise BridgeError(f"{path}: expected a PEM file with a private key, found none.") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BridgeError(f"{path}: expected an Ed25519 key: openssl genpkey -algorithm ed25519 -out key.pem")
    return key.sign


def check_signature(folder: Path, manifest: bytes, key: Path) -> str:
    """Check a bundle's signature against the public key of a PEM file; return what is then known.

    Parameters
    ----------
    folder : Path
    manifest : bytes
        Of its ``manifest.json``, as read.
    key : Path

    Raises
    ------
    BridgeError
        When the bundle is not signed, or by another key, or the key cannot be used.
    """
    serialization, ed25519 = _cryptography()
    content = _key_file(key)
    try:
        public = serialization.load_pem_public_key(content)
    except Exception as error:  # cryptography raises several kinds for what is no key
        raise BridgeError(
            f"{key}: expected a PEM file with a public key: openssl pkey -in key.pem -pubout -out pub.pem"
        ) from error
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise BridgeError(f"{key}: expected an Ed25519 public key, found another kind.")
    place = folder / SIGNATURE_NAME
    if not place.exists():
        raise BridgeError(f"{place}: the bundle is not signed; do not use it, or verify without --key.")
    signature = read_part(place, SIGNATURE_BYTES)
    try:
        public.verify(signature, manifest)
    except Exception as error:  # InvalidSignature, or a length that cannot be
        raise BridgeError(f"{place}: not signed with the key {key}; do not use this bundle.") from error
    return f"signed with {key}"


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise BridgeError("signatures need cryptography; run: pip install 'mmq-bridge[sign]'.") from error
    return serialization, ed25519


def _key_file(path: Path) -> bytes:
    if not path.is_file():
        raise BridgeError(f"{path}: expected a PEM file with a key, found none.")
    return read_bytes(path, MAX_KEY_BYTES)
