"""What the core is given: peers to talk to, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

NEVER = -inf
"""Before any time. One for all: Python makes a new number each time that it computes one."""


class Timer(Protocol):
    """A scheduled call that hasn't happened yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time in seconds, and scheduled calls. It has the names of Twisted's IReactorTime, so a reactor is a clock."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> Timer: ...


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """Who a connection comes from, as far as this server can tell.

    ``text`` is the address for a person to read; ``key`` is what limits count by (IPv6: the /64); ``shared`` means that
    everybody looks the same from here, so that an equal key says nothing. ``is_exempt``: the operator has exempted it
    from what is counted by address. ``named`` are the addresses of which one may be its own, where that can't be told,
    and the IPv6 address that ``text`` is inside of: a ban of any holds.
    """

    text: str
    key: str
    shared: bool = False
    is_exempt: bool = False
    named: tuple[str, ...] = field(default=(), compare=False)

    def is_surely(self, other: ClientAddress) -> bool:
        """Return whether both are known to be the same place."""
        return self.key == other.key and not (self.shared or other.shared)


class Peer(Protocol):
    """The far end of one connection. None of these methods calls back before it returns."""

    @property
    def congested(self) -> bool:
        """Whether more than half of this peer's send buffer is used."""

    def send(self, message: bytes) -> None:
        """Send one JSON message; while the connection is closing, do nothing."""

    @property
    def keeps_up(self) -> bool:
        """Whether nothing waits in this peer's send buffer."""

    def send_all(self, messages: list[bytes]) -> None:
        """Send messages to a peer that ``keeps_up``, as ``send`` does, by one write."""

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping; until it is answered, later keep-alive pings carry this payload too."""

    def pause_reading(self, seconds: float) -> None:
        """Take in nothing more for a while, for this peer has sent more than its budget allows."""

    def after_reading(self, call: Callable[[], None]) -> None:
        """Call ``call`` once all that has arrived from this peer by now was taken in, never before this returns.

        For a verdict that a timer proposes: on a loop that lags, a timer may be due before an answer is read that came
        in time. Where the loop lagged, the call comes later by as much. It also comes if the connection ends meanwhile.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin a closing handshake."""

    def drop(self) -> None:
        """Cut the connection without a close frame."""


class LocalPeer(Peer, Protocol):
    """The far end of a connection to this node."""

    def give_way(self) -> None:
        """End the connection (``ending.MAKE_WAY``): another one needs its place."""
