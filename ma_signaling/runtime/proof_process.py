"""The server's side of the child process that asks for proofs, over pipes with lines of JSON.

The child parses what strangers send by UDP, so nothing it says is trusted but the outcome of proofs. Its output is
bounded, and it is killed if it breaks the protocol, takes too long or isn't needed any more.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ma_signaling.core.prover import MAX_AT_ONCE, Asked
from ma_signaling.core.run_all import run_all
from ma_signaling.transport.child_process import ChildProcess, Reactor
from ma_signaling.webrtc.description import MAX_BYTES, MAX_CANDIDATES
from ma_signaling.webrtc.means import SECONDS, Means

MODULE = "ma_signaling.webrtc.child"

MAX_PROOFS = 3 * MAX_AT_ONCE
"""The most proofs at a time: those of newcomers and holders that the core waits for, and those being closed."""

HANG_SECONDS = SECONDS + 15.0
"""Seconds after which a proof must have ended and released everything; otherwise the process hangs."""

RETIRE_SECONDS = 5.0
"""Seconds that it may take to end after its standard input was closed."""

MAX_LINE = 2 * MAX_BYTES
"""How many bytes the process may write without an end of line."""

MAX_CANDIDATE = 512
"""The most characters of a candidate; usual ones have some hundred."""

MAX_REASON = 64
"""The most characters of a reason for having no proof."""

MAX_ERROR = 200
"""How many characters of the last line of standard error are logged."""

_log = Logger(namespace="ma_signaling")


class _Proof:
    """A proof under way. Implements ``prover.ProofSession``."""

    def __init__(self, process: ProofProcess, number: int, asked: Asked) -> None:
        self._process = process
        self.number = number
        self.asked: Asked | None = asked
        """Waits for the outcome; None once nobody does."""
        self.deadline: IDelayedCall | None = None
        self._has_offer = False
        self._has_answer = False
        self._candidates = 0

    def answer(self, data: object) -> None:
        """Pass the first answer on."""
        sdp = data.get("sdp") if isinstance(data, dict) else None
        if self.asked is None or self._has_answer:
            return
        self._has_answer = True
        if isinstance(sdp, str) and len(sdp) <= MAX_BYTES:
            self._process.say(answer=self.number, sdp=sdp)
        else:
            self._process.give_up(self, "the answer makes no sense")

    def candidate(self, data: object) -> None:
        """Pass a candidate on. The process also counts those in the answer."""
        text = data.get("candidate") if isinstance(data, dict) else None
        if self.asked is None or self._candidates >= MAX_CANDIDATES:
            return
        if isinstance(text, str) and 0 < len(text) <= MAX_CANDIDATE:
            self._candidates += 1
            self._process.say(candidate=self.number, text=text)

    def cancel(self) -> None:
        """Cancel the proof: nobody waits for it any more."""
        if self.asked is not None:
            self.asked = None
            self._process.say(cancel=self.number)

    def offer(self, sdp: str) -> None:
        """Pass our offer on to the core."""
        if self.asked is not None and not self._has_offer:
            self._has_offer = True
            self.asked.offer({"type": "offer", "sdp": sdp})

    def succeed(self) -> None:
        """Report that the proof was given, if somebody waits for it."""
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.proved()

    def fail(self, reason: str) -> None:
        """Report that there is no proof, if somebody waits for it."""
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.failed(reason)

    def end(self, reason: str) -> None:
        """Clear the deadline, since the child has ended the proof; without an outcome it fails for ``reason``."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        self.fail(reason)


class ProofProcess(ChildProcess):
    """One process, from its start to its end."""

    def __init__(self, reactor: Reactor, idle_seconds: float) -> None:
        """Start the process; it ends once no proof has been asked for ``idle_seconds``."""
        self._idle_seconds = idle_seconds
        self._timer: IDelayedCall | None = None
        """While idle: until it is told to end. After that: until it is killed."""
        self._proofs: dict[int, _Proof] = {}
        self._numbers = count(1)
        self.ended: Deferred[None] = Deferred()
        try:
            super().__init__(reactor, MODULE)
        except OSError as problem:
            _log.error("The process that asks for proofs can't be started: {problem}", problem=problem)
            self.is_in_use = False
            self.ended.callback(None)

    def ask(self, remote_id: str, means: Means, asked: Asked) -> _Proof:
        """Begin a proof."""
        number = next(self._numbers)
        proof = _Proof(self, number, asked)
        if not self.is_in_use:
            self._fail_soon(proof, "the process that asks for proofs can't be started")
            return proof
        if len(self._proofs) >= MAX_PROOFS:
            self._fail_soon(proof, "too many proofs at once")
            return proof
        self._proofs[number] = proof
        proof.deadline = self._reactor.callLater(HANG_SECONDS, self.break_off, "it hangs")
        self._stop_timer()
        self.say(ask=number, remoteId=remote_id, means=means.as_json())
        return proof

    def give_up(self, proof: _Proof, reason: str) -> None:
        """End a proof that failed on this side."""
        self.say(cancel=proof.number)
        self._fail_soon(proof, reason)

    def break_off(self, why: str) -> None:
        _log.warn("The process that asks for proofs is killed: {why}", why=why)
        super().break_off(why)

    # From the process

    def outReceived(self, data: bytes) -> None:
        """Handle messages of the process, and bound the length of a line."""
        super().outReceived(data)
        if self.is_in_use and len(self._line) > MAX_LINE:
            self.break_off("its line has no end")

    def take(self, message: Any) -> None:
        match message:
            case {"offer": int(number), "sdp": str(sdp)}:
                self._proofs[number].offer(sdp)
            case {"proved": int(number)}:
                self._proofs[number].succeed()
            case {"failed": int(number), "reason": str(reason)}:
                self._proofs[number].fail(reason[:MAX_REASON])
            case {"ended": int(number)}:
                self._proofs.pop(number).end("no verdict")
                if not self._proofs:
                    self._timer = self._reactor.callLater(self._idle_seconds, self._retire)
            case _:
                raise ValueError("no such message")

    def processEnded(self, reason: Failure) -> None:
        """Fail the proofs that are under way."""
        is_expected = not self.is_in_use
        self.is_in_use = False
        self._stop_timer()
        if not is_expected:
            _log.warn(
                "The process that asks for proofs has ended: {reason} {errors}",
                reason=reason.getErrorMessage(),
                errors=self.last_error()[:MAX_ERROR],
            )
        proofs, self._proofs = list(self._proofs.values()), {}
        why = "the process that asks for proofs has ended"
        try:
            run_all(partial(proof.end, why) for proof in proofs)
        finally:
            self.ended.callback(None)

    # Internals

    def _retire(self) -> None:
        self.is_in_use = False
        self._child.closeStdin()
        self._timer = self._reactor.callLater(RETIRE_SECONDS, self.kill)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _fail_soon(self, proof: _Proof, reason: str) -> None:
        """Fail a proof in a later turn, when ``ask`` has returned."""
        self._reactor.callLater(0, proof.fail, reason)
