"""Metrics for Prometheus. No label names a Remote ID, a session or an address.

Reported events are counted as they come. States, and what other modules count for speed, are read at each scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ma_signaling import __version__
from ma_signaling.core.events import Event
from ma_signaling.core.hub import Hub

PREFIX = "ma_signaling_"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CONNECTED_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 25)
"""Bounds of the histogram: without session-ready a client waits 10 s, with a parked request 25 s at most."""

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
        "Sessions that ended before they were open, by the code of the error",
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
"""By name: the help text, and the label."""

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
"""By event: the counter, and the detail whose value is its label."""


class Metrics:
    """Counts reported events, and renders all metrics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counters = {
            name: Counter(PREFIX + name, help, [label] if label else [], registry=self._registry)
            for name, (help, label) in _COUNTERS.items()
        }
        self._counted = {
            event: [counters[name].labels(value) if value else counters[name] for name, value in each]
            for event, each in _COUNTED.items()
        }
        self._by_detail = {
            event: (counters[name], detail) for event, (name, detail) in _COUNTED_BY_DETAIL.items()
        }
        self._connected_seconds = Histogram(
            PREFIX + "time_to_connected_seconds",
            "From connect-request to connected",
            buckets=CONNECTED_SECONDS,
            registry=self._registry,
        )
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody reads
        ProcessCollector(registry=self._registry)
        self.watch(_build)

    def __call__(self, event: Event, /, **details: object) -> None:
        """Count one event, whatever its details are."""
        for counter in self._counted.get(event, ()):
            counter.inc()
        if event in self._by_detail:
            counter, detail = self._by_detail[event]
            counter.labels(details.get(detail)).inc()
        seconds = details.get("seconds")
        if isinstance(seconds, float):
            self._connected_seconds.observe(seconds)

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add the metrics that ``read`` returns at each scrape."""
        self._registry.register(_Reader(read))

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Reader:
    """A collector as prometheus_client expects it."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self.collect = read


def gauge(name: str, help: str, value: float) -> Metric:
    """Return a metric with one number that goes up and down."""
    return GaugeMetricFamily(PREFIX + name, help, value)


def state_of(hub: Hub) -> Iterator[Metric]:
    """Yield the state of the hub and its sockets."""
    roles = GaugeMetricFamily(PREFIX + "connections", "Open WebSockets by role", labels=["role"])
    for role, number in hub.connections_by_role().items():
        roles.add_metric([role], number)
    yield roles
    counts: Any = hub.counts()
    sessions = GaugeMetricFamily(PREFIX + "sessions", "Sessions by state", labels=["state"])
    sessions.add_metric(["open"], counts["clients"])
    sessions.add_metric(["pending"], counts["pendingClients"])
    yield sessions
    yield gauge("homes", "Remote IDs that a connection holds", counts["servers"])
    yield gauge(
        "blocked_addresses", "Addresses whose lookups are blocked", counts["rateLimiter"]["blockedIps"]
    )
    yield gauge("sockets", "Open sockets of any kind", hub.capacity.open)
    yield gauge("unsent_bytes", "Unsent bytes to slow peers", hub.capacity.unsent)
    messages = CounterMetricFamily(
        PREFIX + "messages", "Received messages by type and sender", labels=["type", "sender"]
    )
    size = CounterMetricFamily(
        PREFIX + "message_bytes", "Bytes of received messages by type and sender", labels=["type", "sender"]
    )
    for type, traffic in hub.traffic():
        for sender, tally in (("home", traffic.from_homes), ("client", traffic.from_clients)):
            messages.add_metric([type, sender], tally.messages)
            size.add_metric([type, sender], tally.bytes)
    yield messages
    yield size


def _build() -> Iterator[Metric]:
    """Yield the versions of this server and of what it runs on."""
    labels = {name: version(name) for name in ("twisted", "autobahn")}
    labels |= {"version": __version__, "python": platform.python_version()}
    info = GaugeMetricFamily(PREFIX + "build_info", "Versions; the value is always 1", labels=list(labels))
    info.add_metric(list(labels.values()), 1)
    yield info
