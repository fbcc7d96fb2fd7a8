"""The common part of both models: watched players, their calls and letters, and a referee who sees what they hear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress
from tests.support.memory_hub import FakePeer, Message

P = TypeVar("P", bound="BasePlayer[Any]")
C = TypeVar("C", bound="BaseCall[Any]")
L = TypeVar("L")


def same_place(one: ClientAddress, other: ClientAddress) -> bool:
    """Return whether two addresses are surely the same."""
    return one.key == other.key and not one.shared and not other.shared


class Watcher(Protocol):
    """Sees all that happens to players, when it happens."""

    def heard(self, player: Any, message: Message) -> None: ...

    def closed(self, player: Any, code: int) -> None: ...

    def dropped(self, player: Any) -> None: ...


class BasePlayer(FakePeer, Generic[C]):
    """A peer that is watched."""

    def __init__(self, hub: Hub, address: ClientAddress, watcher: Watcher) -> None:
        self.watcher = watcher
        self.address = address
        self.call: C | None = None
        self.was_connected = False
        """Whether it has had a session, and so keeps the role of a client."""
        self.refused = False
        """Whether it was sent `remote-id-taken`, after which only its end may follow."""
        super().__init__(hub, address)

    @property
    def is_client(self) -> bool:
        """Whether it has, or had, a session."""
        return self.call is not None or self.was_connected

    def send(self, message: bytes) -> None:
        if self.is_there:
            super().send(message)
            self.watcher.heard(self, self.heard[-1])

    def close(self, code: int, reason: str) -> None:
        super().close(code, reason)
        self.watcher.closed(self, code)

    def drop(self) -> None:
        super().drop()
        self.watcher.dropped(self)


class Brief:
    """An object that failing examples print by its name, without its content."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


@dataclass(eq=False)
class BaseCall(Brief, Generic[P]):
    """A connect-request, and the session that follows from it."""

    client: P
    at: float
    id: str = ""
    is_open: bool = False
    answered: bool = False
    over: bool = False

    def __repr__(self) -> str:
        return f"<call of {self.client}>"


class BaseReferee(Generic[P, C, L]):
    """Sees every message that any player hears, when it is heard, and hands it to the rule for its type."""

    def __init__(self) -> None:
        self.players: list[P] = []
        self.calls: dict[str, C] = {}
        self.letters: list[L] = []
        self.requesting: C | None = None
        """The call of the player who is asking right now."""
        self.is_sound = True
        """Whether nothing has failed, so that more may be asserted at the end."""

    def there(self) -> list[P]:
        """Return the players who are connected."""
        return [player for player in self.players if player.is_there]

    def heard(self, player: P, message: Message) -> None:
        """Judge a message that a player was sent."""
        was_sound, self.is_sound = self.is_sound, False
        assert not player.refused, f"{player} was refused, and hears {message}"
        match message["type"]:
            case "registered":
                self._registered(player, message["remoteId"])
            case "client-connected":
                self._announced(player, self._call_of(message["sessionId"]))
            case "client-disconnected":
                self._client_disconnected(player, self.calls[message["sessionId"]])
            case "connected":
                assert player.call is not None and not player.call.is_open, f"{player} is answered twice"
                self._connected(player.call, message)
                player.call.is_open = player.was_connected = True
            case "error":
                self._error(player, message["code"])
            case "peer-disconnected":
                assert player.call is not None and player.call.is_open, (
                    f"{player} hears of the end of no call"
                )
                self._peer_disconnected(player.call)
            case "offer" | "answer" | "ice-candidate":
                self._forwarded(player, message, self.letters[message["data"]])
            case _:
                raise AssertionError(f"{player} hears {message}")
        self.is_sound = was_sound

    def _call_of(self, session_id: str) -> C:
        if session_id not in self.calls:
            assert self.requesting is not None, "a session without a request"
            self.name(self.requesting, session_id)
        return self.calls[session_id]

    def name(self, call: C, session_id: str) -> None:
        """Learn that a call has this ID."""
        assert not call.id and session_id not in self.calls
        call.id, self.calls[session_id] = session_id, call

    def letter_fields(self, kind: str, **fields: object) -> Message:
        """Return the fields of the next letter."""
        return {"type": kind, "data": len(self.letters), "more": [kind], **fields}

    @staticmethod
    def end(call: BaseCall[Any]) -> None:
        """End a call for its client."""
        call.over = True
        if call.client.call is call:
            call.client.call = None

    # The rules

    def _registered(self, player: P, remote_id: str) -> None:
        raise NotImplementedError

    def _announced(self, player: P, call: C) -> None:
        raise NotImplementedError

    def _client_disconnected(self, player: P, call: C) -> None:
        raise NotImplementedError

    def _connected(self, call: C, message: Message) -> None:
        raise NotImplementedError

    def _error(self, player: P, code: str) -> None:
        raise NotImplementedError

    def _peer_disconnected(self, call: C) -> None:
        raise NotImplementedError

    def _forwarded(self, player: P, message: Message, letter: L) -> None:
        raise NotImplementedError
