"""The states of a claim and their transitions, as a table; ``claims`` has the timeouts and the messages."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class State(Enum):
    """How far a claim has come."""

    ASKED = auto()
    """Nobody has answered yet."""
    UNOPPOSED = auto()
    """A node heard it and has nothing against it; a better answer may follow."""
    PENDING = auto()
    """There will be a verdict."""
    WON = auto()
    LOST = auto()
    WITHDRAWN = auto()


class Heard(Enum):
    """What can happen to a claim: answers of other nodes, and events on its own node."""

    WAIT = auto()
    PROVE = auto()
    NO_OBJECTION = auto()
    UNDECIDED = auto()
    GRANTED = auto()
    REFUSED = auto()
    NOBODY = auto()
    """No other node holds, expects or claims the Remote ID."""
    TIME_UP = auto()
    """The time allowed for its state has passed."""
    NO_ANSWER = auto()
    """The same after the last try; or nobody can be asked any more."""
    RIVAL_CAME = auto()
    """Somebody else has got or claimed the Remote ID, maybe without having heard this claim, which is repeated."""
    RIVAL_LEFT = auto()
    """Another newcomer has withdrawn its claim, maybe the one that this claim waits for."""
    LEFT = auto()
    """The newcomer is gone, or no longer wants the Remote ID."""


_ALWAYS = {
    Heard.WAIT: State.PENDING,
    Heard.PROVE: State.PENDING,
    Heard.UNDECIDED: State.ASKED,
    Heard.GRANTED: State.WON,
    Heard.REFUSED: State.LOST,
    Heard.NOBODY: State.WON,
    Heard.NO_ANSWER: State.WON,
    Heard.RIVAL_CAME: State.ASKED,
    Heard.LEFT: State.WITHDRAWN,
}

TABLE = {
    State.ASKED: {**_ALWAYS, Heard.NO_OBJECTION: State.UNOPPOSED, Heard.TIME_UP: State.ASKED},
    State.UNOPPOSED: {**_ALWAYS, Heard.TIME_UP: State.WON},
    # RIVAL_LEFT counts only here: other claims wait for no rival, and would begin anew as often as one comes and goes.
    State.PENDING: {**_ALWAYS, Heard.TIME_UP: State.ASKED, Heard.RIVAL_LEFT: State.ASKED},
    State.WON: {},
    State.LOST: {},
    State.WITHDRAWN: {},
}
"""The state that follows; an event that isn't listed changes nothing."""


class OwnClaims(Protocol):
    """The claims of this node."""

    def __contains__(self, remote_id: str) -> bool: ...

    def tell(self, remote_id: str, heard: Heard) -> None:
        """Apply ``heard`` to all claims of this node to a Remote ID."""

    def asked_for(self, remote_id: str) -> None:
        """Note that another node has asked for a Remote ID that is claimed here."""

    def is_unheard(self, remote_id: str) -> bool:
        """Return whether a Remote ID is being granted right now by a claim that no other node has heard."""
