"""Messages in and about sessions: the client's node and the home's."""

from __future__ import annotations

from typing import Self

from msgspec import Struct, structs

from ma_signaling.cluster.messages.base import NodeMessage
from ma_signaling.core.session import Negotiation


class FromClient(NodeMessage):
    """A message in a session, of the client's node."""

    remote_id: str
    connection: str
    """The home's connection."""
    session: str


class ToHome(FromClient):
    """To ``node``: the body is for the home. Of ICE candidates there may be several, which came together."""

    address: str
    """The key of the client's address."""
    is_answered: bool
    """Whether the home has answered."""
    announcement: int
    """Which announcement of the session this follows, or is."""
    type: str

    def part(self, start: int, end: int) -> Self:
        """Return the message for some of its candidates."""
        return self


class Detach(FromClient):
    """To ``node``: this session has ended."""


class Attached(Struct, array_like=True):
    """A session in ``Attach``."""

    session: str
    address: str
    announcement: int
    negotiation: Negotiation


class Attach(NodeMessage):
    """To ``node``: these sessions go on with your home. Said again whenever its registration is."""

    remote_id: str
    connection: str
    sessions: list[Attached]


class Undeliverable(NodeMessage):
    """To ``node``: the client could not be sent that. The body is the error for the home."""

    remote_id: str
    connection: str


class FromHome(NodeMessage):
    """A message in a session, of the home's node."""

    remote_id: str
    session: str


class ToClient(FromHome):
    """To ``node``: the body is for the client. Of ICE candidates there may be several, which came together."""

    type: str
    places: bytes
    """The candidates in all bodies, a byte each, as the session's trace counts them (``candidate_counts.places``)."""
    announcement: int
    """The latest announcement that the home had heard."""

    def part(self, start: int, end: int) -> Self:
        """Return the message for some of its candidates."""
        return structs.replace(self, places=self.places[start:end])


class SessionReady(FromHome):
    """To ``node``: the home is ready. The body has its ICE servers, if it gave any."""


class Offered(FromHome):
    """To ``node``: the home has got an offer that waited during a contest."""


class Busy(FromHome):
    """To ``node``: the home didn't take that."""

    type: str


class Full(FromHome):
    """To ``node``: the home has no room for that session."""

    wait: float
    """Seconds after which the client may try again."""


class NotHere(NodeMessage):
    """To ``node``: that connection isn't here, or doesn't hold the Remote ID any more."""

    remote_id: str
    connection: str
