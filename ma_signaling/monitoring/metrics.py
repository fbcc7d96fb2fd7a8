"""What Prometheus asks for. No label names a Remote ID, a session or an address.

Reported events are counted as they come. States, and what is counted elsewhere for speed, are read when somebody asks.
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
from ma_signaling.core.capacity import Capacity
from ma_signaling.core.events import Event
from ma_signaling.core.hub import Hub

PREFIX = "ma_signaling_"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CONNECTED_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 25)
"""Bounds of the histogram: a home that never says session-ready takes 10 s, and no answer takes longer than 25."""

_COUNTERS: dict[str, tuple[str, str | None]] = {
    "registrations": ("Remote IDs that were granted to a connection", "kind"),
    "registrations_refused": ("Remote IDs that the access lists let nobody register", None),
    "homes_gone": ("Homes whose connection ended, by how", "how"),
    "graces": ("Lost homes that were waited for, that came back in time, and that did not", "outcome"),
    "takeovers": ("Remote IDs that were asked for while another connection held them", "outcome"),
    "sessions_begun": ("Connect requests that began a session", None),
    "sessions_opened": (
        "Sessions whose client was told connected, by whether the home said session-ready",
        "ready",
    ),
    "sessions_failed": (
        "Sessions that ended before they were open, by the error that the client got",
        "reason",
    ),
    "sessions_ended": ("Open sessions that ended", None),
    "relays_offered": ("Sessions whose client was given credentials for a relay", None),
    "parked": ("Requests that waited for a lost home, and those that it came back for", "outcome"),
    "limits_hit": ("Refusals by a limit", "limit"),
    "blocks": ("Addresses whose lookups were blocked for guessing", None),
    "closed": ("Connections that this server closed, by close code", "code"),
    "cut_off": ("Connections that this server cut off, by why", "reason"),
}
"""By name: what it counts, and its label."""

_COUNTED: dict[Event, list[tuple[str, str | None]]] = {
    Event.HOME_REGISTERED: [("registrations", "new")],
    Event.HOME_RETURNED: [("registrations", "returned"), ("graces", "saved")],
    Event.HOME_REPLACED: [("registrations", "replaced")],
    Event.HOME_NOT_ALLOWED: [("registrations_refused", None)],
    Event.HOME_LEFT: [("homes_gone", "goodbye")],
    Event.HOME_LOST: [("homes_gone", "lost"), ("graces", "begun")],
    Event.HOME_EXPIRED: [("graces", "expired")],
    Event.TAKEOVER_TRIED: [("takeovers", "checked")],
    Event.TAKEOVER_REFUSED: [("takeovers", "refused")],
    Event.TAKEOVER_WON: [("takeovers", "won by silence")],
    Event.SESSION_REQUESTED: [("sessions_begun", None)],
    Event.SESSION_OPENED: [("sessions_opened", "yes")],
    Event.SESSION_OPENED_UNREADY: [("sessions_opened", "no")],
    Event.RELAY_OFFERED: [("relays_offered", None)],
    Event.SESSION_ENDED: [("sessions_ended", None)],
    Event.SESSION_PARKED: [("parked", "begun")],
    Event.SESSION_REVIVED: [("parked", "saved")],
    Event.ADDRESS_BLOCKED: [("blocks", None)],
}

_COUNTED_BY_DETAIL: dict[Event, tuple[str, str]] = {
    Event.HOME_REPLACED: ("takeovers", "right"),
    Event.SESSION_FAILED: ("sessions_failed", "reason"),
    Event.LIMIT_HIT: ("limits_hit", "limit"),
    Event.PEER_CLOSED: ("closed", "code"),
    Event.PEER_DROPPED: ("cut_off", "reason"),
}
"""By event: the counter, and the detail that is the value of its label."""


class Metrics:
    """Takes reported events, and answers with everything that is counted."""

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
        """Count one event; safe to call with any details."""
        for counter in self._counted.get(event, ()):
            counter.inc()
        if event in self._by_detail:
            counter, detail = self._by_detail[event]
            counter.labels(details.get(detail)).inc()
        seconds = details.get("seconds")
        if isinstance(seconds, float):
            self._connected_seconds.observe(seconds)

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Ask ``read`` for more whenever somebody asks for metrics."""
        self._registry.register(_Reader(read))

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Reader:
    """What prometheus_client takes for a collector."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self.collect = read


def gauge(name: str, help: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(PREFIX + name, help, value)


def state_of(hub: Hub, capacity: Capacity) -> Iterator[Metric]:
    """What the hub and its sockets are like now."""
    roles = GaugeMetricFamily(PREFIX + "connections", "Open WebSockets by role", labels=["role"])
    for role, number in hub.connections_by_role().items():
        roles.add_metric([role], number)
    yield roles
    counts: Any = hub.counts()
    sessions = GaugeMetricFamily(PREFIX + "sessions", "Sessions by state", labels=["state"])
    sessions.add_metric(["open"], counts["clients"])
    sessions.add_metric(["pending"], counts["pendingClients"])
    yield sessions
    yield gauge("homes", "Remote IDs that are held by a connection", counts["servers"])
    yield gauge(
        "blocked_addresses", "Addresses whose lookups are blocked", counts["rateLimiter"]["blockedIps"]
    )
    yield gauge("sockets", "Open sockets of any kind", capacity.open)
    yield gauge("unsent_bytes", "Bytes that wait for slow peers", capacity.unsent)
    messages = CounterMetricFamily(
        PREFIX + "messages", "Messages that came, by type and sender", labels=["type", "sender"]
    )
    size = CounterMetricFamily(
        PREFIX + "message_bytes", "Their bytes, by type and sender", labels=["type", "sender"]
    )
    for type, traffic in hub.traffic():
        for sender, tally in (("home", traffic.from_homes), ("client", traffic.from_clients)):
            messages.add_metric([type, sender], tally.messages)
            size.add_metric([type, sender], tally.bytes)
    yield messages
    yield size


def _build() -> Iterator[Metric]:
    """Which versions run."""
    labels = {name: version(name) for name in ("twisted", "autobahn")}
    labels |= {"version": __version__, "python": platform.python_version()}
    info = GaugeMetricFamily(PREFIX + "build_info", "Versions; the value is always 1", labels=list(labels))
    info.add_metric(list(labels.values()), 1)
    yield info
