"""Proofs in another node's place: where a node can't ask for proof, a node that can does it.

To the core, ``Provers`` is a prover like any other (``core.prover``). The peer talks only to its own node, in a session
of its own; the offer, the answer and the candidates go from node to node. The node that asks uses its own UDP and its
own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from ma_signaling.cluster.context import Context
from ma_signaling.cluster.messages.proofs import AskForMe, FromProver, ToProver
from ma_signaling.core.contest import HOLDER_SECONDS, PROOF_SECONDS
from ma_signaling.core.peer import Timer
from ma_signaling.core.prover import Asked, ProofSession, Prover, Unavailable
from ma_signaling.core.run_all import run_all

LONGEST_SECONDS = HOLDER_SECONDS + PROOF_SECONDS + 5.0
"""After so many seconds, a proof for another node ends: that node has given it up by then."""


class RemoteProofSession:
    """The proof of a peer of this node, for which another node asks (a ``core.prover.ProofSession``)."""

    def __init__(self, provers: Provers, node: str, number: int, asked: Asked) -> None:
        self.node = node
        self.asked = asked
        self._number = number
        self._provers = provers

    def answer(self, data: object) -> None:
        self._say("answer", data)

    def candidate(self, data: object) -> None:
        self._say("candidate", data)

    def cancel(self) -> None:
        self._say("cancel", None)
        self._provers.forget(self._number)

    def lose(self) -> None:
        """Fail, since the node that asks is gone or can't be heard."""
        self._provers.forget(self._number)
        self.asked.failed("the node that asks is gone")

    def _say(self, what: str, data: object) -> None:
        if self._provers.is_under_way(self._number):
            self._provers.send(self.node, ToProver(asking=self._number, what=what, data=data))


class RemoteAsked:
    """A peer of another node, which this node asks for proof (a ``core.prover.Asked``)."""

    session: ProofSession
    """Set as soon as the proof has begun."""

    def __init__(self, say: Callable[[str, object], None], over: Callable[[], None]) -> None:
        """``say`` tells the peer's node what happened; ``over`` is called when the proof has ended."""
        self._say = say
        self._over = over

    def offer(self, data: dict[str, object]) -> None:
        self._say("offer", data)

    def proved(self) -> None:
        self._say("proved", None)
        self._over()

    def failed(self, reason: str) -> None:
        self._say("failed", reason)
        self._over()

    def hear(self, what: str, data: object) -> None:
        """Take an ``answer``, a ``candidate`` or ``cancel`` from the peer's node."""
        match what:
            case "answer":
                self.session.answer(data)
            case "candidate":
                self.session.candidate(data)
            case _:
                self.cancel()

    def cancel(self) -> None:
        """End the proof, since nobody waits for the outcome."""
        self.session.cancel()
        self._over()


class Provers:
    """The prover for a node's hub (a ``core.prover.Prover``): asks by itself, or through another node."""

    def __init__(self, context: Context, others: Callable[[], list[str]]) -> None:
        """``others`` returns the other nodes that can themselves ask for proof."""
        self.own: Prover = Unavailable("off")
        """This node's own prover; set once, before the first proof."""
        self._context = context
        self._others = others
        self._numbers = count(1)
        self._sessions: dict[int, RemoteProofSession] = {}
        self._asked: dict[tuple[str, int], tuple[RemoteAsked, Timer]] = {}
        """Proofs for other nodes, by node and number; the timer ends one that has no outcome."""
        context.on(AskForMe, self._on_ask_for_me)
        context.on(ToProver, self._on_to_prover)
        context.on(FromProver, self._on_from_prover)

    @property
    def obstacle(self) -> str | None:
        """Why neither this node nor another one can ask for proof, in a few words; None: one can."""
        obstacle = self.own.obstacle
        return None if obstacle is not None and self._others_now() else obstacle

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Begin a proof, by this node if it can, otherwise through another node."""
        if self.own.obstacle is None:
            return self.own.ask(remote_id, asked)
        others, number = self._others_now(), next(self._numbers)
        node = others[number % len(others)]
        self._sessions[number] = RemoteProofSession(self, node, number, asked)
        self._context.send(node, AskForMe(asking=number, remote_id=remote_id))
        return self._sessions[number]

    def lose_node(self, node: str | None) -> None:
        """End the proofs shared with a node that is gone, or (None) with all nodes."""
        sessions = [each for each in self._sessions.values() if node in (None, each.node)]
        asked = [each for (its_node, _), (each, _) in self._asked.items() if node in (None, its_node)]
        run_all((*(each.lose for each in sessions), *(each.cancel for each in asked)))

    def _others_now(self) -> list[str]:
        return self._others() if self._context.bus.is_up else []

    # For proofs of this node's peers

    def is_under_way(self, number: int) -> bool:
        """Return whether another node still asks for the proof with this number."""
        return number in self._sessions

    def forget(self, number: int) -> None:
        """Forget a proof that has ended."""
        self._sessions.pop(number, None)

    def send(self, node: str, message: ToProver) -> None:
        """Send the node that asks what the peer of a proof has sent."""
        self._context.send(node, message)

    def _on_from_prover(self, message: FromProver) -> None:
        number, data = message.asking, message.data
        session = self._sessions.get(number)
        if session is None or session.node != message.sender:
            return
        match message.what:
            case "offer":
                session.asked.offer(data)
            case "proved":
                self.forget(number)
                session.asked.proved()
            case _:
                self.forget(number)
                session.asked.failed(data)

    # For proofs of other nodes' peers

    def _on_ask_for_me(self, message: AskForMe) -> None:
        node, number = name = message.sender, message.asking

        def say(what: str, data: object) -> None:
            self._context.send(node, FromProver(asking=number, what=what, data=data))

        if self.own.obstacle is not None:
            say("failed", "no proof can be had")
            return
        asked = RemoteAsked(say, partial(self._over, name))
        asked.session = self.own.ask(message.remote_id, asked)
        self._asked[name] = asked, self._context.clock.callLater(LONGEST_SECONDS, self._too_late, name)

    def _over(self, name: tuple[str, int]) -> None:
        _, timer = self._asked.pop(name)
        timer.cancel()

    def _too_late(self, name: tuple[str, int]) -> None:
        asked, _ = self._asked.pop(name)
        asked.session.cancel()

    def _on_to_prover(self, message: ToProver) -> None:
        asked, _ = self._asked.get((message.sender, message.asking), (None, None))
        if asked is not None:
            asked.hear(message.what, message.data)
