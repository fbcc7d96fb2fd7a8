"""The address blocks between which ``shares`` divides (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Network

from ma_signaling.core.shares import Path

CUSTOMER_BITS = 48
"""Prefix length of the largest IPv6 block that one customer gets."""

SITE_BITS = 56
"""Prefix length of the IPv6 block that most customers get."""


@lru_cache(maxsize=4096)
def blocks_of(key: str) -> Path:
    """Return the path of an address key, which is an IPv4 address or an IPv6 network such as a /64."""
    return _within(key, CUSTOMER_BITS)


@lru_cache(maxsize=4096)
def fine_blocks_of(key: str) -> Path:
    """Return the path with the /56 as one more level, for hourly limits."""
    return _within(key, CUSTOMER_BITS, SITE_BITS)


@lru_cache(maxsize=4096)
def network_blocks_of(key: str) -> Path:
    """Return the path with an IPv4 address inside its /24, against somebody who rents whole networks."""
    return (key.rpartition(".")[0], key) if ":" not in key else blocks_of(key)


def _within(key: str, *lengths: int) -> Path:
    if ":" not in key:
        return (key,)
    try:
        network = IPv6Network(key)
    except ValueError:
        return (key,)
    return (*(str(network.supernet(new_prefix=length)) for length in lengths), key)
