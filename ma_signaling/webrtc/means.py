"""What a proof may use of the network, and its form on the pipe to the child process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from ma_signaling.config.values import Network
from ma_signaling.webrtc.destinations import Address

Endpoint = tuple[str, int]
"""A host, by name or address, and a port."""

SECONDS = 15.0
"""The most time for a proof, from the request to SCTP."""

DEFAULT_PORT = 3478
"""The default port of STUN and TURN by UDP (RFC 7064, RFC 7065)."""

_URL = re.compile(r"(?:stun|turn):([^?:\[\]]+)(?::(\d{1,5}))?(?:\?transport=udp)?", re.ASCII)


class Turn(NamedTuple):
    """Our own relay, by UDP, with credentials that expire."""

    server: Endpoint
    username: str
    credential: str


class Means(NamedTuple):
    """What one proof may use."""

    networks: tuple[Network, ...] = ()
    """Networks that packets may go to, besides the Internet."""
    address: Address | None = None
    """This machine's public address, if it is behind a NAT that keeps port numbers."""
    is_relay_only: bool = False
    stun: Endpoint | None = None
    turn: Turn | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the means in JSON types, for ``from_json``."""
        turn = self.turn
        return {
            "networks": [str(network) for network in self.networks],
            "address": None if self.address is None else str(self.address),
            "isRelayOnly": self.is_relay_only,
            "stun": self.stun,
            "turn": None if turn is None else [*turn.server, turn.username, turn.credential],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Means:
        """Return the means that ``as_json`` returned as ``data``."""
        turn = data["turn"]
        return cls(
            networks=tuple(ip_network(network) for network in data["networks"]),
            address=None if data["address"] is None else ip_address(data["address"]),
            is_relay_only=data["isRelayOnly"],
            stun=None if data["stun"] is None else (data["stun"][0], data["stun"][1]),
            turn=None if turn is None else Turn((turn[0], turn[1]), turn[2], turn[3]),
        )


def first_by_udp(urls: Iterable[str]) -> Endpoint | None:
    """Return the first server that is reached by UDP without TLS, from ``stun:`` or ``turn:`` URLs, or None."""
    for url in urls:
        match = _URL.fullmatch(url)
        if match is not None:
            return match[1], int(match[2] or DEFAULT_PORT)
    return None
