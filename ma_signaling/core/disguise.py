"""How the log shows what is half a secret: a keyed hash, for a Remote ID after its first four characters."""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_bytes


class Disguise:
    """A key, and what it makes of names. The same name looks the same for as long as the key is kept."""

    KEY_BYTES = 32

    def __init__(self) -> None:
        self.key = token_bytes(self.KEY_BYTES)

    def of(self, text: str) -> str:
        """Eight hexadecimal digits that stand for ``text``."""
        return blake2b(text.encode(), key=self.key, digest_size=4).hexdigest()

    def of_remote_id(self, remote_id: str) -> str:
        """Such as ``ABCD…1a2b3c4d``."""
        return f"{remote_id[:4]}…{self.of(remote_id)}"
