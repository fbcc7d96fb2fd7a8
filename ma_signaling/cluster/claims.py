"""This node's claims: a newcomer wants a Remote ID that nobody else holds here, and the holder's node decides.

A node subscribes to the home's subject before it claims, so of two nodes that claim at the same time at least one hears
the other. The elder claim goes first; the other is repeated once the elder one is granted or withdrawn.
``claim_states`` has the states of a claim, ``judge`` the holder's side (docs/cluster.md, *How it works*).

Where two nodes find that both hold a Remote ID, the younger holder claims it like a newcomer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.claim_states import TABLE, Heard, State
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.questions import ANSWER_SECONDS
from ma_signaling.cluster.timer_queue import TimerQueue
from ma_signaling.core.connection import Connection
from ma_signaling.core.contest import How, Why
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


@dataclass(slots=True, eq=False)
class Claim:
    """A claim under way, for a newcomer of this node."""

    remote_id: str
    newcomer: Connection
    fields: Fields
    node: str
    question: int
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
    def order(self) -> tuple[float, str]:
        """The sort key: the least claim goes first."""
        return self.fields["at"], self.node


class Claims:
    """The claims of this node (implements ``other_nodes.Claims``)."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._claims: dict[str, dict[Connection, Claim]] = {}
        self._by_question: dict[int, Claim] = {}
        self._timers = TimerQueue(context.clock, ANSWER_SECONDS)
        self._unheard: str | None = None
        for heard in (Heard.WAIT, Heard.NO_OBJECTION, Heard.UNDECIDED, Heard.REFUSED):
            context.on(heard.value, partial(self._on_answer, heard))
        context.on("prove", self._on_prove)
        context.on("granted", self._on_granted)

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._claims

    def is_unheard(self, remote_id: str) -> bool:
        """Return whether a Remote ID is being granted right now by a claim that no other node has heard."""
        return remote_id == self._unheard

    def asked_for(self, remote_id: str) -> None:
        """Note that another node has asked for a Remote ID that is claimed here."""
        for claim in self._claims.get(remote_id, {}).values():
            claim.is_known = True

    def first(self, remote_id: str) -> Claim | None:
        """Return the eldest claim to a Remote ID."""
        return min(self._claims.get(remote_id, {}).values(), key=lambda claim: claim.order, default=None)

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""
        return self._context.bus.is_up

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """Claim a Remote ID for ``newcomer``; each newcomer here has a claim of its own."""
        question = self._context.begin_question(lambda: self._nobody(claim))
        fields: Fields = {
            "connection": newcomer.id,
            "address": newcomer.address.key,
            "shared": newcomer.address.shared,
            "holds": newcomer.remote_id == remote_id,
            "at": self._context.wall(),
        }
        claim = Claim(remote_id, newcomer, fields, self._context.node, question)
        self._claims.setdefault(remote_id, {})[newcomer] = self._by_question[question] = claim
        self._directory.sync(remote_id)
        self._enter(claim, {})

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """Withdraw the claim of ``newcomer``, if it has made one."""
        claim = self._claims.get(remote_id, {}).get(newcomer)
        if claim is not None:
            self._hear(claim, Heard.LEFT)

    def ask_again(self, claim: Claim) -> None:
        """Repeat a claim, since a node that has claimed later may not have heard it."""
        if claim.tries < MOST_TRIES:
            claim.tries += 1
            self._hear(claim, Heard.RIVAL)

    def tell(self, remote_id: str, heard: Heard) -> None:
        """Apply ``heard`` to all claims to a Remote ID."""
        for claim in list(self._claims.get(remote_id, {}).values()):
            self._hear(claim, heard)

    def down(self) -> None:
        """Grant all claims, since the bus is down; if it comes back to two holders, both are asked for proof."""
        run_all(partial(self._hear, claim, Heard.NO_ANSWER) for claim in list(self._by_question.values()))

    # Answers

    def _on_answer(self, heard: Heard, fields: Fields) -> None:
        claim = self._by_question.get(fields["question"])
        if claim is None:
            return
        if heard is Heard.UNDECIDED and fields["node"] == claim.asked_by:
            # The contest for which the newcomer was asked for proof is over.
            self._newcomer(claim).stop_asking()
        self._hear(claim, heard, fields)

    def _on_granted(self, fields: Fields) -> None:
        """The holder's node has granted a claim."""
        if fields["question"] in self._by_question:
            self._on_answer(Heard.GRANTED, fields)
            return
        home = self._context.hub.registry.find(fields["remote_id"])
        holder = None if home is None else home.connection
        # If the newcomer is the holder, another node granted the claim before.
        if holder is None or holder.id != fields["connection"]:
            self._context.send_to_watchers(fields["remote_id"], "lost", connection=fields["connection"])

    def _on_prove(self, fields: Fields) -> None:
        """Ask the newcomer for proof, and send the outcome to the holder's node."""
        claim = self._by_question.get(fields["question"])
        if claim is None:
            return
        self._hear(claim, Heard.PROVE)
        claim.asked_by = fields["node"]
        proof = {
            "remote_id": claim.remote_id,
            "connection": claim.newcomer.id,
            "asking": fields["asking"],
        }

        def ended(reason: str | None) -> None:
            self._context.send(fields["node"], "proof", **proof, given=reason is None, reason=reason or "")

        newcomer = self._newcomer(claim)
        # An earlier asking belongs to a contest that is over: it ends without an outcome.
        newcomer.stop_asking()
        if not newcomer.ask(ended):
            self._context.send(fields["node"], "proof", **proof, given=False, reason=None)

    def _newcomer(self, claim: Claim) -> Newcomer:
        return self._context.hub.registry.contests.newcomers[claim.newcomer]

    def _nobody(self, claim: Claim) -> None:
        self._unheard = None if claim.is_known else claim.remote_id
        try:
            self._hear(claim, Heard.NOBODY)
        finally:
            self._unheard = None

    # States

    def _hear(self, claim: Claim, heard: Heard, fields: Fields | None = None) -> None:
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
            self._enter(claim, fields or {})

    def _enter(self, claim: Claim, fields: Fields) -> None:
        match claim.state:
            case State.ASKED:
                claim.timer = self._timers.begin(partial(self._time_is_up, claim))
                self._context.send_to_holder(claim.remote_id, "claim", claim.question, **claim.fields)
            case State.UNOPPOSED:
                self._wait(claim, BETTER_ANSWER_SECONDS)
            case State.PENDING:
                claim.tries = 1
                self._wait(claim, self._context.settings.takeover_timeout + SLACK_SECONDS)
            case _:
                self._end(claim, fields)

    def _wait(self, claim: Claim, seconds: float) -> None:
        claim.timer = self._context.clock.callLater(seconds, self._time_is_up, claim)

    def _time_is_up(self, claim: Claim) -> None:
        claim.timer = None
        was_last_try = claim.state is State.ASKED and claim.tries >= MOST_TRIES
        claim.tries += 1
        self._hear(claim, Heard.NO_ANSWER if was_last_try else Heard.TIME_UP)

    def _end(self, claim: Claim, fields: Fields) -> None:
        """End a claim as its state says; ``fields`` are those of the answer that decided it."""
        remote_id, newcomer = claim.remote_id, claim.newcomer
        self._context.end_question(claim.question)
        del self._by_question[claim.question], self._claims[remote_id][newcomer]
        if not self._claims[remote_id]:
            del self._claims[remote_id]
        registry = self._context.hub.registry
        match claim.state:
            case State.WON:
                if "term" in fields:
                    self._directory.registrations.inherit(remote_id, fields)
                registry.award(newcomer, How(fields["how"]) if fields.get("how") else None)
            case State.LOST:
                self._newcomer(claim).refuse(Why(fields["why"]))
            case _:
                self._say_withdrawn(claim)
        home = registry.find(remote_id)
        if home is not None and home.state is HomeState.LOCAL and home.connection is newcomer:
            if claim.fields["holds"]:
                registry.contests.review_offers(home)
        elif home is not None and home.connection is None:
            self._directory.look_up(remote_id)
        self._directory.registrations.disinherit(remote_id)
        if claim.state is not State.WON:
            # Where it is won, ``Directory.granted`` has called ``sync``.
            self._directory.sync(remote_id)

    def _say_withdrawn(self, claim: Claim) -> None:
        self._context.send_to_holder(claim.remote_id, "withdrawn", connection=claim.newcomer.id)
