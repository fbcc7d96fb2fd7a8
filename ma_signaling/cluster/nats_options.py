"""How this node authenticates with a NATS server, from the settings: a credentials file, a token, TLS.

A credentials file (.creds) holds a JWT, and the Ed25519 seed that proves that it is ours. nats-py reads it with
``nkeys``, for which there is no wheel; cryptography is installed anyway. The format is that of
https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth: in base32, two bytes of
prefix, 32 of seed, two of checksum.
"""

from __future__ import annotations

import re
import ssl
from base64 import b32decode, b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import read_regular
from ma_signaling.config.settings import Settings

_BLOCK = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s*(\S+)\s*-{3,}END [A-Z ]+-{3,}")

_USER_SEED = b"SU"


class Credentials:
    """The identity of this node for a NATS server."""

    def __init__(self, text: str) -> None:
        """Parse the text of a credentials file. Raises ValueError, which says what is wrong."""
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


def nats_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments with which nats-py's ``connect`` authenticates.

    Raises ``CannotStart`` if a file can't be read or used.
    """
    options: dict[str, Any] = {}
    if settings.nats_credentials:
        try:
            credentials = Credentials(_read("--nats-credentials", settings.nats_credentials))
        except ValueError as problem:
            path = settings.nats_credentials
            raise CannotStart(f"--nats-credentials: {path} is not usable: {problem}") from None
        options |= {"user_jwt_cb": credentials.jwt, "signature_cb": credentials.sign}
    if settings.nats_token_file:
        options["token"] = _read("--nats-token-file", settings.nats_token_file)
        if not options["token"]:
            raise CannotStart(f"--nats-token-file: {settings.nats_token_file} is empty")
    if settings.nats_ca or any(url.startswith("tls:") for url in settings.nats_url):
        if settings.nats_ca:
            _read("--nats-ca", settings.nats_ca)
        try:
            options["tls"] = ssl.create_default_context(cafile=settings.nats_ca or None)
        except ssl.SSLError:
            raise CannotStart(f"--nats-ca: {settings.nats_ca} is not a certificate") from None
    return options


def _read(option: str, path: str) -> str:
    try:
        return read_regular(Path(path)).decode("ascii").strip()
    except OSError as problem:
        raise CannotStart(f"{option}: {path} cannot be read: {problem.strerror}") from None
    except ValueError:
        raise CannotStart(f"{option}: {path} is not ASCII text") from None
