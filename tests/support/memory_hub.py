"""The core without a network: a clock that only a test moves, and peers that remember what they were sent.

world = World(grace=0)
home = world.connect("192.0.2.1")
home.say("register-server", remoteId="HOME")
assert home.heard == [{"type": "registered", "remoteId": "HOME"}]
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import Access
from ma_signaling.core.capacity import UNLIMITED, Capacity
from ma_signaling.core.connection import Connection
from ma_signaling.core.ending import BREAK, GOODBYE, MAKE_WAY
from ma_signaling.core.events import Event
from ma_signaling.core.hub import Hub
from ma_signaling.core.other_nodes import Elsewhere
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.prover import Prover
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.transport.client_address import describe, parse
from tests.support.fake_clock import FakeClock

Message = dict[str, Any]


def address(text: str, *, shared: bool = False) -> ClientAddress:
    """Return the address of a neighbour without forwarding headers; `shared`: with headers that aren't trusted."""
    parsed = parse(text)
    assert parsed is not None, text
    return replace(describe(parsed), shared=shared)


class FakePeer:
    """The far end of a connection: the core sends to it, and the test plays it.

    After `close` or `drop` it receives nothing more, as on a real socket. Only `goodbye` or `breaks` tell the hub that
    it is gone.
    """

    def __init__(self, hub: Hub, address: ClientAddress) -> None:
        self.heard: list[Message] = []
        """The messages that it was sent, parsed; `raw` has them as bytes."""
        self.raw: list[bytes] = []
        self.pings: list[bytes] = []
        """The payloads of the WebSocket pings."""
        self.closed: tuple[int, str] | None = None
        """The code and the reason of the closing handshake that the hub began."""
        self.pauses: list[float] = []
        """For how long reading was paused, each time."""
        self.dropped = False
        self.congested = False
        self.lags = False
        """Whether data waits for it, less than would make it congested."""
        self.left = False
        """Whether it has said goodbye, or broken."""
        self._hub = hub
        self.connection: Connection = hub.connected(self, address)

    def __repr__(self) -> str:
        return f"<{self.connection.id} from {self.connection.address.text}>"

    @property
    def is_there(self) -> bool:
        """Whether the connection is open, as both sides see it."""
        return self.closed is None and not self.dropped and not self.left

    # From the core (ma_signaling.core.peer.Peer)

    def send(self, message: bytes) -> None:
        """Record a message."""
        if self.is_there:
            self.raw.append(message)
            self.heard.append(json.loads(message))

    @property
    def keeps_up(self) -> bool:
        """Whether nothing waits for it."""
        return not (self.congested or self.lags)

    def send_all(self, messages: list[bytes]) -> None:
        """Record messages."""
        for message in messages:
            self.send(message)

    def ping(self, payload: bytes) -> None:
        """Record a ping."""
        self.pings.append(payload)

    def give_way(self) -> None:
        """Make way for another connection."""
        self._hub.end(self.connection, MAKE_WAY)

    def pause_reading(self, seconds: float) -> None:
        """Record the pause; reading goes on, since a test's messages are delivered immediately."""
        self.pauses.append(seconds)

    def after_reading(self, call: Callable[[], None]) -> None:
        """Make the call in the next turn, at the same time of the test's clock."""
        self._hub._clock.callLater(0, call)

    def close(self, code: int, reason: str) -> None:
        """Be closed."""
        assert self.is_there, f"{self} was closed or dropped before"
        self.closed = code, reason

    def drop(self) -> None:
        """Be dropped."""
        assert self.is_there, f"{self} was closed or dropped before"
        self.dropped = True

    # From a test

    def say(self, type: str, **fields: object) -> None:
        """Send a message to the hub."""
        self.say_bytes(json.dumps({"type": type, **fields}).encode())

    def say_bytes(self, payload: bytes) -> None:
        """Send bytes to the hub, which need not be a message."""
        self._hub.received(self.connection, payload)

    def say_together(self, payloads: list[bytes]) -> None:
        """Send messages that the hub gets by one read."""
        while payloads:
            payloads = payloads[self._hub.received_some(self.connection, payloads) :]

    def pong(self, payload: bytes | None = None) -> None:
        """Answer the latest ping, or with another payload."""
        self._hub.pong(self.connection, self.pings[-1] if payload is None else payload)

    def goodbye(self) -> None:
        """Leave with a close frame that says so."""
        self.left = True
        self._hub.end(self.connection, GOODBYE)

    def breaks(self) -> None:
        """End the connection without a goodbye; also follows a `close` or a `drop`."""
        self.left = True
        self._hub.end(self.connection, BREAK)

    def types(self) -> list[str]:
        """Return the types of the messages that it was sent."""
        return [message["type"] for message in self.heard]

    def codes(self) -> list[str]:
        """Return the codes of the errors that it was sent."""
        return [message["code"] for message in self.heard_of("error")]

    def heard_of(self, type: str) -> list[Message]:
        """Return the messages of this type."""
        return [message for message in self.heard if message["type"] == type]

    def forget(self) -> list[Message]:
        """Return the messages so far; `heard` and `raw` begin anew."""
        heard, self.heard, self.raw = self.heard, [], []
        return heard


