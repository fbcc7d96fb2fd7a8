"""Unmasking payloads (RFC 6455 section 5.3) and validating text as UTF-8 (section 8.1), by code in C.

Autobahn's own code is in Python, or slow to import. The classes here replace it for frames and messages that arrive in
pieces, and have the methods that Autobahn calls.
"""

from __future__ import annotations

from codecs import utf_8_decode

try:
    from websockets.speedups import apply_mask
except ImportError:  # installed without its C extension: there isn't a wheel for every machine
    from websockets.utils import apply_mask

__all__ = ["Unmasking", "Utf8Validation", "apply_mask", "is_utf8"]


def is_utf8(payload: bytes) -> bool:
    """Return whether a whole payload is UTF-8. Test ``isascii`` first, which is far faster and usually true."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


class Utf8Validation:
    """Validates a message that arrives in pieces, with the interface of Autobahn's ``Utf8Validator``."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new message."""
        self._begun = b""
        """The first bytes of an incomplete character."""
        self._octets = 0

    def validate(self, piece: bytes) -> tuple[bool, bool, int, int]:
        """Validate the next piece.

        Returns whether everything is valid so far, whether it ends with a whole character, and how many bytes of this
        piece and of the message are valid.
        """
        kept = len(self._begun)
        data, before = self._begun + piece, self._octets - kept
        try:
            _, valid = utf_8_decode(data, "strict", False)
        except UnicodeDecodeError as problem:
            return False, False, max(0, problem.start - kept), before + problem.start
        self._begun = data[valid:]
        if self._begun[:1] == b"\xed" and self._begun[1:] >= b"\xa0":
            # A surrogate (RFC 3629 section 3), for which Python waits for the third byte.
            return False, False, max(0, valid - kept), before + valid
        self._octets = before + len(data)
        return True, not self._begun, len(piece), self._octets


class Unmasking:
    """Unmasks a frame that arrives in pieces, with the interface of Autobahn's XOR masker."""

    def __init__(self, mask: bytes) -> None:
        self._mask = mask
        self._octets = 0

    def pointer(self) -> int:
        """Return how many bytes have been unmasked."""
        return self._octets

    def process(self, piece: bytes) -> bytes:
        """Return the next piece unmasked."""
        at = self._octets % 4
        self._octets += len(piece)
        return apply_mask(piece, self._mask[at:] + self._mask[:at])
