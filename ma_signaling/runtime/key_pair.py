"""A certificate and its private key, read from two files, and refused if no client could use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ma_signaling.config.files import read_regular


class BadPair(Exception):
    """Raised for a certificate and a key that can't be used; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain, the certificate itself first, and its private key; ``content`` is that of both files."""

    chain: Sequence[x509.Certificate]
    key: PrivateKeyTypes
    content: bytes = field(repr=False)

    def invalidity(self, now: float) -> str | None:
        """Return why the certificate is invalid at this Unix time, None if it is valid."""
        certificate = self.chain[0]
        if certificate.not_valid_before_utc.timestamp() > now:
            begin = readable(certificate.not_valid_before_utc)
            return f"is not valid before {begin}: clients refuse it until then"
        if certificate.not_valid_after_utc.timestamp() <= now:
            return f"expired on {readable(certificate.not_valid_after_utc)}: clients refuse it"
        return None


def readable(moment: datetime) -> str:
    """Return a UTC time as text for the log."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def read_pair(certificate_path: Path, key_path: Path) -> KeyPair:
    """Read two PEM files (one file twice will do). Raises ``BadPair``."""
    return parse_pair(_read(certificate_path), _read(key_path), certificate_path, key_path)


def parse_pair(certificate_pem: bytes, key_pem: bytes, certificate_path: Path, key_path: Path) -> KeyPair:
    """Return the pair in the content of two PEM files; the paths are for errors. Raises ``BadPair``."""
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
        certified = chain[0].public_key()
    except Exception:  # noqa: BLE001 - the library has many exceptions for what is no certificate
        raise BadPair(f"{certificate_path} holds no certificate in PEM that can be read") from None
    try:
        key = load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise BadPair(
            f"the key in {key_path} is encrypted, and nobody is there to type its password"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadPair(f"{key_path} holds no private key in PEM that can be read") from None
    if key.public_key() != certified:
        raise BadPair(f"the key in {key_path} is not that of the first certificate in {certificate_path}")
    return KeyPair(chain, key, certificate_pem + key_pem)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as problem:
        raise BadPair(f"{path} cannot be read: {problem.strerror}") from None


Stamp = Sequence[tuple[int, ...] | None]
"""Identifies the content of files without reading them; None for a file that doesn't exist."""


def stamp_of(*paths: Path) -> Stamp:
    """Return the stamp of files as they are now, through symbolic links."""
    return [_stamp(path) for path in paths]


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
