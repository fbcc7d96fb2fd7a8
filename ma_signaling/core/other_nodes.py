"""The core's interfaces to other nodes of a cluster, one for each caller, and their defaults for a lone server.

No method here calls back before it returns, except on a lone server, where the answer is known immediately.
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
        """Whether there are other nodes, which may know a Remote ID that is unknown here."""

    def look_up(self, remote_id: str) -> None:
        """Find out who holds a Remote ID.

        ``Registry.grant``, ``Lookups.found_away`` or ``Lookups.not_found`` follows, or another ``look_up``.
        """

    def ask_online(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        """Call ``told`` with True if a home is connected, None if no node knows it, False if it is or may be away."""

    def unsure_for(self) -> float:
        """Return for how many more seconds a home that no node knows may turn up, 0 if no node is missing."""


class Announcements(Protocol):
    """What other nodes are told about this node's homes (for ``Registry``)."""

    def granted(self, home: Home, *, is_new: bool) -> None:
        """Tell that ``home.connection`` now holds the Remote ID; ``is_new``: no holder was known here."""

    def confirmed(self, home: Home) -> None:
        """Tell that ``home.connection`` keeps the Remote ID, though another node's holder took precedence."""

    def refreshed(self, home: Home) -> None:
        """Tell that a home has registered other ICE servers, or has proved itself."""

    def wait_for_proof(self, home: Home) -> None:
        """Ask the node of a remote home for its proof, for which answered sessions here wait."""

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None:
        """Tell that ``holder``, a connection of this node, lost ``home``; with ``goodbye`` its sessions end."""

    def dropped(self, home: Home) -> None:
        """Tell that this node has forgotten a home, or expects it no longer."""


class Claims(Protocol):
    """Registrations that other nodes must agree to (for ``Registry``)."""

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """Claim a Remote ID that no other connection here holds, for ``newcomer``; a verdict follows."""

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """Withdraw the claim of ``newcomer``, if it has made one."""


class Relay(Protocol):
    """Sessions that cross nodes (for ``Router`` and ``Sessions``)."""

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None:
        """Send a message of a home here to the node of the session's client.

        ``kind`` is its type, ``places`` what ``candidate_counts.places`` returns for it.
        """

    def forward_all(self, session: RemoteSession, candidates: list[bytes], places: bytes) -> None:
        """Send ICE candidates of a home here to the node of the session's client; ``places`` has one byte for each."""

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None:
        """Tell the client's node that the home here is ready, and the ``ice_servers`` (JSON) that it gave."""

    def offered(self, session: RemoteSession) -> None:
        """Tell the client's node that an offer, which had to wait, was delivered to the home here."""

    def ended(self, session: Session) -> None:
        """Tell the home's node that a session of a client here has ended, without a message to the home."""

    def crowd_out(self, session: RemoteSession) -> None:
        """Tell the client's node that its session was evicted for another one of the same home."""


class NoDirectory:
    """The directory of a lone server."""

    is_clustered = False

    def look_up(self, remote_id: str) -> None: ...

    def ask_online(self, remote_id: str, told: Callable[[bool | None], None]) -> None:
        told(None)

    def unsure_for(self) -> float:
        return 0.0


class NoAnnouncements:
    """The announcements of a lone server."""

    def granted(self, home: Home, *, is_new: bool) -> None: ...

    def confirmed(self, home: Home) -> None: ...

    def refreshed(self, home: Home) -> None: ...

    def wait_for_proof(self, home: Home) -> None: ...

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None: ...

    def dropped(self, home: Home) -> None: ...


class NoClaims:
    """The claims of a lone server."""

    is_reachable = False

    def claim(self, remote_id: str, newcomer: Connection) -> None: ...

    def withdraw(self, remote_id: str, newcomer: Connection) -> None: ...


class NoRelay:
    """The relay of a lone server."""

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
    """The other nodes. ``Elsewhere()`` is for a lone server."""

    directory: Directory = NoDirectory()
    announcements: Announcements = NoAnnouncements()
    claims: Claims = NoClaims()
    relay: Relay = NoRelay()
    find_trace: Callable[[str, Callable[[dict[str, Any] | None], None]], None] = _find_no_trace
    """Find the trace of a session that is unknown here; the callback gets None if no node knows it."""
    share_block: Callable[[str, float], None] = _share_no_block
    """Tell other nodes that the lookups of an address are blocked: its key, and for how many seconds."""
    counts: Callable[[], dict[str, object]] = _no_counts
    """Return what ``/health`` says about the cluster."""
