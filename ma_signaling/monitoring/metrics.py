"""Metrics for Prometheus. No label names a Remote ID, a session or an address.

Reported events are counted as they come, in plain numbers. Everything else is done at a scrape, including the import
of prometheus_client.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ma_signaling import __version__
from ma_signaling.core.contest import Refusal, WonBy
from ma_signaling.core.errors import CloseCode
from ma_signaling.core.events import Event, Limit
from ma_signaling.core.hub import Hub
from ma_signaling.monitoring.metric import Histogram, Kind, Metric, gauge

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CONNECTED_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0)
"""Bounds of the histogram. Without session-ready a client waits 10 s, with a parked request at most 25 s."""

_COUNTERS: dict[str, tuple[str, str | None]] = {
    "registrations": ("Granted registrations of Remote IDs", "kind"),
    "registrations_refused": ("Registrations refused by the access lists", None),
    "homes_gone": ("Ended connections of homes: with a goodbye, or lost", "how"),
    "graces": ("Grace times of lost homes: started, ended by the return of the home, expired", "outcome"),
    "takeovers": ("Registrations of Remote IDs that another connection held", "outcome"),
    "sessions_started": ("Connect requests that started a session", None),
    "sessions_opened": (
        "Sessions whose client was sent connected, by whether session-ready had come",
        "ready",
    ),
    "sessions_failed": (
        "Sessions that ended before they were open, by the code of the error; a client that leaves gets none",
        "reason",
    ),
    "sessions_ended": ("Open sessions that ended", None),
    "relays_offered": ("Sessions whose client was given TURN credentials", None),
    "parked": ("Connect requests that waited for a lost home: started, resumed at its return", "outcome"),
    "limits_hit": ("Refusals by a limit", "limit"),
    "messages_dropped": (
        "Messages dropped in silence, where an error would do harm, by what it would have said",
        "reason",
    ),
    "blocks": ("Addresses whose lookups were blocked for guessing", None),
    "closed": ("Connections closed by this server, by close code", "code"),
    "dropped": ("Connections dropped by this server without a close frame, by reason", "reason"),
    "wrong_protocol": ("Sockets closed because their client spoke another protocol, by mistake", "mistake"),
}
"""Help text and label of each counter, by name."""

_COUNTED: dict[Event, list[tuple[str, str | None]]] = {
    Event.HOME_REGISTERED: [("registrations", "new")],
    Event.HOME_RETURNED: [("registrations", "returned"), ("graces", "returned")],
    Event.HOME_NOT_ALLOWED: [("registrations_refused", None)],
    Event.HOME_LEFT: [("homes_gone", "goodbye")],
    Event.HOME_LOST: [("homes_gone", "lost"), ("graces", "started")],
    Event.HOME_EXPIRED: [("graces", "expired")],
    Event.SESSION_REQUESTED: [("sessions_started", None)],
    Event.SESSION_OPENED: [("sessions_opened", "yes")],
    Event.SESSION_OPENED_UNREADY: [("sessions_opened", "no")],
    Event.RELAY_OFFERED: [("relays_offered", None)],
    Event.SESSION_ENDED: [("sessions_ended", None)],
    Event.SESSION_PARKED: [("parked", "started")],
    Event.SESSION_REVIVED: [("parked", "resumed")],
    Event.ADDRESS_BLOCKED: [("blocks", None)],
}

_COUNTED_BY_DETAIL: dict[Event, tuple[str, str]] = {
    Event.TAKEOVER: ("takeovers", "outcome"),
    Event.SESSION_FAILED: ("sessions_failed", "reason"),
    Event.LIMIT_HIT: ("limits_hit", "limit"),
    Event.MESSAGE_DROPPED: ("messages_dropped", "reason"),
    Event.PEER_CLOSED: ("closed", "code"),
    Event.PEER_DROPPED: ("dropped", "reason"),
    Event.WRONG_PROTOCOL: ("wrong_protocol", "mistake"),
}
"""By event: the counter, and the detail whose value is the label's."""

