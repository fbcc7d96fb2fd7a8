"""Counts of ICE candidates by type, transport and address family; addresses aren't kept.

A candidate is ``[a=]candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE …`` (RFC 8839 section 5.1).
"""

from __future__ import annotations

from typing import Any

TYPES = ("host", "srflx", "prflx", "relay")
TRANSPORTS = ("udp", "tcp")
FAMILIES = ("ipv4", "ipv6", "mdns")

OTHER = len(TYPES) * len(TRANSPORTS) * len(FAMILIES)
"""The index of candidates that can't be parsed."""

END = OTHER + 1
"""The index of the empty candidate, by which a peer says that no more will follow (RFC 8838 section 8.1)."""

PLACES = END + 1

MAX_COUNT = 255
"""The highest count: each has one byte."""

MAX_IN_SDP = 200
"""How many candidates of a description are counted: browsers write about 30."""

# Made once, for speed.
_SINGLE = tuple(bytes((place,)) for place in range(PLACES))

_BY_FAMILY = {
    (transport, type): _SINGLE[first : first + len(FAMILIES)]
    for type in TYPES
    for lower in TRANSPORTS
    for transport in (lower, lower.upper())
    for first in (len(FAMILIES) * (len(TRANSPORTS) * TYPES.index(type) + TRANSPORTS.index(lower)),)
}
"""The indices of a transport and a type, one for each family."""

_NAMES = [
    *(f"{type}/{transport}/{family}" for type in TYPES for transport in TRANSPORTS for family in FAMILIES),
    "other",
    "end",
]


def place(message: dict[str, Any]) -> bytes:
    """Return the index by which an ``ice-candidate`` message is counted, as one byte."""
    candidate = None
    try:
        # Every forwarded candidate passes here: one split, one dict lookup.
        candidate = message["data"]["candidate"]
        parts = candidate.split(" ", 8)
        ipv4, ipv6, mdns = _BY_FAMILY[parts[2], parts[7]]
        address = parts[4]
        if ":" in address:
            return ipv6
        return mdns if address.endswith(".local") else ipv4
    except (AttributeError, IndexError, KeyError, TypeError):
        return _SINGLE[END if candidate == "" else OTHER]


def places(message: dict[str, Any]) -> bytes:
    """Return the index of each candidate in an ``ice-candidate``, ``offer`` or ``answer`` message, one byte each."""
    if message["type"] == "ice-candidate":
        return place(message)
    data = message.get("data")
    sdp = data.get("sdp") if isinstance(data, dict) else None
    return _places_in_sdp(sdp) if isinstance(sdp, str) else b""


def count(counts: bytearray, places: bytes) -> None:
    """Add candidates with these indices to ``counts``, which has ``PLACES`` bytes."""
    for place in places:
        if counts[place] < MAX_COUNT:
            counts[place] += 1


def _places_in_sdp(sdp: str) -> bytes:
    found = bytearray()
    # Each piece begins with a candidate and goes on to the next one; the split below stops early.
    for text in sdp.split("\na=candidate:", MAX_IN_SDP)[1:]:
        try:
            # ``place`` inlined, for speed.
            _, _, transport, _, address, _, _, type, _ = text.split(" ", 8)
            ipv4, ipv6, mdns = _BY_FAMILY[transport, type]
        except (KeyError, ValueError):
            # The line may end with the type.
            found += place({"data": {"candidate": text.partition("\n")[0].rstrip("\r")}})
        else:
            found += ipv6 if ":" in address else mdns if address.endswith(".local") else ipv4
    return bytes(found)


def named(counts: bytearray) -> dict[str, int]:
    """Return the nonzero counts by names such as ``srflx/udp/ipv4``, ``other`` and ``end``."""
    return {name: number for name, number in zip(_NAMES, counts, strict=True) if number}
