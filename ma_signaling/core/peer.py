"""Interfaces that the core is given: peers to talk to, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

NEVER = -inf
"""Earlier than any time. One object for all uses, to save memory."""


class Timer(Protocol):
    """A scheduled call that hasn't happened yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time in seconds, and scheduled calls. It has the names of Twisted's IReactorTime, so a reactor is a clock."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> Timer: ...


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """Where a connection comes from, as far as this server can tell.

    ``text`` is the address as it is shown; ``key`` is what limits count by (IPv6: the /64). ``shared``: many clients
    have this address here, so an equal key says nothing. ``is_exempt``: the operator has exempted it from limits by
    address. ``named`` are other addresses of which a ban holds: those of which one may be the client's, if it isn't
    certain, and the IPv6 address in which ``text`` is embedded.
    """

    text: str
    key: str
    shared: bool = False
    is_exempt: bool = False
    named: tuple[str, ...] = field(default=(), compare=False)

    def is_surely(self, other: ClientAddress) -> bool:
        """Return whether both are known to be the same address."""
        return self.key == other.key and not (self.shared or other.shared)


class Peer(Protocol):
    """The far end of one connection. None of these methods calls back before it returns."""

    @property
    def congested(self) -> bool:
        """Whether more than half of this peer's send buffer is used."""

    def send(self, message: bytes) -> None:
        """Send one JSON message; does nothing while the connection is closing."""

    @property
    def keeps_up(self) -> bool:
        """Whether this peer's send buffer is empty."""

    def send_all(self, messages: list[bytes]) -> None:
        """Send messages as ``send`` does, but by one write, to a peer that ``keeps_up``."""

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping; until it is answered, later keep-alive pings carry this payload too."""

    def pause_reading(self, seconds: float) -> None:
        """Stop reading for a while, since this peer has sent more than its budget allows."""

    def after_reading(self, call: Callable[[], None]) -> None:
        """Call ``call`` once everything that has arrived from this peer was read, never before this returns.

        For verdicts at a timeout: on a lagging loop a timer may fire before an answer is read that came in time. The
        call is delayed by the lag of the loop. It is made even if the connection ends meanwhile.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin a closing handshake."""

    def drop(self) -> None:
        """Cut the connection without a close frame."""


class LocalPeer(Peer, Protocol):
    """The far end of a connection to this node."""

    def give_way(self) -> None:
        """End the connection (``ending.MAKE_WAY``), since another one needs its place."""
