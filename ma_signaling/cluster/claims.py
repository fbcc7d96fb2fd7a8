"""This node's claims: a newcomer wants a Remote ID that nobody else holds here, and the holder's node decides.

A node subscribes to the home's subject before it claims, so of two nodes that claim at the same time at least one hears
the other. The elder claim goes first; the other is repeated once the elder one is granted or withdrawn.
``claim_states`` has the states of a claim, ``judge`` the holder's side (docs/cluster.md, *How it works*).

Where two nodes find that both hold a Remote ID, the younger holder claims it like a newcomer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ma_signaling.cluster.claim_states import TABLE, Heard, State
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.messages.claims import (
    Answer,
    Claim,
    Granted,
    NoObjection,
    ProofOutcome,
    Prove,
    Refused,
    Undecided,
    Wait,
    Withdrawn,
)
from ma_signaling.cluster.messages.registrations import Lost
from ma_signaling.cluster.questions import ANSWER_SECONDS
from ma_signaling.cluster.timer_queue import TimerQueue
from ma_signaling.core.connection import Connection
from ma_signaling.core.home import HomeState
from ma_signaling.core.peer import Timer
from ma_signaling.core.run_all import run_all
from ma_signaling.core.takeover import Newcomer

BETTER_ANSWER_SECONDS = 0.25
"""How long a claim waits for a better answer after ``no-objection``."""

MOST_TRIES = 3
"""After so many unanswered tries the node that should answer counts as dead; if it lives, both holders are asked."""

SLACK_SECONDS = 3.0
"""Time for messages between nodes, added to the time that a peer has."""


_HEARD: dict[type[Answer], Heard] = {
    Wait: Heard.WAIT,
    NoObjection: Heard.NO_OBJECTION,
    Undecided: Heard.UNDECIDED,
    Refused: Heard.REFUSED,
    Granted: Heard.GRANTED,
}


@dataclass(slots=True, eq=False)
class OwnClaim:
    """A claim under way, for a newcomer of this node."""

    newcomer: Connection
    message: Claim
    """What other nodes are told."""
    state: State = State.ASKED
    tries: int = 1
    """An upper bound of its tries without an answer."""
    is_repeated: bool = False
    """Whether it has been asked again."""
    is_known: bool = False
    """Whether another node has asked for the same Remote ID meanwhile, and must hear immediately who got it."""
    asked_by: str = ""
    """The node that last had the newcomer asked for proof."""
    timer: Timer | None = None

    @property
    def remote_id(self) -> str:
        """The Remote ID that is claimed."""
        return self.message.remote_id

    @property
    def question(self) -> int:
        """The number of the claim, by which it is answered."""
        return self.message.question

    @property
    def order(self) -> tuple[float, str]:
        """The sort key: the least claim goes first."""
        return self.message.order


class Claims:
    """The claims of this node (implements ``other_nodes.Claims``)."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._claims: dict[str, dict[Connection, OwnClaim]] = {}
        self._by_question: dict[int, OwnClaim] = {}
        self._timers = TimerQueue(context.clock, ANSWER_SECONDS)
        self._unheard: str | None = None
        for kind in (Wait, NoObjection, Undecided, Refused):
            context.on(kind, self._on_answer)
        context.on(Prove, self._on_prove)
        context.on(Granted, self._on_granted)

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._claims

    def is_unheard(self, remote_id: str) -> bool:
        """Return whether a Remote ID is being granted right now by a claim that no other node has heard."""
        return remote_id == self._unheard

    def asked_for(self, remote_id: str) -> None:
        """Note that another node has asked for a Remote ID that is claimed here."""
        for claim in self._claims.get(remote_id, {}).values():
            claim.is_known = True

    def first(self, remote_id: str) -> OwnClaim | None:
        """Return the eldest claim to a Remote ID."""
        return min(self._claims.get(remote_id, {}).values(), key=lambda claim: claim.order, default=None)

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""
        return self._context.bus.is_up

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """Claim a Remote ID for ``newcomer``; each newcomer here has a claim of its own."""
        question = self._context.begin_question(lambda: self._nobody(claim))
        message = Claim(
            sender=self._context.node,
            remote_id=remote_id,
            question=question,
            connection=newcomer.id,
            address=newcomer.address.key,
            shared=newcomer.address.shared,
            holds=newcomer.remote_id == remote_id,
            at=self._context.wall(),
        )
        claim = OwnClaim(newcomer, message)
        self._claims.setdefault(remote_id, {})[newcomer] = self._by_question[question] = claim
        self._directory.sync(remote_id)
        self._enter(claim, None)

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """Withdraw the claim of ``newcomer``, if it has made one."""
        claim = self._claims.get(remote_id, {}).get(newcomer)
        if claim is not None:
            self._hear(claim, Heard.LEFT)

    def ask_again(self, claim: OwnClaim) -> None:
        """Repeat a claim, since a node that has claimed later may not have heard it."""
        if claim.tries < MOST_TRIES:
            claim.tries += 1
            self._hear(claim, Heard.RIVAL_CAME)

    def tell(self, remote_id: str, heard: Heard) -> None:
        """Apply ``heard`` to all claims to a Remote ID."""
        for claim in list(self._claims.get(remote_id, {}).values()):
            self._hear(claim, heard)

    def down(self) -> None:
        """Grant all claims, since the bus is down; if it comes back to two holders, both are asked for proof."""
        run_all(partial(self._hear, claim, Heard.NO_ANSWER) for claim in list(self._by_question.values()))

    # Answers

    def _on_answer(self, answer: Answer) -> None:
        claim = self._by_question.get(answer.question)
        if claim is None:
            return
        if isinstance(answer, Undecided) and answer.sender == claim.asked_by:
            # The contest for which the newcomer was asked for proof is over.
            self._newcomer(claim).stop_asking()
        self._hear(claim, _HEARD[type(answer)], answer)

    def _on_granted(self, granted: Granted) -> None:
        if granted.question in self._by_question:
            self._on_answer(granted)
            return
        home = self._context.hub.registry.find(granted.remote_id)
        holder = None if home is None else home.connection
        # If the newcomer is the holder, another node granted the claim before.
        if holder is None or holder.id != granted.connection:
            lost = Lost(remote_id=granted.remote_id, connection=granted.connection)
            self._context.send_to_watchers(granted.remote_id, lost)

    def _on_prove(self, prove: Prove) -> None:
        """Ask the newcomer for proof, and send the outcome to the holder's node."""
        claim = self._by_question.get(prove.question)
        if claim is None:
            return
        self._hear(claim, Heard.PROVE)
        claim.asked_by = prove.sender

        def say(reason: str | None, *, given: bool) -> None:
            proof = ProofOutcome(
                remote_id=claim.remote_id,
                connection=claim.newcomer.id,
                asking=prove.asking,
                given=given,
                reason=reason,
            )
            self._context.send(prove.sender, proof)

        def ended(reason: str | None) -> None:
            say(reason or "", given=reason is None)

        newcomer = self._newcomer(claim)
        # An earlier asking belongs to a contest that is over: it ends without an outcome.
        newcomer.stop_asking()
        if not newcomer.ask(ended):
            say(None, given=False)

    def _newcomer(self, claim: OwnClaim) -> Newcomer:
        return self._context.hub.registry.contests.newcomers[claim.newcomer]

    def _nobody(self, claim: OwnClaim) -> None:
        self._unheard = None if claim.is_known else claim.remote_id
        try:
            self._hear(claim, Heard.NOBODY)
        finally:
            self._unheard = None

    # States

    def _hear(self, claim: OwnClaim, heard: Heard, answer: Answer | None = None) -> None:
        state = TABLE[claim.state].get(heard)
        if state is not None:
            if claim.timer is not None:
                claim.timer.cancel()
                claim.timer = None
            if state is State.LOST and claim.state is State.ASKED and claim.is_repeated:
                # The verdict and the claim crossed: the deciding node would take the claim for a new newcomer's.
                self._say_withdrawn(claim)
            claim.is_repeated = claim.is_repeated or state is State.ASKED
            claim.state = state
            self._enter(claim, answer)

    def _enter(self, claim: OwnClaim, answer: Answer | None) -> None:
        match claim.state:
            case State.ASKED:
                claim.timer = self._timers.begin(partial(self._time_is_up, claim))
                self._context.ask_holder(claim.remote_id, claim.message)
            case State.UNOPPOSED:
                self._wait(claim, BETTER_ANSWER_SECONDS)
            case State.PENDING:
                claim.tries = 1
                self._wait(claim, self._context.settings.takeover_timeout + SLACK_SECONDS)
            case _:
                self._end(claim, answer)

    def _wait(self, claim: OwnClaim, seconds: float) -> None:
        claim.timer = self._context.clock.callLater(seconds, self._time_is_up, claim)

    def _time_is_up(self, claim: OwnClaim) -> None:
        claim.timer = None
        was_last_try = claim.state is State.ASKED and claim.tries >= MOST_TRIES
        claim.tries += 1
        self._hear(claim, Heard.NO_ANSWER if was_last_try else Heard.TIME_UP)

    def _end(self, claim: OwnClaim, answer: Answer | None) -> None:
        """End a claim as its state says; ``answer`` decided it, if one did."""
        remote_id, newcomer = claim.remote_id, claim.newcomer
        self._context.end_question(claim.question)
        del self._by_question[claim.question], self._claims[remote_id][newcomer]
        if not self._claims[remote_id]:
            del self._claims[remote_id]
        registry = self._context.hub.registry
        if claim.state is State.WON:
            granted = answer if isinstance(answer, Granted) else None
            if granted is not None and granted.term is not None:
                self._directory.registrations.set_previous_term(remote_id, granted.term)
            registry.award(newcomer, None if granted is None else granted.how)
        elif isinstance(answer, Refused):
            self._newcomer(claim).refuse(answer.why)
        else:
            self._say_withdrawn(claim)
        home = registry.find(remote_id)
        if home is not None and home.state is HomeState.LOCAL and home.connection is newcomer:
            if claim.message.holds:
                registry.contests.review_offers(home)
        elif home is not None and home.connection is None:
            self._directory.look_up(remote_id)
        self._directory.registrations.drop_previous_term(remote_id)
        if claim.state is not State.WON:
            # Where it is won, ``Directory.granted`` has called ``sync``.
            self._directory.sync(remote_id)

    def _say_withdrawn(self, claim: OwnClaim) -> None:
        withdrawn = Withdrawn(remote_id=claim.remote_id, connection=claim.newcomer.id)
        self._context.send_to_holder(claim.remote_id, withdrawn)
