"""The blocks that an address lies in, as shares are divided between them (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Network

from ma_signaling.core.shares import Path

CUSTOMER_BITS = 48
"""A customer gets an IPv6 block of this length at most."""

SITE_BITS = 56
"""Most customers get one of this length."""


@lru_cache(maxsize=4096)
def blocks_of(key: str) -> Path:
    """Return the path of what an address is counted by: an IPv4 address, or an IPv6 network such as a /64."""
    return _within(key, CUSTOMER_BITS)


@lru_cache(maxsize=4096)
def fine_blocks_of(key: str) -> Path:
    """Return the same with one level more, for what must last an hour."""
    return _within(key, CUSTOMER_BITS, SITE_BITS)


@lru_cache(maxsize=4096)
def network_blocks_of(key: str) -> Path:
    """Return the same with an IPv4 address within its /24, for what somebody may rent whole networks for."""
    return (key.rpartition(".")[0], key) if ":" not in key else blocks_of(key)


def _within(key: str, *lengths: int) -> Path:
    if ":" not in key:
        return (key,)
    try:
        network = IPv6Network(key)
    except ValueError:
        return (key,)
    return (*(str(network.supernet(new_prefix=length)) for length in lengths), key)
