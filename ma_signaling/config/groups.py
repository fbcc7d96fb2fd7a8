"""The settings in groups, for ``--help`` and docs/settings.md."""

from __future__ import annotations

from collections.abc import Iterator

from ma_signaling.config.declaration import Declaration
from ma_signaling.config.settings import declarations

_TITLES = {
    "port": "Listening",
    "tls_cert": "TLS",
    "trusted_proxies": "Clients",
    "allow_remote_ids": "Access",
    "log_addresses": "Log and metrics",
    "ready_timeout": "Times",
    "proof": "Proof of possession",
    "nats_url": "Cluster",
    "fast_path": "Fast path",
    "stun_urls": "ICE servers",
    "drain_seconds": "Stopping",
    "max_connections": "Limits",
}
"""The title of each group, by its first setting."""


def groups() -> Iterator[tuple[str, list[Declaration]]]:
    """Yield the title and the settings of each group, in the order of their declarations."""
    title, members = "", list[Declaration]()
    for each in declarations():
        if each.name in _TITLES:
            if members:
                yield title, members
            title, members = _TITLES[each.name], []
        members.append(each)
    yield title, members
