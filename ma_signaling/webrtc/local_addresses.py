"""The addresses of this machine that UDP can leave from. No packet is sent to find them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from ma_signaling.config.values import Network
from ma_signaling.webrtc.destinations import Address, Destinations

_INTERNET = (ip_address("198.41.0.4"), ip_address("2001:503:ba3e::2:30"))
"""Any addresses that only the default route leads to: those of a root name server."""


def source_towards(target: Address) -> Address | None:
    """Return the address that this machine's packets to ``target`` come from; None where no route leads there."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    # Connecting a socket for UDP looks the route up, and does nothing else.
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(target), 9))
        return ip_address(probe.getsockname()[0])
    return None


def is_own(address: Address) -> bool:
    """Return whether ``address`` is one of this machine's: then packets to it come from it."""
    return source_towards(address) == address


def sources(networks: Iterable[Network]) -> list[Address]:
    """Return where to send from: towards the Internet, and towards each network that proofs may go to besides.

    IPv4 may stand behind a NAT. A private IPv6 address leads nowhere, and is left out.
    """
    destinations = Destinations(tuple(networks))
    found: dict[Address, None] = {}
    for target in (*_INTERNET, *(next(iter(network.hosts())) for network in destinations.networks)):
        source = source_towards(ip_address(str(target)))
        if source is not None and (source.version == 4 or destinations.may_show(source)):
            found[source] = None
    return list(found)
