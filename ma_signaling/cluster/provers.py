"""Proofs in another node's place: where this node can't ask for proof, one that can asks for it.

To the core this is a prover like any other (``core.prover``). The peer hears this node alone, in a session of its own;
what both sides say in it (offer, answer, candidates) goes from node to node. The node that asks does so by its own UDP
and its own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.context import Context
from ma_signaling.core.contest import HOLDER_SECONDS, PROOF_SECONDS
from ma_signaling.core.peer import Timer
from ma_signaling.core.prover import Asked, ProofSession, Prover, Unavailable
from ma_signaling.core.run_all import run_all

LONGEST_SECONDS = HOLDER_SECONDS + PROOF_SECONDS + 5.0
"""After which a proof for another node ends: that node has given it up by then."""


class Borrowed:
    """A ``core.prover.ProofSession`` with a peer of this node, whose proof another node asks for."""

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
        """The node that asks can't be heard any more."""
        self._provers.forget(self._number)
        self.asked.failed("the node that asks is gone")

    def _say(self, what: str, data: object) -> None:
        if self._provers.is_under_way(self._number):
            self._provers.send(self.node, "to-prover", self._number, what, data)


class Lent:
    """A peer of another node, which this one asks for proof (``core.prover.Asked``)."""

    session: ProofSession
    """Set at once."""

    def __init__(self, say: Callable[[str, object], None], over: Callable[[], None]) -> None:
        """``say`` tells its node what happened; ``over`` is called when nothing more will."""
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
        """Take what its node says."""
        match what:
            case "answer":
                self.session.answer(data)
            case "candidate":
                self.session.candidate(data)
            case _:
                self.cancel()

    def cancel(self) -> None:
        """Nobody waits for the outcome."""
        self.session.cancel()
        self._over()


class Provers:
    """The prover of a node (``core.prover.Prover``): its own, or that of another node."""

    def __init__(self, context: Context, others: Callable[[], list[str]]) -> None:
        """``others`` returns the other nodes that can ask for proof."""
        self.own: Prover = Unavailable("off")
        """This node's; set once before it asks for anything."""
        self._context = context
        self._others = others
        self._numbers = count(1)
        self._borrowed: dict[int, Borrowed] = {}
        self._lent: dict[tuple[str, int], tuple[Lent, Timer]] = {}
        """Under way for other nodes, by node and number, and when they end without an outcome."""
        context.on("ask-for-me", self._on_ask_for_me)
        context.on("to-prover", self._on_to_prover)
        context.on("from-prover", self._on_from_prover)

    @property
    def obstacle(self) -> str | None:
        """Why neither this node nor another one can ask for proof; None: one can."""
        obstacle = self.own.obstacle
        return None if obstacle is not None and self._lenders() else obstacle

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Begin a proof, on this node if it can."""
        if self.own.obstacle is None:
            return self.own.ask(remote_id, asked)
        lenders, number = self._lenders(), next(self._numbers)
        node = lenders[number % len(lenders)]
        self._borrowed[number] = Borrowed(self, node, number, asked)
        self._context.send(node, "ask-for-me", asking=number, remote_id=remote_id)
        return self._borrowed[number]

    def lose_node(self, node: str | None) -> None:
        """A node is gone, or (None) none can be heard."""
        borrowed = [each for each in self._borrowed.values() if node in (None, each.node)]
        lent = [each for (borrower, _), (each, _) in self._lent.items() if node in (None, borrower)]
        run_all((*(each.lose for each in borrowed), *(each.cancel for each in lent)))

    def _lenders(self) -> list[str]:
        return self._others() if self._context.bus.is_up else []

    # For proofs that another node asks for

    def is_under_way(self, number: int) -> bool:
        """Return whether there is no outcome yet."""
        return number in self._borrowed

    def forget(self, number: int) -> None:
        """A proof has ended."""
        self._borrowed.pop(number, None)

    def send(self, node: str, op: str, number: int, what: str, data: object) -> None:
        """Send another node what was said in a proof."""
        self._context.send(node, op, asking=number, what=what, data=data)

    def _on_from_prover(self, fields: Fields) -> None:
        """The node that asks says what the peer is to hear, or what came of it."""
        number, data = fields["asking"], fields["data"]
        borrowed = self._borrowed.get(number)
        if borrowed is None or borrowed.node != fields["node"]:
            return
        match fields["what"]:
            case "offer":
                borrowed.asked.offer(data)
            case "proved":
                self.forget(number)
                borrowed.asked.proved()
            case _:
                self.forget(number)
                borrowed.asked.failed(data)

    # For other nodes' proofs

    def _on_ask_for_me(self, fields: Fields) -> None:
        """A node can't ask its peer for proof."""
        node, number = name = fields["node"], fields["asking"]
        say = partial(self.send, node, "from-prover", number)
        if self.own.obstacle is not None:
            say("failed", "no proof can be had")
            return
        lent = Lent(say, partial(self._over, name))
        lent.session = self.own.ask(fields["remote_id"], lent)
        self._lent[name] = lent, self._context.clock.callLater(LONGEST_SECONDS, self._too_late, name)

    def _over(self, name: tuple[str, int]) -> None:
        _, timer = self._lent.pop(name)
        timer.cancel()

    def _too_late(self, name: tuple[str, int]) -> None:
        lent, _ = self._lent.pop(name)
        lent.session.cancel()

    def _on_to_prover(self, fields: Fields) -> None:
        lent, _ = self._lent.get((fields["node"], fields["asking"]), (None, None))
        if lent is not None:
            lent.hear(fields["what"], fields["data"])
