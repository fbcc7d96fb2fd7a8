"""Decides claims of other nodes' newcomers to Remote IDs that this node holds, or whose homes it expects back.

The rules are those for this node's own newcomers (``core.contest``). A newcomer proves itself to its own node, which
reports the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ma_signaling.cluster.claim_states import Heard
from ma_signaling.cluster.claims import SLACK_SECONDS, Claims
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
from ma_signaling.core.contest import PROOF_SECONDS, Contest, Refusal, WonBy
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import Timer
from ma_signaling.core.run_all import run_all


class RemoteNewcomer:
    """A newcomer of another node (a ``contest.Contender``); its verdict is sent as the answer to its claim."""

    is_here = False

    contest: Contest
    """Set before it joins."""

    def __init__(self, judge: Judge, claim: Claim) -> None:
        """A repetition replaces ``claim``, and is the one that is answered."""
        self.claim = claim
        self._judge = judge
        self._ended: Callable[[str | None], None] | None = None
        """Takes the outcome; None while it isn't asked for proof."""
        self._asking = 0
        """The number of the latest asking. The outcome of an earlier one is of another contest, and doesn't count."""
        self._timer: Timer | None = None

    @property
    def key(self) -> str:
        return self.claim.address

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        self._ended = ended
        self._timer = self._judge.call_later(PROOF_SECONDS + SLACK_SECONDS, self._no_answer)
        self._asking = self._judge.next_asking()
        self._judge.answer(self.claim, Prove(question=self.claim.question, asking=self._asking))
        return True

    def stop_asking(self) -> None:
        # Its node isn't told: the verdict that follows ends the asking there.
        self._ended = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def proof(self, asking: int, *, given: bool, reason: str | None) -> None:
        """Take the outcome of an asking; with neither ``given`` nor a ``reason``, the newcomer was not asked."""
        ended = self._ended
        if ended is None or asking != self._asking:
            return
        if not given and reason is None:
            self.leave()
            self.refuse(Refusal.ALIVE)
        else:
            self.stop_asking()
            ended(None if given else reason)

    def leave(self) -> None:
        """Leave the contest: the newcomer is gone, or its node can't be heard."""
        self._judge.forget(self)
        self.contest.leave(self, has_failed=False)

    def win(self, how: WonBy) -> None:
        self._judge.forget(self)
        self._judge.grant(self.claim, how)

    def refuse(self, why: Refusal) -> None:
        self._judge.forget(self)
        self._judge.answer(self.claim, Refused(question=self.claim.question, why=why))

    def let_go(self) -> None:
        self._judge.forget(self)
        self._judge.answer(self.claim, Undecided(question=self.claim.question))

    def _no_answer(self) -> None:
        self._timer = None
        self.leave()
        self.let_go()


class Judge:
    """Decides the claims of other nodes."""

    def __init__(self, context: Context, directory: Directory, claims: Claims) -> None:
        self._context = context
        self._directory = directory
        self._claims = claims
        self._newcomers: dict[tuple[str, str, str], RemoteNewcomer] = {}
        """Newcomers without a verdict, by Remote ID, node and connection."""
        self._askings = count(1)
        context.on(Claim, self._on_claim)
        context.on(Withdrawn, self._on_withdrawn)
        context.on(ProofOutcome, self._on_proof)

    def lose_node(self, node: str | None) -> None:
        """Remove the newcomers of a node that is gone, or (None) of all nodes."""
        lost = [each for each in self._newcomers.values() if node in (None, each.claim.sender)]
        run_all(each.leave for each in lost)

    def _on_claim(self, claim: Claim) -> None:
        remote_id = claim.remote_id
        home = self._context.hub.registry.find(remote_id)
        own = self._claims.first(remote_id)
        if home is not None and self._decides(home):
            self._contend(home, claim)
        elif own is not None and own.order < claim.order:
            self._claims.asked_for(remote_id)
            # The other node claims anew when it hears that the claim here was granted or withdrawn.
            self.answer(claim, Wait(question=claim.question))
        elif own is not None:
            self._claims.asked_for(remote_id)
            self.answer(claim, NoObjection(question=claim.question))
            self._claims.ask_again(own)
        elif home is not None and home.state in (HomeState.AWAY, HomeState.GIVEN_UP):
            self.grant(claim, None)
        else:
            holder = self._directory.remote_home(remote_id)
            if holder is not None and holder.is_of(claim.sender, claim.connection):
                # It was granted before, but the answer was lost.
                self.answer(claim, _granted(claim))
            else:
                self.answer(claim, NoObjection(question=claim.question))

    def _decides(self, home: Home) -> bool:
        """Return whether this node holds a Remote ID, and itself decides whether the holder stays."""
        is_here = home.state is HomeState.LOCAL
        return is_here and not home.is_disputed and not self._context.hub.is_draining

    def _contend(self, home: Home, claim: Claim) -> None:
        assert home.connection is not None
        newcomer = self._newcomers.get(claim.newcomer)
        if newcomer is not None:
            newcomer.claim = claim
        else:
            contests = self._context.hub.registry.contests
            if claim.holds and not self._is_disputed(home.remote_id):
                contests.begin_anew(home, home.connection)
            newcomer = self._newcomers[claim.newcomer] = RemoteNewcomer(self, claim)
            newcomer.contest = contests.contest_of(home, home.connection)
            newcomer.contest.join(newcomer)
        if claim.newcomer in self._newcomers:
            self.answer(claim, Wait(question=claim.question))

    def _is_disputed(self, remote_id: str) -> bool:
        """Return whether another node's holder contends already: two would keep making the contest begin anew."""
        others = (each.claim for each in self._newcomers.values())
        return any(each.remote_id == remote_id and each.holds for each in others)

    def _on_withdrawn(self, message: Withdrawn) -> None:
        newcomer = self._newcomers.pop(message.newcomer, None)
        if newcomer is not None:
            newcomer.contest.leave(newcomer)
        # Claims here that waited for it are repeated.
        self._claims.tell(message.remote_id, Heard.RIVAL_LEFT)

    def _on_proof(self, proof: ProofOutcome) -> None:
        newcomer = self._newcomers.get(proof.newcomer)
        if newcomer is not None:
            newcomer.proof(proof.asking, given=proof.given, reason=proof.reason)

    # For ``RemoteNewcomer``

    def next_asking(self) -> int:
        """Return a number that no other asking of this node has."""
        return next(self._askings)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` after ``seconds``."""
        return self._context.clock.callLater(seconds, call)

    def forget(self, newcomer: RemoteNewcomer) -> None:
        """Forget a newcomer that has its verdict, or has left."""
        self._newcomers.pop(newcomer.claim.newcomer, None)

    def grant(self, claim: Claim, how: WonBy | None) -> None:
        """Grant a claim; ``how`` is None if this node only expected the home back."""
        remote_id = claim.remote_id
        holder = self._directory.make_remote_home(
            remote_id, claim.sender, claim.connection, claim.client_address
        )
        self._directory.registrations.displaced(remote_id)
        # Answered before ``registry.grant``, which sends messages for the new holder.
        self.answer(claim, _granted(claim, how, self._directory.registrations.latest_term(remote_id)))
        self._context.hub.registry.grant(holder, remote_id, None, how)

    def answer(self, claim: Claim, answer: Answer) -> None:
        """Send the answer to a claim."""
        self._context.send(claim.sender, answer)


def _granted(claim: Claim, how: WonBy | None = None, term: float | None = None) -> Granted:
    return Granted(
        question=claim.question,
        remote_id=claim.remote_id,
        connection=claim.connection,
        how=how,
        term=term,
    )
