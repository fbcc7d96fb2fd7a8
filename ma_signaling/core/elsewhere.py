"""What the heart needs of the other nodes of a cluster; and the default: there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ma_signaling.core.peer import ClientAddress

if TYPE_CHECKING:
    from ma_signaling.core.home import Home
    from ma_signaling.core.session import Connection, RemoteSession, Session


class Elsewhere(Protocol):
    """The other nodes. None of these methods calls back before it returns."""

    @property
    def is_clustered(self) -> bool:
        """Whether there may be other nodes at all: a Remote ID that is unknown here may be known there."""

    @property
    def is_reachable(self) -> bool:
        """Whether they can be asked now."""

    def look(self, remote_id: str) -> None:
        """Find out who holds a Remote ID, for those who wait.

        ``Registry.moved`` or ``Hub.nobody`` follows, or it is asked again.
        """

    def ask(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        """Find out whether a home is connected: True; False: it is expected back; None: nobody knows it."""

    def story(self, session_id: str, told: Callable[[dict[str, Any] | None], None]) -> None:
        """Find out what happened in a session that is unknown here."""

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """``newcomer`` wants a Remote ID that nobody holds here: a verdict follows."""

    def withdrawn(self, remote_id: str, newcomer: Connection) -> None:
        """``newcomer``, which may have claimed a Remote ID, wants it no longer."""

    def granted(self, home: Home, *, evicting: bool, is_new: bool) -> None:
        """``home.connection`` holds a Remote ID from now on.

        ``evicting``: the sessions of the holder before weren't handed on; ``is_new``: none was known here.
        """

    def refreshed(self, home: Home) -> None:
        """A home has registered other ICE servers."""

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None:
        """``holder``, which was here, has let go of ``home``; with ``goodbye``, its sessions end."""

    def dropped(self, home: Home) -> None:
        """Nothing is known here of a home any more."""

    def ended(self, session: Session) -> None:
        """A session has ended of which the home's node may not hear otherwise."""

    def say(self, home: Home, session: RemoteSession, payload: bytes) -> None:
        """A home here has sent something to a client elsewhere."""

    def crowd_out(self, home: Home, session: RemoteSession) -> None:
        """A session of a client elsewhere makes way for another."""

    def blocked(self, key: str, seconds: float) -> None:
        """The lookups of an address are blocked."""

    def senior(self, remote_id: str, owner: ClientAddress) -> None:
        """An address has held a Remote ID for long enough to be its senior."""

    def counts(self) -> dict[str, object]:
        """What /health tells of the cluster."""


class Nowhere:
    """A server on its own."""

    is_clustered = False
    is_reachable = False

    def look(self, remote_id: str) -> None: ...

    def ask(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        told(None)

    def story(self, session_id: str, told: Callable[[dict[str, Any] | None], None]) -> None:
        told(None)

    def claim(self, remote_id: str, newcomer: Connection) -> None: ...

    def withdrawn(self, remote_id: str, newcomer: Connection) -> None: ...

    def granted(self, home: Home, *, evicting: bool, is_new: bool) -> None: ...

    def refreshed(self, home: Home) -> None: ...

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None: ...

    def dropped(self, home: Home) -> None: ...

    def ended(self, session: Session) -> None: ...

    def say(self, home: Home, session: RemoteSession, payload: bytes) -> None: ...

    def crowd_out(self, home: Home, session: RemoteSession) -> None: ...

    def blocked(self, key: str, seconds: float) -> None: ...

    def senior(self, remote_id: str, owner: ClientAddress) -> None: ...

    def counts(self) -> dict[str, object]:
        return {}
