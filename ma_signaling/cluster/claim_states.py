"""The states of a claim, and what changes them, as a table; ``claims`` has the times and the messages."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class State(Enum):
    """How far a claim has come."""

    ASKED = auto()
    """Nobody has answered yet."""
    UNOPPOSED = auto()
    """Somebody heard it who has nothing to say against it; a better answer may follow."""
    PENDING = auto()
    """There will be a verdict."""
    WON = auto()
    LOST = auto()
    WITHDRAWN = auto()


class Heard(Enum):
    """What may happen to a claim: the operations of other nodes, and what its own node sees."""

    WAIT = "wait"
    PROVE = "prove"
    NO_OBJECTION = "no-objection"
    UNDECIDED = "undecided"
    GRANTED = "granted"
    REFUSED = "refused"
    NOBODY = "nobody"
    """No other node holds, expects or claims the Remote ID."""
    TIME_UP = "time up"
    """The time of its state is up."""
    NO_ANSWER = "no answer"
    """As well, and it was asked often enough; or nobody can be asked any more."""
    RIVAL = "rival"
    """Somebody has got the Remote ID, maybe without having heard of the claim."""
    RIVAL_LEFT = "rival left"
    """Another newcomer doesn't want it any more, maybe the one who was to decide."""
    LEFT = "left"
    """The newcomer is gone, or wants something else."""


_ALWAYS = {
    Heard.WAIT: State.PENDING,
    Heard.PROVE: State.PENDING,
    Heard.UNDECIDED: State.ASKED,
    Heard.GRANTED: State.WON,
    Heard.REFUSED: State.LOST,
    Heard.NOBODY: State.WON,
    Heard.NO_ANSWER: State.WON,
    Heard.RIVAL: State.ASKED,
    Heard.LEFT: State.WITHDRAWN,
}

TABLE = {
    State.ASKED: {**_ALWAYS, Heard.NO_OBJECTION: State.UNOPPOSED, Heard.TIME_UP: State.ASKED},
    State.UNOPPOSED: {**_ALWAYS, Heard.TIME_UP: State.WON},
    # Of those that wait for nobody: they would begin anew as often as somebody comes and goes.
    State.PENDING: {**_ALWAYS, Heard.TIME_UP: State.ASKED, Heard.RIVAL_LEFT: State.ASKED},
    State.WON: {},
    State.LOST: {},
    State.WITHDRAWN: {},
}
"""The state that follows; what isn't there changes nothing."""


class OwnClaims(Protocol):
    """The claims of this node."""

    def __contains__(self, remote_id: str) -> bool: ...

    def tell(self, remote_id: str, heard: Heard) -> None:
        """Tell all claims to a Remote ID what was heard."""

    def asked_for(self, remote_id: str) -> None:
        """Another node has asked for a Remote ID that is claimed here."""

    def is_unheard(self, remote_id: str) -> bool:
        """Return whether a Remote ID is just being granted to a newcomer here whose claim no other node has heard."""
