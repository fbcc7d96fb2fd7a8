"""Writes a log line for each event that matters to an operator.

Whoever knows a Remote ID can ask for its home, and an address is personal data. So the log shows only the first four
characters and a keyed hash of a Remote ID, and only the network of an address.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger, LogLevel

from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress, Clock
from ma_signaling.monitoring.address_policy import AddressPolicy
from ma_signaling.monitoring.line_budget import MAX_LINES, LineBudget
from ma_signaling.monitoring.log_writer import is_debugging
from ma_signaling.monitoring.pseudonyms import Pseudonyms

_LINES = {
    Event.HOME_REGISTERED: (LogLevel.info, "{connection} ({address}): home {remote_id} registered"),
    Event.HOME_RETURNED: (LogLevel.info, "{connection} ({address}): home {remote_id} is back"),
    Event.HOME_LEFT: (LogLevel.info, "{connection}: home {remote_id} left after {lasted}{why}"),
    Event.HOME_LOST: (
        LogLevel.info,
        "{connection}: home {remote_id} lost after {lasted}{why}, its grace time begins",
    ),
    Event.HOME_EXPIRED: (LogLevel.info, "home {remote_id} did not return within its grace time"),
    Event.HOME_NOT_ALLOWED: (
        LogLevel.warn,
        "{connection} ({address}): home {remote_id} is not allowed here",
    ),
    Event.TAKEOVER: (
        LogLevel.warn,
        "{connection} ({address}): registers home {remote_id}, which {holder} holds: {verdict}",
    ),
    Event.CERTIFICATE_SHARED: (
        LogLevel.warn,
        "{connection}: another server has the certificate of home {remote_id} as well, maybe from a backup: each takes"
        " the Remote ID from the other (logged once a day)",
    ),
    Event.SESSION_OPENED_UNREADY: (
        LogLevel.info,
        "session {session}: no session-ready from home {remote_id}, the client was sent connected without it",
    ),
    Event.SESSION_FAILED: (
        LogLevel.info,
        "session {session} of home {remote_id} failed after {lasted}: {reason}",
    ),
    Event.SESSION_ENDED: (
        LogLevel.info,
        "session {session} of home {remote_id} ended after {lasted}: {end}{why}",
    ),
    Event.ADDRESS_BLOCKED: (LogLevel.warn, "{address} guessed too many Remote IDs, its lookups are blocked"),
    Event.PEER_CLOSED: (LogLevel.info, "{connection}: closed with {code} {reason}"),
    Event.FORWARDING_IGNORED: (
        LogLevel.warn,
        "ignored the forwarding headers of a peer that is not a trusted proxy; if it is your proxy, name it with"
        " --trusted-proxies, and its header with --client-ip-header (logged once)",
    ),
    Event.FORWARDING_UNUSABLE: (
        LogLevel.warn,
        "a trusted proxy sent forwarding headers that are malformed or disagree, so its client counts under the"
        " proxy's address; let the proxy replace its clients' headers, and name its own with --client-ip-header"
        " (logged once)",
    ),
    Event.CLIENT_NOT_NAMED: (
        LogLevel.warn,
        "a WebSocket came from a trusted address, and no header names its client: if a proxy is there, all its clients"
        " count as one; let it set X-Forwarded-For, or name its header with --client-ip-header (logged once)",
    ),
    Event.WRONG_PROTOCOL: (LogLevel.warn, "closed a socket: {mistake}"),
    Event.PEER_DROPPED: (LogLevel.info, "{connection}: dropped, {reason}"),
}

MAX_FREQUENT_LINES = 1000
"""The most lines within a minute for each of the ``_FREQUENT`` events."""

_FREQUENT = frozenset(
    {
        Event.HOME_REGISTERED,
        Event.HOME_RETURNED,
        Event.HOME_LEFT,
        Event.HOME_LOST,
        Event.HOME_EXPIRED,
        Event.SESSION_ENDED,
    }
)


class EventLog:
    """Writes reported events to Twisted's log; those without a line in ``_LINES`` only for debugging."""

    def __init__(self, addresses: str, clock: Clock) -> None:
        self._addresses = AddressPolicy(addresses)
        self._pseudonyms = Pseudonyms()
        self._budget = LineBudget(clock, self._tell_left_out)
        self._log = Logger(namespace="ma_signaling")

    def take(self, event: Event, details: Mapping[str, object]) -> None:
        """Log one event. Never raises."""
        try:
            self.write(event, details)
        except Exception as problem:  # noqa: BLE001 - a fault in the log must not change what the server does
            # Without the exception's text, which may contain private data.
            self._log.error("no line for {event}: {problem}", event=event, problem=type(problem).__name__)

    def write(self, event: Event, details: Mapping[str, object]) -> None:
        """Log one event. Raises any exception."""
        if event not in _LINES or details.get("told", False):
            if is_debugging() and self._budget.may_write(event, MAX_FREQUENT_LINES):
                readable = self._readable(details)
                about = " ".join(f"{name}={each}" for name, each in readable.items())
                self._write(LogLevel.debug, f"{event}: {about}", event, readable)
            return
        if not self._budget.may_write(event, MAX_FREQUENT_LINES if event in _FREQUENT else MAX_LINES):
            return
        level, line = _LINES[event]
        readable = self._readable(details)
        why = readable.get("why")
        shown = {
            **readable,
            "lasted": duration(details.get("lasted")),
            "why": f" ({why})" if why else "",
        }
        self._write(level, line.format_map(shown), event, readable)

    def _tell_left_out(self, kind: str, count: int) -> None:
        event = Event(kind)
        line = f"{count} more within a minute that were not logged: {event}"
        level = _LINES[event][0] if event in _LINES else LogLevel.debug
        self._write(level, line, event, {"count": count})

    def _write(self, level: Any, line: str, event: Event, details: Mapping[str, object]) -> None:
        # The same as ``Logger.emit`` without its lookup of the level, for speed: homes wait for this.
        self._log.observer(
            {
                "log_logger": self._log,
                "log_namespace": self._log.namespace,
                "log_source": None,
                "log_level": level,
                "log_format": "{line}",
                "log_time": time.time(),
                "line": line,
                "event": event,
                "details": details,
            }
        )

    def _readable(self, details: Mapping[str, object]) -> dict[str, object]:
        """Return ``details`` in the form that may be logged."""
        readable: dict[str, object] = {}
        for name, value in details.items():
            if name == "remote_id":
                readable[name] = self._pseudonyms.of_remote_id(str(value))
            elif name == "session":
                readable[name] = self._pseudonyms.of(str(value))
            elif name == "lasted" and isinstance(value, float):
                readable[name] = round(value, 1)
            elif isinstance(value, ClientAddress):
                readable[name] = self._addresses.show(value.text)
            elif name != "told" and (value or name != "why"):
                readable[name] = value
        return readable


def duration(seconds: object) -> str:
    """Return seconds in a readable form: ``0.4 s``, ``12 s``, ``5 min``, ``3 h 20 min``, ``9 d 4 h``."""
    if not isinstance(seconds, (float, int)):
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
