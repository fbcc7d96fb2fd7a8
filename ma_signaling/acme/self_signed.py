"""Self-signed certificates: one that answers a challenge, and a placeholder until a CA has issued one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PLACEHOLDER = "ma-signaling placeholder"
"""The subject of a placeholder."""

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""The extension for a challenge (RFC 8737 section 3): a digest as an octet string of 32 bytes."""


def make_placeholder(names: Sequence[str]) -> bytes:
    """Return a placeholder and its key in PEM, valid for one day, so that certificate monitoring complains."""
    certificate, key = _sign(PLACEHOLDER, names, None)
    return to_pem(key) + certificate.public_bytes(Encoding.PEM)


def answer_challenge(name: str, authorization: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the certificate, and its key, that answers a challenge tls-alpn-01 (RFC 8737)."""
    digest = b"\x04\x20" + sha256(authorization.encode()).digest()
    return _sign("ACME challenge", [name], x509.UnrecognizedExtension(ACME_IDENTIFIER, digest))


def to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _sign(
    subject: str, names: Sequence[str], extension: x509.UnrecognizedExtension | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key, hashes.SHA256()), key
