"""Where UDP packets may go: whoever is asked for a proof names the addresses, so they must not lead inside.

Global unicast addresses only, as the IANA's registries of special-purpose addresses have them (RFC 6890). Forms of IPv6
that carry an IPv4 address count as special too: what becomes of such a packet is up to routers that we don't know.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from ma_signaling.config.values import INSIDE_IPV4, Network

Address = IPv4Address | IPv6Address

MIN_PORT = 1024
"""Below are the ports of services such as DNS and NTP, which peers don't have; browsers refuse them too."""

_SPECIAL = (
    *INSIDE_IPV4,
    *map(
        IPv4Network,
        (
            "192.0.0.0/24",  # IETF
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
        ),
    ),
)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
"""All else is special: mapped IPv4 (``::ffff:0:0/96``), NAT64 (``64:ff9b::/96``), private, link-local, multicast."""
_SPECIAL_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF, with Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


def is_global_unicast(address: Address) -> bool:
    """Return whether the Internet routes packets for ``address`` to one machine, and no part has another meaning."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL)
    return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _SPECIAL_6)


class Destinations(NamedTuple):
    """The addresses that may be named as ours, and those that packets may be sent to."""

    networks: tuple[Network, ...] = ()
    """Others than global unicast that may be (``--proof-networks``)."""
    is_own: Callable[[Address], bool] = lambda _: False
    """Whether an address is this machine's: no firewall stands between its services and itself."""

    def may_show(self, address: Address) -> bool:
        """Return whether our offer may name ``address`` as ours."""
        return self._is_named(address) or is_global_unicast(address)

    def may_reach(self, address: Address, port: int) -> bool:
        """Return whether packets may be sent to ``address`` and ``port``, and taken from there."""
        if not MIN_PORT <= port <= 65535 or getattr(address, "scope_id", None) is not None:
            return False
        return self._is_named(address) or (is_global_unicast(address) and not self.is_own(address))

    def _is_named(self, address: Address) -> bool:
        return any(address in network for network in self.networks)