class World:
    """A hub on a clock of its own, with the default settings except for those that are given."""

    TURN_SECRET = b"shared with the relay"

    def __init__(
        self,
        clock: FakeClock | None = None,
        elsewhere: Elsewhere | None = None,
        capacity: int = UNLIMITED,
        prover: Prover | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.events: list[tuple[Event, dict[str, object]]] = []
        self.settings = Settings(**{"start_grace": 0, **settings})
        self._log = EventLog("network", FakeClock())
        self.hub = Hub(
            self.settings,
            self.clock,
            self._report,
            Access(),
            self.wall,
            elsewhere,
            prover=prover,
            capacity=Capacity(capacity),
        )
        self.hub.ice_servers.secret = self.TURN_SECRET

    def connect(self, text: str = "192.0.2.1", *, shared: bool = False) -> FakePeer:
        """Return a new connection of an address, which must be within its limits."""
        wait = self.admit(text)
        assert wait == 0, f"{text} may connect in {wait:g} seconds"
        return FakePeer(self.hub, address(text, shared=shared))

    def admit(self, text: str) -> float:
        """Return the seconds until this address may connect, `inf` for never, without connecting."""
        error = self.hub.entrance.admit(address(text), None)
        return 0 if error is None else error.retry_after or math.inf

    def home(self, remote_id: str = "HOME", text: str = "192.0.2.1", **fields: object) -> FakePeer:
        """Return a new connection that has registered, and has forgotten the answer."""
        peer = self.connect(text)
        peer.say("register-server", remoteId=remote_id, **fields)
        assert peer.forget()[0] == {"type": "registered", "remoteId": remote_id.upper()}
        return peer

    def client(self, remote_id: str = "HOME", text: str = "198.51.100.1") -> FakePeer:
        """Return a new connection that asks for a home."""
        peer = self.connect(text)
        peer.say("connect-request", remoteId=remote_id)
        return peer

    def session(self, home: FakePeer, client: FakePeer) -> str:
        """Open the session of a client that has just asked for this home; both peers forget their messages."""
        session_id: str = home.heard_of("client-connected")[-1]["sessionId"]
        home.say("session-ready", sessionId=session_id)
        assert client.heard[-1]["sessionId"] == session_id
        home.forget()
        client.forget()
        return session_id

    def is_online(self, asker: ClientAddress, remote_id: str) -> object:
        """Return what `/api/check` tells, or raise its error."""
        told: list[object] = []
        self.hub.lookups.ask_online(asker, remote_id, told.append)
        (answer,) = told
        return answer

    def trace(self, session_id: str) -> Any:
        """Return what `/api/sessions` tells, None if it knows nothing."""
        told: list[object] = []
        self.hub.lookups.trace(address("198.51.100.9"), session_id, told.append)
        (answer,) = told
        return answer

    def wall(self) -> float:
        """Return the calendar time in seconds."""
        return 1_800_000_000 + self.clock.seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def reported(self) -> list[Event]:
        """Return the reported events, without details."""
        return [event for event, _ in self.events]

    def _report(self, event: Event, /, **details: object) -> None:
        self.events.append((event, details))
        self._log.write(event, details)
