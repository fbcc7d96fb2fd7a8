"""Certificates for tests."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes

SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def make_certificate(key_path: Path, certificate_path: Path) -> bytes:
    """Write a self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_key(key_path, key)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    certificate_path.write_bytes(pem)
    return pem


def write_key(path: Path, key: PrivateKeyTypes, password: bytes | None = None) -> None:
    """Write a private key in PEM, encrypted with ``password`` if there is one."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )


class Authority:
    """Issues certificates for localhost as public CAs do: by an intermediate that its root has signed."""

    def __init__(self) -> None:
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._sign("Root", self._root_key.public_key(), None, self._root_key, 3650, is_ca=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(
            "Intermediate", self._key.public_key(), self._root, self._root_key, 1825, is_ca=True
        )
        self.root = self._root.public_bytes(serialization.Encoding.PEM).decode()
        """The root certificate, which a client must trust, in PEM."""

    def issue(
        self,
        certificate_path: Path,
        key_path: Path,
        *,
        days: float = 90,
        begins: float = -200,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> int:
        """Write a certificate, valid from ``begins`` to ``days`` from now, its chain and its key; return its number."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        leaf = self._sign(
            "localhost", key.public_key(), self._certificate, self._key, days, begins, is_ca=False
        )
        self.write_chain(certificate_path, leaf, self._certificate)
        write_key(key_path, key)
        return leaf.serial_number

    def certify(self, certificate_path: Path, key: CertificatePublicKeyTypes) -> None:
        """Write a certificate for any key."""
        leaf = self._sign("localhost", key, self._certificate, self._key, 90, is_ca=False)
        self.write_chain(certificate_path, leaf, self._certificate)

    @staticmethod
    def write_chain(path: Path, *chain: x509.Certificate) -> None:
        """Write certificates in this order."""
        path.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain))

    @staticmethod
    def _sign(
        name: str,
        public_key: CertificatePublicKeyTypes,
        issuer: x509.Certificate | None,
        issuer_key: ec.EllipticCurvePrivateKey,
        days: float,
        begins: float = -200,
        *,
        is_ca: bool,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            # RFC 5280 requires this, and Python since 3.13 checks it.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
            )
        )
        if is_ca:
            builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        else:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
            )
        return builder.sign(issuer_key, hashes.SHA256())


def damaged(pem: bytes) -> Iterator[bytes]:
    """Yield a certificate in PEM with each of its bytes changed, and with one extension twice."""
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    constraints, names = b"\x55\x1d\x13", b"\x55\x1d\x11"
    assert constraints in der
    yield _as_pem(der.replace(constraints, names))
    for place in range(len(der)):
        yield _as_pem(der[:place] + bytes((der[place] ^ 0x15,)) + der[place + 1 :])


def _as_pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"
