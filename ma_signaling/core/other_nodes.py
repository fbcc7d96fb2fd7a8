"""What the core asks of the other nodes of a cluster, split by who asks; and the defaults for a server on its own.

No method here calls back before it returns, except on a server on its own: there the answer is known at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ma_signaling.core.connection import Connection
from ma_signaling.core.home import Home
from ma_signaling.core.session import RemoteSession, Session


class Directory(Protocol):
    """Which homes other nodes know (for ``Lookups``)."""

    @property
    def is_clustered(self) -> bool:
        """Whether there may be other nodes: a Remote ID that is unknown here may be known there."""

    def look_up(self, remote_id: str) -> None:
        """Find out who holds a Remote ID.

        ``Registry.grant``, ``Lookups.found_away`` or ``Lookups.not_found`` follows, or it is asked again.
        """

    def ask_online(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        """Find out whether a home is connected: True; False: it isn't, or may turn up; None: no node knows it."""

    def unsure_for(self) -> float:
        """Return for how many seconds more a home that no node knows may turn up, 0 if no node is missed."""


class Announcements(Protocol):
    """What other nodes are told about the homes of this one (for ``Registry``)."""

    def granted(self, home: Home, *, is_new: bool) -> None:
        """``home.connection`` holds a Remote ID from now on; ``is_new``: no holder was known here."""

    def confirmed(self, home: Home) -> None:
        """``home.connection`` holds a Remote ID on, that another node's holder had more right to."""

    def refreshed(self, home: Home) -> None:
        """A home has registered other ICE servers, or has proved itself."""

    def wait_for_proof(self, home: Home) -> None:
        """Answered sessions here wait for the proof of a home on another node."""

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None:
        """``holder``, a connection of this node, no longer holds ``home``; with ``goodbye`` its sessions end."""

    def dropped(self, home: Home) -> None:
        """This node has forgotten a home, or expects it no longer."""


class Claims(Protocol):
    """Registrations that other nodes must agree to (for ``Registry``)."""

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """``newcomer`` wants a Remote ID that no other connection here holds: a verdict follows."""

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """``newcomer``, which may have claimed a Remote ID, doesn't want it any more."""


class Relay(Protocol):
    """Messages of sessions that cross nodes (for ``Router`` and ``Sessions``)."""

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None:
        """Send what a home of this node said to the node of the session's client.

        ``kind`` is the message's type, ``places`` what ``candidate_counts.places`` found in it.
        """

    def forward_all(self, session: RemoteSession, candidates: list[bytes], places: bytes) -> None:
        """Send ICE candidates of a home of this node to the node of the session's client; ``places``: one for each."""

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None:
        """A home of this node is ready for a session; ``ice_servers`` is the JSON list that it gave for it."""

    def offered(self, session: RemoteSession) -> None:
        """A home of this node has got the offer of a session, which has waited."""

    def ended(self, session: Session) -> None:
        """A session of this node's client has ended, and the home may not be told."""

    def crowd_out(self, session: RemoteSession) -> None:
        """A session of another node's client makes way for another session of the same home."""


class NoDirectory:
    """The directory of a server on its own."""

    is_clustered = False

    def look_up(self, remote_id: str) -> None: ...

    def ask_online(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        told(None)

    def unsure_for(self) -> float:
        return 0.0


class NoAnnouncements:
    """The announcements of a server on its own."""

    def granted(self, home: Home, *, is_new: bool) -> None: ...

    def confirmed(self, home: Home) -> None: ...

    def refreshed(self, home: Home) -> None: ...

    def wait_for_proof(self, home: Home) -> None: ...

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None: ...

    def dropped(self, home: Home) -> None: ...


class NoClaims:
    """The claims of a server on its own."""

    is_reachable = False

    def claim(self, remote_id: str, newcomer: Connection) -> None: ...

    def withdraw(self, remote_id: str, newcomer: Connection) -> None: ...


class NoRelay:
    """The relay of a server on its own."""

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None: ...

    def forward_all(self, session: RemoteSession, candidates: list[bytes], places: bytes) -> None: ...

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None: ...

    def offered(self, session: RemoteSession) -> None: ...

    def ended(self, session: Session) -> None: ...

    def crowd_out(self, session: RemoteSession) -> None: ...


def _find_no_trace(session_id: str, told: Callable[[dict[str, Any] | None], None]) -> None:
    told(None)


def _share_no_block(key: str, seconds: float) -> None: ...


def _no_counts() -> dict[str, object]:
    return {}


class Elsewhere(NamedTuple):
    """The other nodes. ``Elsewhere()`` is for a server on its own."""

    directory: Directory = NoDirectory()
    announcements: Announcements = NoAnnouncements()
    claims: Claims = NoClaims()
    relay: Relay = NoRelay()
    find_trace: Callable[[str, Callable[[dict[str, Any] | None], None]], None] = _find_no_trace
    """Find out what happened in a session that is unknown here; the callback hears None if no node knows it."""
    share_block: Callable[[str, float], None] = _share_no_block
    """Tell other nodes that the lookups of an address are blocked: its key, and for how many seconds."""
    counts: Callable[[], dict[str, object]] = _no_counts
    """Return what ``/health`` says about the cluster."""
