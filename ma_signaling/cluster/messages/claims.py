"""Messages about newcomers, which want a Remote ID (docs/cluster.md, *How it works*)."""

from __future__ import annotations

from ma_signaling.cluster.messages.base import NodeMessage
from ma_signaling.core.contest import Refusal, WonBy
from ma_signaling.core.peer import ClientAddress


class OfNewcomer(NodeMessage):
    """A message about a newcomer of mine."""

    remote_id: str
    connection: str
    """The newcomer's."""

    @property
    def newcomer(self) -> tuple[str, str, str]:
        """What no other newcomer has: Remote ID, node and connection."""
        return self.remote_id, self.sender, self.connection


class Claim(OfNewcomer):
    """To ``home``: my newcomer wants it."""

    question: int
    address: str
    shared: bool
    holds: bool
    """Whether I hold it as well, and this is the conflict."""
    at: float
    """Since when, as calendar time in seconds."""

    @property
    def order(self) -> tuple[float, str]:
        """The sort key: the least claim goes first."""
        return self.at, self.sender

    @property
    def client_address(self) -> ClientAddress:
        """The newcomer's address, as far as other nodes need it."""
        return ClientAddress(self.address, self.address, self.shared)


class Withdrawn(OfNewcomer):
    """To ``home``: my newcomer doesn't want it any more."""


class Answer(NodeMessage):
    """An answer to a claim."""

    question: int
    """The claim's."""


class Wait(Answer):
    """To ``node``: there will be a verdict."""


class NoObjection(Answer):
    """To ``node``: I have nothing against it."""


class Undecided(Answer):
    """To ``node``: there will be no verdict of mine, so claim again."""


class Granted(Answer):
    """To ``node``: your newcomer gets it."""

    remote_id: str
    connection: str
    how: WonBy | None = None
    """How it was won from another connection; None if I only expected the home back."""
    term: float | None = None
    """The term from which news goes on; None if it was granted before."""


class Refused(Answer):
    """To ``node``: your newcomer doesn't get it."""

    why: Refusal


class Prove(Answer):
    """To ``node``: ask your newcomer for proof. An earlier asking of the same newcomer ends without an outcome."""

    asking: int
    """The number of this asking."""


class ProofOutcome(OfNewcomer):
    """To ``node``: what came of an asking. Only the latest one counts: others are of contests that are over."""

    asking: int
    given: bool
    reason: str | None = None
    """Why none was given; None if the newcomer was not asked."""
