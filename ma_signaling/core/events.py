"""Events that an operator may want to know: the core reports them, others log and count them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    """What has happened. Details are passed by keyword: ``connection``, ``remote_id``, ``session``, …

    ``told`` is true if another event's log line says it too, such as that of the home whose connection is closed.
    """

    HOME_REGISTERED = "home registered"
    HOME_RETURNED = "home returned"
    HOME_LEFT = "home left"
    HOME_LOST = "home lost"
    HOME_EXPIRED = "home did not return"
    HOME_NOT_ALLOWED = "home not allowed"
    TAKEOVER = "takeover"
    CERTIFICATE_SHARED = "certificate shared"
    SESSION_REQUESTED = "session requested"
    SESSION_PARKED = "session parked"
    SESSION_REVIVED = "session revived"
    SESSION_OPENED = "session opened"
    SESSION_OPENED_UNREADY = "session opened without session-ready"
    RELAY_OFFERED = "relay offered"
    SESSION_FAILED = "session failed"
    SESSION_ENDED = "session ended"
    MESSAGE_DROPPED = "message dropped in silence"
    LIMIT_HIT = "limit hit"
    ADDRESS_BLOCKED = "address blocked"
    PEER_CLOSED = "peer closed"
    PEER_DROPPED = "peer dropped"
    FORWARDING_IGNORED = "forwarding header ignored"
    FORWARDING_UNUSABLE = "forwarding header unusable"
    CLIENT_NOT_NAMED = "client not named"
    WRONG_PROTOCOL = "wrong protocol"


class Limit(StrEnum):
    """The limits that ``LIMIT_HIT`` names."""

    CHANGES = "changes of the Remote ID"
    CONNECTIONS = "connections"
    CONNECTIONS_A_MINUTE = "connections in a minute"
    HOMES_AWAY = "homes that are away"
    REQUESTS_A_MINUTE = "HTTP requests in a minute"
    LOOKUPS = "lookups"
    MESSAGES = "messages"
    PROOFS = "proofs"
    RELAYS = "relay credentials"
    SESSIONS = "sessions of a home"
    SESSIONS_A_MINUTE = "sessions of a home in a minute"
    SILENT_CONNECTIONS = "silent connections of an address"
    SOCKETS_A_MINUTE = "sockets in a minute"
    UNSENT_BYTES = "unsent bytes"


class Report(Protocol):
    """Takes an event and its details; returns quickly and never raises."""

    def __call__(self, event: Event, /, **details: object) -> None: ...


class Reporter(Protocol):
    """A receiver of events."""

    def take(self, event: Event, details: Mapping[str, object]) -> None:
        """Take an event and its details; return quickly, and never raise."""


def each_of(*reporters: Reporter) -> Report:
    """Return a report that passes each event to all ``reporters``."""
    takes = [each.take for each in reporters]

    def report(event: Event, /, **details: object) -> None:
        for take in takes:
            take(event, details)

    return report
