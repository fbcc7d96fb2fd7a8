"""Decides claims of other nodes' newcomers to Remote IDs that this node holds, or whose homes it expects back.

The rules are those for this node's own newcomers (``core.contest``). A newcomer proves itself to its own node, which
reports the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.claim_states import Heard
from ma_signaling.cluster.claims import SLACK_SECONDS, Claims
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.core.contest import PROOF_SECONDS, Contest, How, Why
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import ClientAddress, Timer
from ma_signaling.core.run_all import run_all


class RemoteNewcomer:
    """A newcomer of another node (a ``contest.Contender``); its verdict is sent as the answer to its claim."""

    is_here = False

    contest: Contest
    """Set before it joins."""

    def __init__(self, judge: Judge, fields: Fields) -> None:
        """``fields`` are those of its claim; a repeated claim replaces them, and is the one that is answered."""
        self.fields = fields
        self._judge = judge
        self._ended: Callable[[str | None], None] | None = None
        """Takes the outcome; None while it isn't asked for proof."""
        self._asking = 0
        """The number of the latest asking. The outcome of an earlier one is of another contest, and doesn't count."""
        self._timer: Timer | None = None

    @property
    def key(self) -> str:
        address: str = self.fields["address"]
        return address

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        self._ended = ended
        self._timer = self._judge.call_later(PROOF_SECONDS + SLACK_SECONDS, self._no_answer)
        self._asking = self._judge.next_asking()
        self._judge.answer("prove", self.fields, asking=self._asking)
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
            self.refuse(Why.ALIVE)
        else:
            self.stop_asking()
            ended(None if given else reason)

    def leave(self) -> None:
        """Leave the contest: the newcomer is gone, or its node can't be heard."""
        self._judge.forget(self)
        self.contest.leave(self, has_failed=False)

    def win(self, how: How) -> None:
        self._judge.forget(self)
        self._judge.grant(self.fields, how)

    def refuse(self, why: Why) -> None:
        self._judge.forget(self)
        self._judge.answer("refused", self.fields, why=why.value)

    def let_go(self) -> None:
        self._judge.forget(self)
        self._judge.answer("undecided", self.fields)

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
        context.on("claim", self._on_claim)
        context.on("withdrawn", self._on_withdrawn)
        context.on("proof", self._on_proof)

    def lose_node(self, node: str | None) -> None:
        """Remove the newcomers of a node that is gone, or (None) of all nodes."""
        lost = [each for each in self._newcomers.values() if node in (None, each.fields["node"])]
        run_all(each.leave for each in lost)

    def _on_claim(self, fields: Fields) -> None:
        """Another node claims a Remote ID."""
        remote_id = fields["remote_id"]
        home = self._context.hub.registry.find(remote_id)
        own = self._claims.first(remote_id)
        if home is not None and self._decides(home):
            self._contend(home, fields)
        elif own is not None and own.order < (fields["at"], fields["node"]):
            self._claims.asked_for(remote_id)
            # The other node claims anew when it hears that the claim here was granted or withdrawn.
            self.answer("wait", fields)
        elif own is not None:
            self._claims.asked_for(remote_id)
            self.answer("no-objection", fields)
            self._claims.ask_again(own)
        elif home is not None and home.state in (HomeState.AWAY, HomeState.GIVEN_UP):
            self.grant(fields, None)
        else:
            holder = self._directory.remote_home(remote_id)
            if holder is not None and holder.is_of(fields["node"], fields["connection"]):
                # It was granted before, but the answer was lost.
                self.answer("granted", fields)
            else:
                self.answer("no-objection", fields)

    def _decides(self, home: Home) -> bool:
        """Return whether this node holds a Remote ID, and itself decides whether the holder stays."""
        is_here = home.state is HomeState.LOCAL
        return is_here and not home.is_disputed and not self._context.hub.is_draining

    def _contend(self, home: Home, fields: Fields) -> None:
        assert home.connection is not None
        newcomer = self._newcomers.get(_name(fields))
        if newcomer is not None:
            newcomer.fields = fields
        else:
            contests = self._context.hub.registry.contests
            if fields["holds"] and not self._is_disputed(home.remote_id):
                contests.begin_anew(home, home.connection)
            newcomer = self._newcomers[_name(fields)] = RemoteNewcomer(self, fields)
            newcomer.contest = contests.contest_of(home, home.connection)
            newcomer.contest.join(newcomer)
        if _name(fields) in self._newcomers:
            self.answer("wait", fields)

    def _is_disputed(self, remote_id: str) -> bool:
        """Return whether another node's holder contends already: two would keep making the contest begin anew."""
        others = (each.fields for each in self._newcomers.values())
        return any(each["remote_id"] == remote_id and each["holds"] for each in others)

    def _on_withdrawn(self, fields: Fields) -> None:
        """A newcomer of another node has left: claims here that waited for it are repeated."""
        newcomer = self._newcomers.pop(_name(fields), None)
        if newcomer is not None:
            newcomer.contest.leave(newcomer)
        self._claims.tell(fields["remote_id"], Heard.RIVAL_LEFT)

    def _on_proof(self, fields: Fields) -> None:
        newcomer = self._newcomers.get(_name(fields))
        if newcomer is not None:
            newcomer.proof(fields["asking"], given=fields["given"], reason=fields["reason"])

    # For ``RemoteNewcomer``

    def next_asking(self) -> int:
        """Return a number that no other asking of this node has."""
        return next(self._askings)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` after ``seconds``."""
        return self._context.clock.callLater(seconds, call)

    def forget(self, newcomer: RemoteNewcomer) -> None:
        """Forget a newcomer that has its verdict, or has left."""
        self._newcomers.pop(_name(newcomer.fields), None)

    def grant(self, fields: Fields, how: How | None) -> None:
        """Grant the claim with these ``fields``; ``how`` is None if this node only expected the home back."""
        remote_id = fields["remote_id"]
        address = ClientAddress(fields["address"], fields["address"], fields["shared"])
        holder = self._directory.make_remote_home(remote_id, fields["node"], fields["connection"], address)
        self._directory.registrations.displaced(remote_id)
        # Answered before ``registry.grant``, which sends messages for the new holder.
        legacy = self._directory.registrations.legacy(remote_id)
        self.answer("granted", fields, how=None if how is None else how.value, **legacy)
        self._context.hub.registry.grant(holder, remote_id, None, how)

    def answer(self, op: str, fields: Fields, **more: object) -> None:
        """Answer the claim with these ``fields``."""
        about = {name: fields[name] for name in ("remote_id", "question", "connection")}
        self._context.send(fields["node"], op, **about, **more)


def _name(fields: Fields) -> tuple[str, str, str]:
    return fields["remote_id"], fields["node"], fields["connection"]