_FROM_THE_START: dict[str, tuple[object, ...]] = {
    "takeovers": (
        *(f"won by {how.value}" for how in WonBy),
        *(f"refused: {why.value}" for why in Refusal),
        "withdrawn",
    ),
    "limits_hit": tuple(Limit),
    "closed": tuple(map(int, CloseCode)),
}
"""Label values that are exposed before their first event: Prometheus sees no increase when a series begins."""


class Metrics:
    """Counts reported events, and renders all metrics."""

    def __init__(self) -> None:
        self._events: Counter[Event] = Counter()
        self._details: Counter[tuple[Event, object]] = Counter()
        self._connected = [0] * (len(CONNECTED_SECONDS) + 1)
        """Sessions by the time that their client waited, between ``CONNECTED_SECONDS``."""
        self._connected_sum = 0.0
        self._watched: list[Callable[[], Iterable[Metric | Histogram]]] = [self._counted, _build]

    def take(self, event: Event, details: Mapping[str, object]) -> None:
        """Count one event, whatever its details are."""
        if event in _COUNTED:
            self._events[event] += 1
        elif event in _COUNTED_BY_DETAIL:
            self._details[event, details.get(_COUNTED_BY_DETAIL[event][1])] += 1
        seconds = details.get("seconds")
        if isinstance(seconds, float):
            self._connected[bisect_left(CONNECTED_SECONDS, seconds)] += 1
            self._connected_sum += seconds

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add the metrics that ``read`` returns at each scrape."""
        self._watched.append(read)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        from ma_signaling.monitoring import exposition  # noqa: PLC0415 - its library's import is slow

        return exposition.text(self._watched)

    def _counted(self) -> Iterator[Metric | Histogram]:
        """Yield the metrics of reported events."""
        samples: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter({(str(value),): 0 for value in _FROM_THE_START.get(name, ())}) for name in _COUNTERS
        }
        for event, counters in _COUNTED.items():
            for name, value in counters:
                samples[name][() if value is None else (value,)] += self._events[event]
        for (event, detail), number in self._details.items():
            samples[_COUNTED_BY_DETAIL[event][0]][(str(detail),)] += number
        for name, (help, label) in _COUNTERS.items():
            yield Metric(Kind.COUNTER, name, help, () if label is None else (label,), samples[name])
        yield Histogram(
            "time_to_connected_seconds",
            "From connect-request to connected",
            CONNECTED_SECONDS,
            tuple(self._connected),
            self._connected_sum,
        )


def state_of(hub: Hub) -> Iterator[Metric]:
    """Yield the state of the hub and its sockets."""
    roles = {(role,): number for role, number in hub.connections_by_role().items()}
    yield Metric(Kind.GAUGE, "connections", "Open WebSockets by role", ("role",), roles)
    counts: Any = hub.counts()
    sessions = {("open",): counts["clients"], ("pending",): counts["pendingClients"]}
    yield Metric(Kind.GAUGE, "sessions", "Sessions by state", ("state",), sessions)
    yield gauge("homes", "Remote IDs that a connection holds", counts["servers"])
    yield gauge(
        "blocked_addresses", "Addresses whose lookups are blocked", counts["rateLimiter"]["blockedIps"]
    )
    yield gauge("sockets", "Open sockets of any kind", hub.capacity.open)
    yield gauge("unsent_bytes", "Unsent bytes to slow peers", hub.capacity.unsent)
    tallies = {
        (type, sender): tally
        for type, traffic in hub.traffic()
        for sender, tally in (("home", traffic.from_homes), ("client", traffic.from_clients))
    }
    by = ("type", "sender")
    messages = {key: tally.messages for key, tally in tallies.items()}
    yield Metric(Kind.COUNTER, "messages", "Received messages by type and sender", by, messages)
    size = {key: tally.bytes for key, tally in tallies.items()}
    yield Metric(Kind.COUNTER, "message_bytes", "Bytes of received messages by type and sender", by, size)


def _build() -> Iterator[Metric]:
    """Yield the versions of this server, its main libraries and Python."""
    from importlib.metadata import version  # noqa: PLC0415 - a hundredth of the start

    labels = {name: version(name) for name in ("twisted", "autobahn")}
    labels |= {"version": __version__, "python": platform.python_version()}
    values = {tuple(labels.values()): 1}
    yield Metric(Kind.GAUGE, "build_info", "Versions; the value is always 1", tuple(labels), values)
