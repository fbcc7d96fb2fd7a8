"""One honest session as both of its ends know it, so that each can check the messages that it gets from the other."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from tests.soak.ground import WITHIN, Ground

CLIENT, HOME = "client", "home"

TEXTS = ("", "é", "€uro", "😀", 'quote " and \\', "line\nbreak", "\u2028")


class Visit:
    """Counts the messages that have arrived, and knows which must arrive next."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.session_id = ""
        self.total = {CLIENT: 1 + random.randint(10, 30), HOME: 1 + random.randint(10, 30)}
        """Messages that each side sends: an offer or an answer, and its candidates."""
        self.heard = {CLIENT: 0, HOME: 0}
        """How many messages of each side the other has got."""
        self.heard_before = 0
        """Messages of the client that the home got on an earlier connection: it gets them again, until it answers."""
        self.sent: dict[tuple[str, int], tuple[float, int]] = {}
        self.in_flight = 0
        self.home_heard_all = asyncio.Event()
        self.home_was_told = asyncio.Event()
        self.is_broken = False
        """Whether the client has left without a goodbye, after the answer: the home must not be told."""

    def message(self, side: str, index: int) -> dict[str, Any]:
        """Return the message of ``side`` with this index, as the other side must get it."""
        text = f"{self.number} {side} {index} {TEXTS[(self.number + index) % len(TEXTS)]}"
        if index == 0:
            kind = "offer" if side == CLIENT else "answer"
            data: dict[str, Any] = {"type": kind, "sdp": text + " a=candidate" * 150}
        else:
            kind = "ice-candidate"
            data = {"candidate": text, "sdpMid": str(index % 2), "sdpMLineIndex": 0, "x": [index, 0.5]}
        return {"type": kind, "sessionId": self.session_id, "data": data}

    def ice_servers(self) -> list[dict[str, str]]:
        """The ICE servers that the home gives to its client."""
        return ice_servers(self.session_id)

    def begin_anew(self) -> None:
        """Expect the client's messages again from the first one on, since the home is told of the session again."""
        self.heard_before = max(self.heard_before, self.heard[CLIENT])
        self.heard[CLIENT] = 0
        self.home_was_told.clear()

    def complaint(self, side: str, message: dict[str, Any]) -> str | None:
        """Take a message that ``side`` has sent; return what is wrong with it, or None."""
        index = self.heard[side]
        if index >= self.total[side]:
            return f"one message too many from the {side}"
        if message != self.message(side, index):
            return f"wrong content or order from the {side}: {message.get('type')} in place of number {index}"
        self.heard[side] += 1
        return None


def ice_servers(session_id: str) -> list[dict[str, str]]:
    """Return ICE servers that are right for one session only."""
    return [{"urls": f"stun:{session_id}.example"}]


class Traffic:
    """Lets a home find a moment in which no message is in flight.

    Data in the sockets of a breaking connection is lost, whatever a server does, so nothing is promised about it. An
    honest home here breaks its connection while no message of an honest session is in flight.
    """

    def __init__(self, ground: Ground) -> None:
        self.gates = {CLIENT: asyncio.Event(), HOME: asyncio.Event()}
        self.absences = 0
        self.stops = 0
        """How often the home has stopped the traffic, or tried to."""
        self._ground = ground
        self._in_flight = 0

    async def enter(self, visit: Visit, side: str) -> None:
        """Wait until ``side`` may send; call this before each message."""
        while not self.gates[side].is_set():
            await self.gates[side].wait()
        self._in_flight += 1
        visit.in_flight += 1

    def leave(self, visit: Visit) -> None:
        """Note that a message has arrived."""
        self._in_flight -= 1
        visit.in_flight -= 1

    def forget(self, visit: Visit) -> None:
        """Forget a visit that is over; its messages in flight no longer matter."""
        self._in_flight -= visit.in_flight
        visit.in_flight = 0

    def stamp(self, visit: Visit, side: str, index: int) -> None:
        """Note that a message is sent now."""
        self._ground.figures["honest messages"] += 1
        visit.sent[side, index] = (time.monotonic(), self.absences)

    def take_time(self, visit: Visit, side: str, index: int) -> None:
        """Note how long an arrived message took, unless the home was away in between."""
        at, absences = visit.sent.pop((side, index))
        if absences == self.absences and self.gates[HOME].is_set():
            self._ground.latencies.append(time.monotonic() - at)

    async def stop(self) -> bool:
        """Let nobody send, and wait until all has arrived; False: it took too long, so the traffic goes on."""
        self.stops += 1
        for gate in self.gates.values():
            gate.clear()
        try:
            async with asyncio.timeout(WITHIN):
                while self._in_flight:  # noqa: ASYNC110 - a look at a number, some hundred times in a run
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._ground.figures["moments of silence that never came"] += 1
            self.go_on()
            return False
        self.absences += 1
        return True

    def go_on(self) -> None:
        """Let everybody send."""
        for gate in self.gates.values():
            gate.set()
