"""The source addresses of this machine for UDP, found without sending a packet."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from ma_signaling.config.values import Network
from ma_signaling.webrtc.destinations import Address, Destinations

_INTERNET = (ip_address("198.41.0.4"), ip_address("2001:503:ba3e::2:30"))
"""Arbitrary addresses to which only the default route leads: those of a root name server."""


def source_towards(target: Address) -> Address | None:
    """Return this machine's source address for packets to ``target``, None if there is no route."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    # Connecting a UDP socket only looks up the route.
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(target), 9))
        return ip_address(probe.getsockname()[0])
    return None


def is_own(address: Address) -> bool:
    """Return whether ``address`` is this machine's: it is then its own source address."""
    return source_towards(address) == address


def sources(networks: Iterable[Network]) -> list[Address]:
    """Return the source addresses for the Internet and for each of ``networks``.

    Private IPv4 addresses are included, since they may be behind a NAT; private IPv6 addresses aren't.
    """
    destinations = Destinations(tuple(networks))
    found: dict[Address, None] = {}
    for target in (*_INTERNET, *(next(iter(network.hosts())) for network in destinations.networks)):
        source = source_towards(ip_address(str(target)))
        if source is not None and (source.version == 4 or destinations.may_show(source)):
            found[source] = None
    return list(found)
