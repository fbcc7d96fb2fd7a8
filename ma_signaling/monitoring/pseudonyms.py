"""Pseudonyms for the log: a keyed hash, for Remote IDs preceded by their first four characters."""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_bytes

KEY_BYTES = 32


class Pseudonyms:
    """Hashes with a random key: a name keeps its pseudonym until this process ends."""

    def __init__(self) -> None:
        self._key = token_bytes(KEY_BYTES)

    def of(self, text: str) -> str:
        """Return eight hexadecimal digits that stand for ``text``."""
        return blake2b(text.encode(), key=self._key, digest_size=4).hexdigest()

    def of_remote_id(self, remote_id: str) -> str:
        """Return a pseudonym such as ``ABCD…1a2b3c4d``."""
        return f"{remote_id[:4]}…{self.of(remote_id)}"
