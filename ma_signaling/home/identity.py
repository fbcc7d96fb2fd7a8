"""The home's certificate, kept in a file, and the Remote ID that follows from it."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiortc import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ma_signaling.core import remote_id

FILE = "home.pem"
_LIFETIME = timedelta(days=100 * 365)
"""Clients ignore the validity: they compare the fingerprint."""


class IdentityError(Exception):
    """Raised if the file can't be read, written or parsed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate of a home, and its Remote ID."""

    certificate: RTCCertificate
    remote_id: str
    is_new: bool
    """Whether it was made just now."""


def load_or_create(directory: Path) -> Identity:
    """Return the identity in ``directory``; make one if there is none. Raises ``IdentityError``."""
    path = directory / FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise IdentityError(f"{directory} is not a directory") from None
    except OSError as problem:
        raise IdentityError(f"{directory}: {problem.strerror or problem}") from None
    try:
        is_new = not path.exists()
        if is_new:
            _write(path, _make())
        # It may have another owner, or be read-only, such as a container's secret.
        with contextlib.suppress(OSError):
            path.chmod(0o600)
        return _read(path.read_bytes(), is_new=is_new)
    except OSError as problem:
        raise IdentityError(f"{path}: {problem.strerror or problem}") from None
    except Exception:  # noqa: BLE001 - the library has many exceptions for what is no certificate
        raise IdentityError(f"{path}: no certificate with its key, in PEM") from None


def _make() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    # A WebRTC certificate must not identify its owner (RFC 8827 section 6.5).
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(16))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically, readable only by its owner."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _read(content: bytes, *, is_new: bool) -> Identity:
    key = load_pem_private_key(content, None)
    certificate = x509.load_pem_x509_certificate(content)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("another key")
    name = remote_id.from_fingerprint(certificate.fingerprint(SHA256()).hex())
    return Identity(RTCCertificate(key, certificate), name, is_new)
