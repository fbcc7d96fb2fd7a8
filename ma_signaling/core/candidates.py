"""ICE candidates as numbers: how many of each type, transport and address family. Never an address.

A candidate is ``[a=]candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE …`` (RFC 8839 section 5.1).
"""

from __future__ import annotations

from typing import Any

TYPES = ("host", "srflx", "prflx", "relay")
TRANSPORTS = ("udp", "tcp")
FAMILIES = ("ipv4", "ipv6", "mdns")

OTHER = len(TYPES) * len(TRANSPORTS) * len(FAMILIES)
"""The place of what could not be read."""

END = OTHER + 1
"""The place of the empty candidate, by which a peer says that there will be no more (RFC 8838 section 8.1)."""

PLACES = END + 1

MOST = 255
"""Counts go no further: one byte each."""

MOST_IN_SDP = 200
"""Lines of a description that are looked at: browsers write some 30."""

_PLACES = {
    (transport, type): len(FAMILIES) * (len(TRANSPORTS) * TYPES.index(type) + TRANSPORTS.index(lower))
    for type in TYPES
    for lower in TRANSPORTS
    for transport in (lower, lower.upper())
}
_NAMES = [
    *(f"{type}/{transport}/{family}" for type in TYPES for transport in TRANSPORTS for family in FAMILIES),
    "other",
    "end",
]


def count(counts: bytearray, candidate: Any) -> None:
    """Count one more candidate in ``counts``, which has ``PLACES`` bytes."""
    # Every relayed candidate comes through here: one split, one look-up.
    try:
        parts = candidate.split(" ", 8)
        place = _PLACES[parts[2], parts[7]]
        address = parts[4]
        if ":" in address:
            place += 1
        elif address.endswith(".local"):
            place += 2
    except (AttributeError, IndexError, KeyError, TypeError):
        place = END if candidate == "" else OTHER
    if counts[place] < MOST:
        counts[place] += 1


def count_in_sdp(counts: bytearray, message: dict[str, Any]) -> None:
    """Count the candidates in the description of an ``offer`` or ``answer`` message."""
    data = message.get("data")
    sdp = data.get("sdp") if isinstance(data, dict) else None
    if not isinstance(sdp, str):
        return
    start = -1
    for _ in range(MOST_IN_SDP):
        start = sdp.find("\na=candidate:", start + 1)
        if start < 0:
            break
        end = sdp.find("\n", start + 1)
        line = sdp[start + 1 : end if end >= 0 else None]
        count(counts, line.rstrip("\r"))


def named(counts: bytearray) -> dict[str, int]:
    """What was counted, by names such as ``srflx/udp/ipv4``, ``other`` and ``end``."""
    return {name: number for name, number in zip(_NAMES, counts, strict=True) if number}
