"""What an operator reads: one line for each event that matters, none for a message.

A Remote ID is half a secret and an address is personal: the log shows the first four characters and a keyed hash of the
one, the network of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from twisted.logger import Logger, LogLevel

from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress, Clock
from ma_signaling.core.sliding_window import MINUTE
from ma_signaling.monitoring.pseudonyms import Pseudonyms

_LINES = {
    Event.HOME_REGISTERED: (LogLevel.info, "{connection} ({address}): home {remote_id} registered"),
    Event.HOME_RETURNED: (LogLevel.info, "{connection} ({address}): home {remote_id} is back"),
    Event.HOME_LEFT: (LogLevel.info, "{connection}: home {remote_id} left"),
    Event.HOME_LOST: (LogLevel.info, "{connection}: home {remote_id} lost, waiting for its return"),
    Event.HOME_EXPIRED: (LogLevel.info, "home {remote_id} did not return in time"),
    Event.HOME_REPLACED: (LogLevel.info, "{connection}: takes home {remote_id} over from its old connection"),
    Event.HOME_NOT_ALLOWED: (
        LogLevel.warn,
        "{connection} ({address}): home {remote_id} is not allowed here",
    ),
    Event.TAKEOVER_TRIED: (
        LogLevel.warn,
        "{connection} ({address}): wants home {remote_id}, which another address holds",
    ),
    Event.TAKEOVER_REFUSED: (LogLevel.warn, "{connection}: refused, home {remote_id} is alive"),
    Event.TAKEOVER_WON: (LogLevel.warn, "home {remote_id} gave no sign of life, it goes to a newcomer"),
    Event.SESSION_OPENED_UNREADY: (
        LogLevel.info,
        "session {session}: home {remote_id} never said session-ready, its client is told all the same",
    ),
    Event.ADDRESS_BLOCKED: (LogLevel.warn, "{address} guesses Remote IDs: its lookups are blocked"),
    Event.PEER_CLOSED: (LogLevel.info, "{connection}: closed with {code} {reason}"),
    Event.FORWARDING_IGNORED: (
        LogLevel.warn,
        "a neighbour sends forwarding headers that are ignored: if it is your proxy, name it with --trusted-proxies,"
        " and its header with --client-ip-header (said once)",
    ),
    Event.PEER_DROPPED: (LogLevel.info, "{connection}: cut off, {reason}"),
}
"""Events that are not here are for counting only."""


_MOST_A_MINUTE = dict.fromkeys(
    (
        Event.HOME_NOT_ALLOWED,
        Event.TAKEOVER_TRIED,
        Event.TAKEOVER_REFUSED,
        Event.TAKEOVER_WON,
        Event.ADDRESS_BLOCKED,
        Event.PEER_CLOSED,
        Event.PEER_DROPPED,
        Event.SESSION_OPENED_UNREADY,
    ),
    20,
) | dict.fromkeys(
    (
        Event.HOME_REGISTERED,
        Event.HOME_RETURNED,
        Event.HOME_REPLACED,
        Event.HOME_LEFT,
        Event.HOME_LOST,
        Event.HOME_EXPIRED,
    ),
    1000,
)
"""How many lines there are of what anybody can cause as often as they like; the rest are counted."""


class EventLog:
    """Writes reported events to Twisted's log."""

    def __init__(self, addresses: str, clock: Clock) -> None:
        self._addresses = addresses
        self._pseudonyms = Pseudonyms()
        self._clock = clock
        self._log = Logger(namespace="ma_signaling")
        self._said: Counter[Event] = Counter()
        """How often each of what strangers cause has happened in its minute."""

    def __call__(self, event: Event, /, **details: object) -> None:
        """Log one event; safe to call with any details."""
        try:
            self.write(event, details)
        except Exception as problem:  # noqa: BLE001 - what happens must not depend on what can be said of it
            # Only what kind of problem: its text may be what must not be logged.
            self._log.error("no line for {event}: {problem}", event=event, problem=type(problem).__name__)

    def write(self, event: Event, details: Mapping[str, object]) -> None:
        """Log one event; raises whatever goes wrong."""
        if event not in _LINES or not self._may_say(event):
            return
        level, line = _LINES[event]
        readable = {name: self._readable(name, each) for name, each in details.items()}
        self._log.emit(level, "{line}", line=line.format_map(readable), event=event, details=readable)

    def _may_say(self, event: Event) -> bool:
        if event not in _MOST_A_MINUTE:
            return True
        if event not in self._said:
            self._clock.callLater(MINUTE, self._minute_over, event)
        self._said[event] += 1
        return self._said[event] <= _MOST_A_MINUTE[event]

    def _minute_over(self, event: Event) -> None:
        unsaid = self._said.pop(event) - _MOST_A_MINUTE[event]
        if unsaid > 0:
            line = f"{unsaid} more within a minute that were not logged: {event}"
            self._log.emit(_LINES[event][0], "{line}", line=line, event=event, details={"count": unsaid})

    def _readable(self, name: str, value: object) -> object:
        if name == "remote_id":
            return self._pseudonyms.of_remote_id(str(value))
        if name == "session":
            return self._pseudonyms.of(str(value))
        return self._readable_address(value) if isinstance(value, ClientAddress) else value

    def _readable_address(self, address: ClientAddress) -> str:
        if self._addresses == "none":
            return "an address"
        return address.text if self._addresses == "full" else network_of(address)


def network_of(address: ClientAddress) -> str:
    """The network that an address is in, as the log shows it: /24 of IPv4, /48 of IPv6."""
    # Of one on another node only the key is known, which is a network already.
    text = address.text.partition("/")[0]
    if ":" in text:
        return str(ip_network(f"{text}/48", strict=False))
    return text.rpartition(".")[0] + ".0/24"


class _Silence:
    """The log lines of libraries name addresses whatever the settings say; ours tell an operator what matters."""

    def _ignore(self, *_: object, **__: object) -> None: ...

    trace = debug = info = warn = error = critical = _ignore


SILENCE: Any = _Silence()
