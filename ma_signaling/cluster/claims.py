"""Claims: a connection here wants a Remote ID that nobody holds here; whoever holds it elsewhere decides.

First a node hears the home's subject, then it claims: of two that claim in the same instant, at least one hears the
other. The elder claim goes first; the other one is made again when that one is granted or withdrawn. A holder
judges as it does among its own connections (``Registry.contend``), with a ``RemoteHome`` for the newcomer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.context import Context, run_all
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.questions import HOLDER_SECONDS
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.core.connection import Connection
from ma_signaling.core.home import HomeState
from ma_signaling.core.peer import ClientAddress, Timer

BETTER_ANSWER_SECONDS = 0.25
"""How long a claim waits for better answers after one that says nothing."""

MOST_TRIES = 3
"""Unanswered claims until the node that should answer counts as dead; if it lives, ``Registration.beats`` decides."""

SLACK_SECONDS = 3.0
"""What a holder's check may take beyond the time that it gives the holder."""


@dataclass(slots=True)
class Claim:
    """One that is under way here."""

    remote_id: str
    newcomer: Connection
    fields: Fields
    node: str
    question: int
    tries: int = 1
    timer: Timer | None = None
    is_doubtful: bool = False
    """So far nobody has said anything against it."""
    is_judged: bool = False
    """Somebody will decide."""

    @property
    def order(self) -> tuple[float, str]:
        """The least goes first."""
        return self.fields["at"], self.node


