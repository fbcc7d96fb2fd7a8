"""Who is the client: the socket's neighbour, or whom a trusted proxy reports. Decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from ma_signaling.peer import ClientAddress
from ma_signaling.settings import Network

FORWARDING_HEADERS = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip")
"""Headers by which a proxy says whom it speaks for; X-Forwarded-For is the one that is believed."""

LOCAL = IPv4Address("127.0.0.1")
"""What a neighbour on a Unix socket counts as."""

IPAddress = IPv4Address | IPv6Address
Header = Callable[[bytes], Sequence[bytes]]
"""Every value of a request header, given its lower-case name."""


def client_address(neighbour: str | None, header: Header, trusted: Sequence[Network]) -> ClientAddress:
    """The address of the client behind ``neighbour`` (an IP address as text, or None on a Unix socket).

    X-Forwarded-For is read from the right, skipping trusted proxies; what stands left of the first untrusted address,
    or of garbage, may be anybody's invention.
    """
    address = LOCAL if neighbour is None else parse(neighbour) or LOCAL
    if not _is_trusted(address, trusted):
        return _describe(address, shared=any(header(name) for name in FORWARDING_HEADERS))
    hops = [hop for line in header(b"x-forwarded-for") for hop in line.split(b",")]
    for hop in reversed(hops):
        reported = parse(hop.decode("latin-1"))
        if reported is None:
            break
        address = reported
        if not _is_trusted(address, trusted):
            break
    return _describe(address, shared=False)


def parse(text: str) -> IPAddress | None:
    """The IP address in ``text``, whose port, brackets and zone are ignored; None where there is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_trusted(address: IPAddress, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _describe(address: IPAddress, *, shared: bool) -> ClientAddress:
    """IPv6 counts by the /64: that is what one customer gets, and more than any table could remember."""
    text = str(address)
    key = text if isinstance(address, IPv4Address) else f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return ClientAddress(text, key, shared)
