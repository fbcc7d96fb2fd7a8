"""How the log shows addresses (``--log-addresses``): in full, as networks, or not at all."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_ADDRESS = re.compile(
    rf"(?<![\w:.])(?:(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_IPV4}|[0-9A-Fa-f]{{0,4}})(?![\w:])|{_IPV4}(?!\.?\w))"
    r"(?:/\d{1,3}\b)?"
)
"""What may be an IP address or a network in a text; ``ip_address`` decides."""

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_IPV4 = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{2}})\.{_OCTET}")


class AddressPolicy:
    """One of ``full``, ``network`` and ``none``."""

    def __init__(self, policy: str) -> None:
        self._policy = policy

    def show(self, text: str) -> str:
        """Return an address, or another node's network of one, as the log may show it: the /24 (IPv4) or /48 (IPv6).

        Raises ValueError for anything else.
        """
        if self._policy == "full":
            return text
        if self._policy == "none":
            return "an address"
        # The case of nearly every log line, for which ``ip_address`` takes seven times as long.
        if ipv4 := _PLAIN_IPV4.fullmatch(text):
            return f"{ipv4[1]}.0/24"
        address = ip_address(text.partition("/")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        # The same as ``ip_network``, which takes five times as long.
        if isinstance(address, IPv6Address):
            return f"{IPv6Address(int(address) >> 80 << 80)}/48"
        return f"{IPv4Address(int(address) >> 8 << 8)}/24"

    def redact(self, text: str) -> str:
        """Return a text with every address in it replaced as in ``show``."""
        return text if self._policy == "full" else _ADDRESS.sub(self._redact_match, text)

    def _redact_match(self, match: re.Match[str]) -> str:
        try:
            ip_address(match[0].partition("/")[0])
        except ValueError:
            return match[0]
        return match[0] if self._policy == "network" and _is_wide_network(match[0]) else self.show(match[0])


def _is_wide_network(text: str) -> bool:
    """Return whether this is a network at least as large as those that stand for addresses."""
    try:
        network = ip_network(text)
    except ValueError:
        return False
    return network.prefixlen <= (24 if isinstance(network, IPv4Network) else 48)
