"""Operators, accounts and users of NATS (docs.nats.io, *JWT*): keys, tokens and credentials files."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SEED, USER, ACCOUNT, OPERATOR = 18 << 3, 20 << 3, 0, 14 << 3


class Identity:
    """A key pair of an operator, an account or a user."""

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """Return its public key, which is its name."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _encode(bytes([self._kind]) + raw)

    @property
    def seed(self) -> str:
        """Return its secret seed."""
        raw = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return _encode(bytes([SEED | self._kind >> 5, (self._kind & 31) << 3]) + raw)

    def vouch(self, name: str, other: Identity, claims: dict[str, Any]) -> str:
        """Return a token that this identity signs, with claims about ``other`` (which may be itself)."""
        body = {
            "jti": name,
            "iat": int(time.time()),
            "iss": self.public,
            "name": name,
            "sub": other.public,
            "nats": {"version": 2, **claims},
        }
        signed = _part({"typ": "JWT", "alg": "ed25519-nkey"}) + "." + _part(body)
        return signed + "." + _text(self._key.sign(signed.encode()))


def operator_mode() -> tuple[str, str]:
    """Return a server's configuration, and a credentials file that it accepts."""
    operator, account, user = Identity(OPERATOR), Identity(ACCOUNT), Identity(USER)
    limits = {"subs": -1, "data": -1, "payload": -1}
    everything = {"imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    claims = {"type": "account", "limits": {**limits, **everything}}
    configuration = (
        f"operator: {operator.vouch('operator', operator, {'type': 'operator'})}\n"
        "resolver: MEMORY\n"
        f"resolver_preload: {{ {account.public}: {operator.vouch('account', account, claims)} }}\n"
    )
    token = account.vouch("user", user, {"type": "user", "pub": {}, "sub": {}, **limits})
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return configuration, credentials


def _encode(raw: bytes) -> str:
    # The checksum is CRC-16/XMODEM, low byte first.
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
