"""The forms of Remote IDs.

A Remote ID today is 26 characters: unpadded base32 of the first 16 bytes of the SHA-256 of the home's DTLS certificate,
with every ``2`` written as ``9``. Older homes use ``MA-X7K9-P2M4``. Any short token of letters, digits, ``-`` and ``_``
works, in either case.
"""

from __future__ import annotations

import re
from base64 import b32encode

from ma_signaling.core.errors import INVALID_REMOTE_ID, REMOTE_ID_REQUIRED, Refused

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FINGERPRINT = re.compile(r"[A-Z3-79]{26}")


def normalise(value: object) -> str:
    """Return the Remote ID in ``value`` as it is returned to its home: trimmed, upper case.

    Raises ``Refused`` with ``REMOTE_ID_REQUIRED`` (missing, empty, no string) or ``INVALID_REMOTE_ID``.
    """
    if not isinstance(value, str):
        raise Refused(REMOTE_ID_REQUIRED)
    token = value.strip()
    if not token:
        raise Refused(REMOTE_ID_REQUIRED)
    if not _TOKEN.fullmatch(token):
        raise Refused(INVALID_REMOTE_ID)
    return token.upper()


def canonical(name: str) -> str:
    """Return the canonical form of a normalised Remote ID, by which its home is known.

    Music Assistant's settings page shows today's form with hyphens, which the home itself doesn't register.
    """
    if "-" not in name:
        return name
    plain = name.replace("-", "")
    return plain if is_fingerprint(plain) else name


def wanted(value: object) -> str:
    """Return the canonical form of the Remote ID in ``value``. Raises ``Refused`` as ``normalise`` does."""
    return canonical(normalise(value))


def named(text: str) -> str:
    """Return the canonical Remote ID in an operator's ``text``; if it is none, the text in upper case."""
    try:
        return wanted(text)
    except Refused:
        return text.upper()


def is_fingerprint(name: str) -> bool:
    """Return whether a normalised Remote ID has today's form, which can be checked against a certificate."""
    return _FINGERPRINT.fullmatch(name) is not None


def from_fingerprint(fingerprint: str) -> str:
    """Return the Remote ID of the certificate with this SHA-256 (``AB:CD:…``). Raises ValueError."""
    digest = bytes.fromhex(fingerprint.replace(":", ""))
    return b32encode(digest[:16]).decode().rstrip("=").replace("2", "9")
