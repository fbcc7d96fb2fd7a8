"""Players who use a cluster, their calls, and the letters (forwarded messages) in these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.remote_id import is_fingerprint
from tests.model.game import BaseCall, BasePlayer, Brief
from tests.support.memory_hub import Message

if TYPE_CHECKING:
    from tests.model.cluster_referee import Referee

SIGN_OF_LIFE = 0.05
"""Seconds that a peer takes to answer a ping."""

PROOF = 0.3
"""Seconds that a peer takes to prove that it holds a key, or to fail."""


class Player(BasePlayer["Call"]):
    """A peer at a node."""

    def __init__(
        self,
        referee: Referee,
        node: int,
        address: ClientAddress,
        *,
        is_silent: bool = False,
        has_key: bool = False,
    ) -> None:
        self.cluster = referee.cluster
        self.node = node
        self.is_silent = is_silent
        """Whether it answers neither pings nor requests for proof."""
        self.has_key = has_key
        """Whether it holds the keys of all Remote IDs that can be proved."""
        self.proof_sessions: list[str] = []
        """Open sessions in which it is asked for proof."""
        self.asked: dict[str, float] = {}
        """When it last asked to register a Remote ID."""
        self.waits_for = ""
        """The Remote ID for which it waits."""
        self.remote_id = ""
        """The Remote ID that it holds, as far as it has been told."""
        self.registered_at = 0.0
        self.held: dict[str, float] = {}
        """When it got each Remote ID that it has ever held."""
        self.gone_at: float | None = None
        self.said_goodbye = False
        super().__init__(self.cluster.worlds[node].hub, address, referee)

    def __repr__(self) -> str:
        return f"<{self.connection.id} at n{self.node} from {self.address.text}>"

    @property
    def is_home(self) -> bool:
        """Whether it is connected, and holds a Remote ID."""
        return self.is_there and bool(self.remote_id)

    def can_prove(self, remote_id: str) -> bool:
        """Return whether it proves that it holds the key of a Remote ID, when it is asked."""
        return self.has_key and not self.is_silent and is_fingerprint(remote_id)

    def asked_for_proof(self, session_id: str) -> None:
        """Answer in a session in which it is asked for proof."""
        self.proof_sessions.append(session_id)
        if not self.is_silent:
            self.cluster.clock.callLater(PROOF, self._prove, session_id)

    def _prove(self, session_id: str) -> None:
        asking = self.connection.asking
        if not self.is_there or session_id not in self.proof_sessions:
            return
        assert asking is not None and asking.session_id == session_id
        if self.has_key:
            asking.proved()
        else:
            asking.failed("another certificate")

    def ping(self, payload: bytes) -> None:
        super().ping(payload)
        if not self.is_silent:
            self.cluster.clock.callLater(SIGN_OF_LIFE, self._answer, payload)

    def _answer(self, payload: bytes) -> None:
        if self.is_there:
            self.pong(payload)


@dataclass(eq=False, repr=False, kw_only=True)
class Call(BaseCall[Player]):
    """A call to the holder of a Remote ID."""

    remote_id: str
    home: Player | None = None
    """The last home that took part in it."""
    answered_by: Player | None = None
    told: list[Player] = field(default_factory=list)
    """The homes that have heard of it, but not of its end."""
    may_tell: bool = False
    """Whether its home may hear of its end."""


@dataclass(eq=False)
class Letter(Brief):
    """A message to be forwarded."""

    fields: Message
    sender: Player
    call: Call
    at: float
    is_owed: bool
    """Whether its call was open."""
    arrived: bool = False
    is_delivered: bool = False
    """Whether it has arrived since its home was last told of the call."""

    def __repr__(self) -> str:
        return f"<letter {self.fields['data']} of {self.sender}>"


@dataclass
class Event:
    """Something that happened to a Remote ID's holders."""

    at: float
    remote_id: str
    is_orderly: bool
    """Whether existing calls go on."""