class Claims:
    """Those of this node, and what it says to those of others."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._claims: dict[str, dict[Connection, Claim]] = {}
        self._by_question: dict[int, Claim] = {}
        context.on("claim", self._on_claim)
        context.on("withdrawn", self._on_withdrawn)
        context.on("granted", self._on_granted)
        context.on("refused", self._on_refused)
        context.on("wait", self._on_wait)
        context.on("no-objection", self._on_no_objection)
        context.on("undecided", self._on_undecided)

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._claims

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""
        return self._context.bus.is_up

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """Ask for a Remote ID for ``newcomer``; whoever else waits for it here has a right of its own, or none."""
        claims = self._claims.setdefault(remote_id, {})
        if newcomer in claims:
            return
        question = self._context.begin_question(lambda: self._won(claim))
        fields: Fields = {
            "connection": newcomer.id,
            "address": newcomer.address.key,
            "shared": newcomer.address.shared,
            "at": self._context.wall(),
        }
        claim = claims[newcomer] = self._by_question[question] = Claim(
            remote_id, newcomer, fields, self._context.node, question
        )
        self._directory.sync(remote_id)
        self._send(claim)

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """A newcomer here has left, wants something else, or has had its answer."""
        claim = self._claims.get(remote_id, {}).get(newcomer)
        if claim is not None:
            self._finish(claim)
            self._context.send_to_holder(remote_id, "withdrawn", connection=newcomer.id)
            self._directory.registrations.disinherit(remote_id)
            self._directory.sync(remote_id)

    def _send(self, claim: Claim) -> None:
        if claim.newcomer.claim != claim.remote_id:
            # Served or refused meanwhile: it must take the Remote ID from nobody.
            self.withdraw(claim.remote_id, claim.newcomer)
            return
        claim.is_doubtful = claim.is_judged = False
        self._wait(claim, HOLDER_SECONDS)
        self._context.send_to_holder(claim.remote_id, "claim", claim.question, **claim.fields)

    def _wait(self, claim: Claim, seconds: float) -> None:
        if claim.timer is not None:
            claim.timer.cancel()
        claim.timer = self._context.clock.callLater(seconds, self._time_is_up, claim)

    def _time_is_up(self, claim: Claim) -> None:
        claim.timer = None
        if claim.is_doubtful:
            self._won(claim)
        elif claim.tries >= MOST_TRIES:
            self._won_by_silence(claim)
        else:
            claim.tries += 1
            self._send(claim)

    # Answers

    def _on_granted(self, fields: Fields) -> None:
        """The holder has made way."""
        claim = self._by_question.get(fields["question"])
        if claim is None:
            home = self._context.hub.registry.find(fields["remote_id"])
            holder = None if home is None else home.connection
            # Otherwise another one has granted it before.
            if holder is None or holder.id != fields["connection"]:
                self._context.send_to_watchers(fields["remote_id"], "lost", connection=fields["connection"])
            return
        if "term" in fields:
            self._directory.registrations.inherit(claim.remote_id, fields)
        self._won(claim, evicting=fields["evicting"])

    def _on_refused(self, fields: Fields) -> None:
        """The holder stays."""
        claim = self._by_question.get(fields["question"])
        if claim is not None:
            self._finish(claim)
            if claim.newcomer.claim == claim.remote_id:
                self._context.hub.registry.contests.refuse(claim.newcomer)
            self._directory.sync(claim.remote_id)

    def _on_wait(self, fields: Fields) -> None:
        """There is somebody who will decide."""
        claim = self._by_question.get(fields["question"])
        if claim is not None:
            claim.is_doubtful, claim.is_judged, claim.tries = False, True, 1
            self._wait(claim, self._context.settings.takeover_timeout + SLACK_SECONDS)

    def _on_no_objection(self, fields: Fields) -> None:
        """One who heard the claim has nothing to say against it."""
        claim = self._by_question.get(fields["question"])
        if claim is not None and not claim.is_judged and not claim.is_doubtful:
            claim.is_doubtful = True
            self._wait(claim, BETTER_ANSWER_SECONDS)

    def _on_undecided(self, fields: Fields) -> None:
        """The one who was to decide goes down, and has nothing against it."""
        claim = self._by_question.get(fields["question"])
        if claim is not None:
            claim.is_judged = False
            self._on_no_objection(fields)

    def registered_elsewhere(self, remote_id: str) -> None:
        """Somebody got what is claimed here, maybe without having heard of it."""
        for claim in list(self._claims.get(remote_id, {}).values()):
            self._send(claim)

    def down(self) -> None:
        """The bus is away: claims are granted, and judged again when it is back (``Registration.beats``)."""
        run_all(partial(self._not_answered, question) for question in list(self._by_question))

    def _not_answered(self, question: int) -> None:
        # A claim that is granted may have ended this one.
        claim = self._by_question.get(question)
        if claim is not None:
            self._won_by_silence(claim)

    def _won_by_silence(self, claim: Claim) -> None:
        """Nobody has decided: as where a holder gives no sign of life."""
        home = self._context.hub.registry.find(claim.remote_id)
        self._won(claim, evicting=home is not None and home.connection is not None)

    def _won(self, claim: Claim, *, evicting: bool = False) -> None:
        self._finish(claim)
        registry = self._context.hub.registry
        home = registry.find(claim.remote_id)
        if claim.newcomer.claim != claim.remote_id:
            # It has left meanwhile, or was served otherwise.
            if home is None or home.connection is not claim.newcomer:
                self._context.send_to_watchers(claim.remote_id, "lost", connection=claim.newcomer.id)
        elif home is not None and home.state is HomeState.LOCAL:
            registry.contend(claim.newcomer, claim.remote_id, registry.contests.release(claim.newcomer))
        else:
            registry.award(claim.newcomer, evicting=evicting)
        self._directory.registrations.disinherit(claim.remote_id)
        self._directory.sync(claim.remote_id)

    def _finish(self, claim: Claim) -> None:
        self._context.end_question(claim.question)
        del self._by_question[claim.question], self._claims[claim.remote_id][claim.newcomer]
        if not self._claims[claim.remote_id]:
            del self._claims[claim.remote_id]
        if claim.timer is not None:
            claim.timer.cancel()
            claim.timer = None

    # Others' claims

    def _on_claim(self, fields: Fields) -> None:
        """Another node claims a Remote ID."""
        home = self._context.hub.registry.find(fields["remote_id"])
        if home is not None and home.state is HomeState.LOCAL:
            self._judge(fields)
        elif fields["remote_id"] in self._claims:
            self._meet(min(self._claims[fields["remote_id"]].values(), key=lambda own: own.order), fields)
        elif home is not None and home.state is HomeState.AWAY:
            self._judge(fields)
        else:
            newcomer = self._directory.remote_home(fields["remote_id"])
            if newcomer is None or not newcomer.is_of(fields["node"], fields["connection"]):
                self._answer("no-objection", fields)
            else:
                # Granted before; the answer was lost.
                self._answer("granted", fields, evicting=False)

    def _judge(self, fields: Fields) -> None:
        """As among connections of this node, which holds the Remote ID or expects its holder back."""
        newcomer = self._newcomer(fields)
        if newcomer.claim is None:
            self._context.hub.registry.contend(newcomer, fields["remote_id"], None)
        if newcomer.claim is not None:
            self._answer("wait", fields)

    def _on_withdrawn(self, fields: Fields) -> None:
        """A newcomer elsewhere has left: its check is over, and those who gave way to it ask again."""
        for newcomer in self._context.hub.registry.contests.newcomers(fields["remote_id"]):
            if isinstance(newcomer, RemoteHome) and newcomer.is_of(fields["node"], fields["connection"]):
                self._context.hub.registry.contests.withdraw(newcomer)
        for claim in list(self._claims.get(fields["remote_id"], {}).values()):
            # Not those that wait for nobody: they would begin anew as often as somebody comes and goes.
            if claim.is_judged:
                self._send(claim)

    def _meet(self, own: Claim, fields: Fields) -> None:
        if own.order < (fields["at"], fields["node"]):
            # It claims anew when it hears that this one was granted or withdrawn.
            self._answer("wait", fields)
        else:
            self._answer("no-objection", fields)
            if own.tries < MOST_TRIES:
                own.tries += 1
                self._send(own)

    def _newcomer(self, fields: Fields) -> RemoteHome:
        """What stands here for a newcomer elsewhere: always the same, however often its node asks."""
        for newcomer in self._context.hub.registry.contests.newcomers(fields["remote_id"]):
            if isinstance(newcomer, RemoteHome) and newcomer.is_of(fields["node"], fields["connection"]):
                newcomer.question = fields["question"]
                return newcomer
        address = ClientAddress(fields["address"], fields["address"], fields["shared"])
        return self._directory.make_remote_home(
            fields["remote_id"], fields["node"], fields["connection"], address, fields["question"]
        )

    def granted(self, newcomer: RemoteHome, *, evicting: bool) -> None:
        """A newcomer elsewhere has got what this node held or expected back."""
        if newcomer.question:
            self._verdict(
                "granted",
                newcomer,
                evicting=evicting,
                **self._directory.registrations.legacy(newcomer.home_id),
            )

    def refused(self, newcomer: RemoteHome) -> None:
        """As ``Verdicts`` has it."""
        self._verdict("refused", newcomer)

    def let_go(self, newcomer: RemoteHome) -> None:
        """As ``Verdicts`` has it."""
        self._verdict("undecided", newcomer)

    def _verdict(self, op: str, newcomer: RemoteHome, **fields: object) -> None:
        question, newcomer.question = newcomer.question, 0
        self._context.send(
            newcomer.node,
            op,
            remote_id=newcomer.home_id,
            question=question,
            connection=newcomer.name,
            **fields,
        )

    def _answer(self, op: str, fields: Fields, **more: object) -> None:
        self._context.send(
            fields["node"],
            op,
            remote_id=fields["remote_id"],
            question=fields["question"],
            connection=fields["connection"],
            **more,
        )
