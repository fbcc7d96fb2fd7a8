"""How a NATS server lets this node in: a credentials file, a token, TLS; all from the settings.

A credentials file (.creds) holds a JWT, and the Ed25519 seed that proves that it is ours. The form is that of
https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth: base32 of two bytes of
prefix, 32 of seed, two of checksum.
"""

from __future__ import annotations

import re
from base64 import b32decode, b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import read_regular
from ma_signaling.config.settings import Settings

_BLOCK = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s*(\S+)\s*-{3,}END [A-Z ]+-{3,}")

_USER_SEED = b"SU"


class Credentials:
    """The identity of this node for a NATS server."""

    def __init__(self, text: str) -> None:
        """Take a file's content. Raises ValueError."""
        blocks = dict(_BLOCK.findall(text))
        try:
            self._jwt: bytes = blocks["NATS USER JWT"].encode()
            seed: bytes = blocks["USER NKEY SEED"].encode()
        except KeyError as missing:
            raise ValueError(f"it has no {missing.args[0]}") from None
        raw = b32decode(seed + b"=" * (-len(seed) % 8))
        if not seed.startswith(_USER_SEED) or len(raw) != 36:
            raise ValueError("its seed is not a user's")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[2:34])

    def jwt(self) -> bytes:
        """Return the token by which the server knows this node."""
        return self._jwt

    def sign(self, nonce: str) -> bytes:
        """Return the signature of the server's nonce, in base64."""
        return b64encode(self._key.sign(nonce.encode()))


class Login:
    """How this node is let in."""

    def __init__(self, settings: Settings) -> None:
        """Read what the settings name. Raises ``CannotStart``."""
        self._credentials: Credentials | None = None
        if settings.nats_credentials:
            try:
                self._credentials = Credentials(_read("--nats-credentials", settings.nats_credentials))
            except ValueError as problem:
                path = settings.nats_credentials
                raise CannotStart(f"--nats-credentials: {path} is not usable: {problem}") from None
        self._token = _read("--nats-token-file", settings.nats_token_file) if settings.nats_token_file else ""
        self._trusted = None
        if settings.nats_ca:
            try:
                self._trusted = _authorities(_read("--nats-ca", settings.nats_ca))
            except ValueError:
                raise CannotStart(f"--nats-ca: {settings.nats_ca} is not a certificate") from None

    def answer(self, info: dict[str, Any]) -> dict[str, Any]:
        """Return what proves who this is, for the ``INFO`` of a server: nothing where it doesn't ask."""
        if not info.get("auth_required"):
            return {}
        if self._credentials is not None and "nonce" in info:
            return {
                "jwt": self._credentials.jwt().decode(),
                "sig": self._credentials.sign(info["nonce"]).decode(),
            }
        return {"auth_token": self._token} if self._token else {}

    def tls(self, host: str) -> Any:
        """Return what a transport needs to speak TLS with a server called ``host``."""
        return optionsForClientTLS(host, self._trusted)


def _authorities(text: str) -> Any:
    """Return the certificates of a PEM file as those to trust. Raises ValueError."""
    found = load_pem_x509_certificates(text.encode())
    make: Any = Certificate
    trust: Any = trustRootFromCertificates
    return trust([make(X509.from_cryptography(each)) for each in found])


def _read(option: str, path: str) -> str:
    try:
        return read_regular(Path(path)).decode("ascii").strip()
    except OSError as problem:
        raise CannotStart(f"{option}: {path} cannot be read: {problem.strerror}") from None
    except ValueError:
        raise CannotStart(f"{option}: {path} is not ASCII text") from None
