"""Where UDP packets may go: the contender names the addresses, so they must not lead into internal networks.

Only global unicast addresses are allowed, by IANA's registries of special-purpose addresses (RFC 6890). IPv6 addresses
that embed an IPv4 address count as special, too: where such packets go is up to unknown routers.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from ma_signaling.config.values import INSIDE_IPV4, Network

Address = IPv4Address | IPv6Address

MIN_PORT = 1024
"""Lower ports are those of services such as DNS and NTP, which peers don't use; browsers refuse them, too."""

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
"""All others are special: mapped IPv4 (``::ffff:0:0/96``), NAT64 (``64:ff9b::/96``), private, link-local, multicast."""
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
    """Return whether ``address`` is one machine's on the Internet, without a special purpose."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL)
    return address in _GLOBAL_UNICAST_6 and not any(address in network for network in _SPECIAL_6)


class Destinations(NamedTuple):
    """Decides which addresses our offer may contain, and which ones packets may be sent to."""

    networks: tuple[Network, ...] = ()
    """Networks that are allowed besides global unicast ones (``--proof-networks``)."""
    is_own: Callable[[Address], bool] = lambda _: False
    """Returns whether an address is this machine's, whose services no firewall protects from itself."""

    def may_show(self, address: Address) -> bool:
        """Return whether our offer may contain ``address``."""
        return self._is_named(address) or is_global_unicast(address)

    def may_reach(self, address: Address, port: int) -> bool:
        """Return whether packets may be sent to ``address`` and ``port``, and accepted from there."""
        if not MIN_PORT <= port <= 65535 or getattr(address, "scope_id", None) is not None:
            return False
        return self._is_named(address) or (is_global_unicast(address) and not self.is_own(address))

    def _is_named(self, address: Address) -> bool:
        return any(address in network for network in self.networks)
