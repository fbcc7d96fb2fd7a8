"""Who may use this server: the lists behind ``--allow-remote-ids`` and ``--deny``.

A list is text with one entry per line; ``#`` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from ma_signaling.config.values import Network, parse_network
from ma_signaling.core.errors import Refused
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.remote_id import wanted


class BadEntry(ValueError):
    """Raised for a line that can't be parsed. The text gives its number, never its content, which may be secret."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"line {number} {problem}")
        self.problem = problem


class Networks:
    """A set of networks. Finding an address costs one set lookup for each prefix length that occurs."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._prefixes: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        """Network prefixes as integers, by IP version and number of host bits."""
        for network in networks:
            host_bits = network.max_prefixlen - network.prefixlen
            prefix = int(network.network_address) >> host_bits
            self._prefixes[network.version].setdefault(host_bits, set()).add(prefix)

    def __contains__(self, address: str) -> bool:
        if not any(self._prefixes.values()):
            return False
        parsed = ip_address(address)
        number = int(parsed)
        return any(
            number >> host_bits in prefixes for host_bits, prefixes in self._prefixes[parsed.version].items()
        )


class DenyList(NamedTuple):
    """Banned networks and Remote IDs."""

    networks: Networks = Networks()
    remote_ids: frozenset[str] = frozenset()
    size: int = 0
    """The number of entries."""


class Access:
    """Says who may connect, and who may register which Remote ID. Both lists may be replaced at any time."""

    def __init__(self) -> None:
        self.allowed: frozenset[str] | None = None
        """The only Remote IDs that may be registered; None: any."""
        self.denied = DenyList()
        self.banned = DenyList()
        """The current bans of ``Bans``."""

    def may_connect(self, address: ClientAddress) -> bool:
        """Return whether neither the deny list nor a ban names ``address``."""
        if address.text in self.denied.networks or address.text in self.banned.networks:
            return False
        return not address.named or not any(
            name in networks
            for name in address.named
            for networks in (self.denied.networks, self.banned.networks)
        )

    def may_register(self, remote_id: str) -> bool:
        """Return whether a home may register this Remote ID."""
        return (self.allowed is None or remote_id in self.allowed) and not self.is_banned(remote_id)

    def is_banned(self, remote_id: str) -> bool:
        """Return whether the deny list or a ban names this Remote ID."""
        return remote_id in self.denied.remote_ids or remote_id in self.banned.remote_ids


def parse_allowed(text: str) -> frozenset[str]:
    """Return the Remote IDs of a list. Raises ``BadEntry``."""
    return frozenset(_remote_id(number, entry) for number, entry in _entries(text))


def parse_denied(text: str) -> DenyList:
    """Return the addresses, networks and Remote IDs of a list. Raises ``BadEntry``."""
    networks, remote_ids = set[Network](), set[str]()
    for number, entry in _entries(text):
        target = _target(number, entry)
        if isinstance(target, str):
            remote_ids.add(target)
        else:
            networks.add(target)
    size = len(networks) + len(remote_ids)
    return DenyList(Networks(networks), frozenset(remote_ids), size)


def parse_target(text: str) -> str:
    """Return the canonical form of an address, a network or a Remote ID. Raises ``BadEntry``."""
    target = _target(1, text.strip())
    if isinstance(target, str):
        return target
    is_single = target.prefixlen == target.max_prefixlen
    return str(target.network_address) if is_single else str(target)


def _target(number: int, entry: str) -> Network | str:
    return _network(number, entry) if re.search(r"[.:/]", entry) else _remote_id(number, entry)


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Yield each entry with its line number, from 1."""
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.partition("#")[0].strip()
        if entry:
            yield number, entry


def _remote_id(number: int, entry: str) -> str:
    try:
        return wanted(entry)
    except Refused:
        raise BadEntry(number, "is not a Remote ID: 1 to 64 letters, digits, - and _") from None


def _network(number: int, entry: str) -> Network:
    try:
        return parse_network(entry)
    except ValueError:
        raise BadEntry(
            number,
            "is not an address or network such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, with nothing beyond the"
            " prefix",
        ) from None
