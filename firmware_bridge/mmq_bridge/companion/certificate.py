# SPDX-License-Identifier: Apache-2.0
"""A certificate that this machine signs itself, for the companion page on a phone in the same network."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mmq_bridge.errors import BridgeError

DAYS = 30
NAME = "mmq companion"
"""Whom a certificate is of, as browsers show it."""
_TIMEOUT_S = 30


@dataclass(frozen=True)
class SelfSigned:
    """A certificate and its key in a folder.

    Attributes
    ----------
    context : ssl.SSLContext
        For a server.
    fingerprint : str
        SHA-256, as browsers show it.
    """

    context: ssl.SSLContext
    fingerprint: str


def own_address(text: str) -> str:
    """Return an address of this machine that others in its network can reach; ``auto`` finds one.

    Raises
    ------
    BridgeError
        When it is no such address.

    Examples
    --------
    >>> own_address("192.168.1.20")
    '192.168.1.20'
    """
    if text == "auto":
        return _found_address()
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise BridgeError(f"--host: expected an IPv4 address of this machine or auto, got {text}.") from None
    if address.is_unspecified or address.is_multicast or address.is_global:
        raise BridgeError(
            f"--host: expected one address of this machine in its own network, got {text}; "
            "auto finds it, and the page is not for the internet."
        )
    return str(address)


def _found_address() -> str:
    """Return the address that packets to the network would carry; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return own_address(str(probe.getsockname()[0]))
        except OSError as error:
            raise BridgeError("--host: this machine is in no network; name its address.") from error


def self_signed(address: str, folder: Path) -> SelfSigned:
    """Make a certificate for an address; its key is left in `folder`.

    The library `cryptography` writes it where it is installed, else the program ``openssl``.

    Parameters
    ----------
    address : str
        From `own_address`.
    folder : Path
        Empty, and its owner's alone.

    Raises
    ------
    BridgeError
        When neither is installed, or what they wrote is no certificate.
    """
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if not _library_wrote(address, key, certificate):
        _program_writes(address, key, certificate)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise BridgeError(f"--host: the certificate made for it cannot be used ({error}).") from error
    content = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
    digest = hashlib.sha256(content).hexdigest().upper()
    return SelfSigned(context, ":".join(digest[i : i + 2] for i in range(0, len(digest), 2)))


def _library_wrote(address: str, key_file: Path, certificate_file: Path) -> bool:
    """Write key and certificate with `cryptography`; False where it is not installed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        return False
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=DAYS))
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    certificate_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return True


def _program_writes(address: str, key_file: Path, certificate_file: Path) -> None:
    """Write key and certificate with ``openssl``."""
    program = shutil.which("openssl")
    if program is None:
        raise BridgeError(
            "--host: HTTPS needs cryptography or openssl, and neither is installed; "
            "run: pip install 'mmq-bridge[sign]'."
        )
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", str(DAYS), "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=IP:{address}"]
    command += ["-keyout", str(key_file), "-out", str(certificate_file)]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise BridgeError(f"--host: openssl made no certificate ({error}).") from error
