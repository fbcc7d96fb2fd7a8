"""A NATS credentials file (.creds): a JWT, and the Ed25519 seed that proves it is ours.

nats-py reads it with ``nkeys``, which comes without a wheel; cryptography is here anyway. The form is that of
https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth: base32 of two bytes of
prefix, 32 of seed, two of checksum.
"""

from __future__ import annotations

import re
from base64 import b32decode, b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_BLOCK = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s*(\S+)\s*-{3,}END [A-Z ]+-{3,}")

_USER_SEED = b"SU"


class Credentials:
    """Who this node is, for a NATS server."""

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
            raise ValueError("its seed is no user's")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[2:34])

    def jwt(self) -> bytes:
        """What the server knows this node by."""
        return self._jwt

    def sign(self, nonce: str) -> bytes:
        """The proof, for what the server has made up."""
        return b64encode(self._key.sign(nonce.encode()))
