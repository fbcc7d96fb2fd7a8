"""The client of a request, as determined by its neighbour and its forwarding headers."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.config.sources import load
from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport.client_address import ClientAddresses


def nobody_hears(event: Event, /, **details: object) -> None: ...


def seen(
    neighbour: str | None, *lines: bytes, header: bytes = b"x-forwarded-for", **options: str
) -> ClientAddress:
    """Return the client of a request that came from ``neighbour`` with these lines of one header."""
    loaded = load({name: [value] for name, value in options.items()}, {}).settings
    addresses = ClientAddresses(loaded, nobody_hears)
    return addresses.of(neighbour, lambda name: lines if name == header else ())


def seen_by_all(headers: dict[bytes, bytes]) -> ClientAddress:
    """Return the client of a request of a trusted proxy with these headers."""
    addresses = ClientAddresses(Settings(), nobody_hears)
    return addresses.of("127.0.0.1", lambda name: [headers[name]] if name in headers else ())
