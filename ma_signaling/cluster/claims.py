"""Claims: a connection here wants a Remote ID that nobody else holds here; whoever holds it elsewhere decides.

First a node hears the home's subject, then it claims: of two that claim in the same instant, at least one hears the
other. The elder claim goes first; the other one is made again when that one is granted or withdrawn. ``claim_states``
has the states of a claim, ``judge`` the other end.

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
"""How long a claim waits for better answers after one that says nothing."""

MOST_TRIES = 3
"""Unanswered claims until the node that should answer counts as dead; if it lives, both holders are asked for proof."""

SLACK_SECONDS = 3.0
"""What messages between nodes may take beyond the time that a peer has."""


@dataclass(slots=True, eq=False)
class Claim:
    """One that is under way here."""

    remote_id: str
    newcomer: Connection
    fields: Fields
    node: str
    question: int
    state: State = State.ASKED
    tries: int = 1
    """How often it was asked in vain, at most."""
    is_repeated: bool = False
    """It was made before."""
    is_known: bool = False
    """Another node has asked for the same Remote ID meanwhile, and is to hear at once who has got it."""
    asked_by: str = ""
    """The node that had the newcomer asked for proof last."""
    timer: Timer | None = None

    @property
    def order(self) -> tuple[float, str]:
        """The least goes first."""
        return self.fields["at"], self.node


class Claims:
    """Those of this node (``other_nodes.Claims`` for the core)."""

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
        """Return whether a Remote ID is just being granted to a newcomer here whose claim no other node has heard."""
        return remote_id == self._unheard

    def asked_for(self, remote_id: str) -> None:
        """Another node has asked for a Remote ID that is claimed here."""
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
        """Ask for a Remote ID for ``newcomer``; whoever else waits for it here has a right of its own, or none."""
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
        """A newcomer here has left, or wants something else; does nothing if it has claimed nothing."""
        claim = self._claims.get(remote_id, {}).get(newcomer)
        if claim is not None:
            self._hear(claim, Heard.LEFT)

    def ask_again(self, claim: Claim) -> None:
        """Somebody who has claimed later may not have heard of it."""
        if claim.tries < MOST_TRIES:
            claim.tries += 1
            self._hear(claim, Heard.RIVAL)

    def tell(self, remote_id: str, heard: Heard) -> None:
        """Tell all claims to a Remote ID what was heard."""
        for claim in list(self._claims.get(remote_id, {}).values()):
            self._hear(claim, heard)

    def down(self) -> None:
        """The bus is away: claims are granted; should there be two holders when it is back, both are asked."""
        run_all(partial(self._hear, claim, Heard.NO_ANSWER) for claim in list(self._by_question.values()))

    # Answers

    def _on_answer(self, heard: Heard, fields: Fields) -> None:
        claim = self._by_question.get(fields["question"])
        if claim is None:
            return
        if heard is Heard.UNDECIDED and fields["node"] == claim.asked_by:
            # The contest that it was asked for is over.
            self._newcomer(claim).stop_asking()
        self._hear(claim, heard, fields)

    def _on_granted(self, fields: Fields) -> None:
        """The holder has made way."""
        if fields["question"] in self._by_question:
            self._on_answer(Heard.GRANTED, fields)
            return
        home = self._context.hub.registry.find(fields["remote_id"])
        holder = None if home is None else home.connection
        # Otherwise another one has granted it before.
        if holder is None or holder.id != fields["connection"]:
            self._context.send_to_watchers(fields["remote_id"], "lost", connection=fields["connection"])

    def _on_prove(self, fields: Fields) -> None:
        """The newcomer is asked for proof; its node tells what came of that, within the time that it has."""
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
        # Of an earlier contest: not to be asked any more is not to fail.
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
                # The verdict and the claim crossed: to who has decided, it would be a newcomer that has just come.
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
        is_vain = claim.state is State.ASKED and claim.tries >= MOST_TRIES
        claim.tries += 1
        self._hear(claim, Heard.NO_ANSWER if is_vain else Heard.TIME_UP)

    def _end(self, claim: Claim, fields: Fields) -> None:
        """Carry out the verdict; ``fields``: of the answer that brought it."""
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
            # Otherwise somebody here was granted it, which has done so.
            self._directory.sync(remote_id)

    def _say_withdrawn(self, claim: Claim) -> None:
        self._context.send_to_holder(claim.remote_id, "withdrawn", connection=claim.newcomer.id)
