"""The settings that bound what strangers may do. See ``settings`` for all others."""

from __future__ import annotations

from dataclasses import dataclass

from ma_signaling.config import values
from ma_signaling.config.declaration import setting


@dataclass(kw_only=True)
class LimitSettings:
    """Limits per address, connection, session and home, and for all peers together; 0 switches most of them off."""

    max_connections: int = setting(
        "0",
        values.Whole(0),
        "Open connections in total; 0: as many as the descriptor limit allows",
        unit="connections",
        live=True,
    )
    remembered_addresses: int = setting(
        "50000",
        values.Whole(1),
        "Addresses and Remote IDs that limits remember; the oldest are forgotten first",
        unit="addresses",
    )
    connections_per_minute: int = setting(
        "1200",
        values.Whole(0),
        "New connections from one address within a minute",
        unit="connections",
        live=True,
    )
    sockets_per_minute: int = setting(
        "2400",
        values.Whole(0),
        "Sockets accepted from one address within a minute; those beyond are closed without an answer",
        unit="sockets",
        live=True,
    )
    requests_per_minute: int = setting(
        "1200",
        values.Whole(0),
        "HTTP requests from one address within a minute; at most this many are answered",
        unit="requests",
        live=True,
    )
    silent_connections_per_address: int = setting(
        "100",
        values.Whole(0),
        "Open connections from one address that have sent no message yet",
        unit="connections",
        live=True,
    )
    lookups_per_minute: int = setting(
        "100",
        values.Whole(0),
        "Lookups of Remote IDs and sessions over HTTP, from one address within a minute",
        unit="lookups",
        live=True,
    )
    connect_requests_per_minute: int = setting(
        "600",
        values.Whole(0),
        "Requests for a home (connect-request) from one address within a minute",
        unit="requests",
        live=True,
    )
    guesses_per_minute: int = setting(
        "10",
        values.Whole(0),
        "Distinct unknown Remote IDs within a minute after which the lookups of an address are blocked",
        unit="Remote IDs",
        live=True,
    )
    message_rate: float = setting(
        "20",
        values.Number(0),
        "Messages of one session in one direction, sustained rate",
        unit="messages a second",
        live=True,
    )
    message_burst: int = setting(
        "200", values.Whole(0), "Messages of one session in one direction, burst", unit="messages", live=True
    )
    message_bytes_rate: float = setting(
        "65536",
        values.Number(0),
        "Bytes of one session in one direction, sustained rate",
        unit="bytes a second",
        live=True,
    )
    message_bytes_burst: int = setting(
        "524288", values.Whole(0), "Bytes of one session in one direction, burst", unit="bytes", live=True
    )
    control_rate: float = setting(
        "5",
        values.Number(0),
        "All other messages of one connection, sustained rate",
        unit="messages a second",
        live=True,
    )
    control_burst: int = setting(
        "50", values.Whole(0), "All other messages of one connection, burst", unit="messages", live=True
    )
    home_sessions_per_minute: int = setting(
        "120",
        values.Whole(0),
        "New sessions at one home within a minute; as many again for addresses that have had less than their share",
        unit="sessions",
        live=True,
    )
    home_sessions: int = setting(
        "256", values.Whole(0), "Open sessions at one home", unit="sessions", live=True
    )
    session_traces: int = setting(
        "10000",
        values.Whole(0),
        "Sessions whose trace is kept until ten minutes after their end; 0: none",
        unit="sessions",
    )
    max_message_bytes: int = setting(
        "65536", values.Whole(1024), "Largest accepted message", unit="bytes", live=True
    )
    send_buffer_bytes: int = setting(
        "1048576",
        values.Whole(65536),
        "Unsent bytes to one peer; beyond them the connection is dropped",
        unit="bytes",
        live=True,
    )
