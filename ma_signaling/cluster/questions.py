"""Questions to other nodes: who holds a Remote ID, and what happened in a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ma_signaling.cluster.context import Context
from ma_signaling.cluster.messages.nodes import FindTrace, Trace
from ma_signaling.cluster.messages.registrations import LookUp
from ma_signaling.cluster.timer_queue import TimerQueue
from ma_signaling.core.peer import Timer
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session_verdict import describe

ANSWER_SECONDS = 1.5
"""How long the holder's node may take to answer; it needs one turn of its loop."""

TRACE_SECONDS = 1.0
"""How long the node that has a session's trace may take to answer; the others don't answer."""

OnlineTold = Callable[[bool | None], None]
TraceTold = Callable[[dict[str, Any] | None], None]


class HolderQuestions:
    """Questions about who holds a Remote ID; ``Directory`` handles the answers."""

    def __init__(
        self, context: Context, unknown: Callable[[str], None], unsure_for: Callable[[], float]
    ) -> None:
        """``unknown`` is called with a Remote ID that no node knows, if the question had no callback of its own.

        ``unsure_for`` returns for how many more seconds such a home may turn up.
        """
        self._context = context
        self._unknown = unknown
        self._unsure_for = unsure_for
        self._timers = TimerQueue(context.clock, ANSWER_SECONDS)
        self._open: dict[int, tuple[str, OnlineTold | None, Timer]] = {}

    def ask(self, remote_id: str, told: OnlineTold | None = None) -> None:
        """Ask who holds a Remote ID; ``told`` is called as for ``other_nodes.Directory.ask_online``."""
        if not self._context.bus.is_up:
            if told is not None:
                told(False)
            return
        number = self._context.begin_question(lambda: self._nobody(number))
        timer = self._timers.begin(partial(self._no_answer, number))
        self._open[number] = remote_id, told, timer
        self._context.ask_holder(remote_id, LookUp(remote_id=remote_id, question=number))

    def answered(self, number: int, *, connected: bool) -> str | None:
        """End a question that a node has answered; ``connected``: a home is connected to it.

        Returns the Remote ID, or None if the answer came too late.
        """
        if number not in self._open:
            return None
        remote_id, told = self._cancel(number)
        if told is not None:
            told(connected)
        return remote_id

    def give_up(self) -> None:
        """End all questions without an answer, since the bus is down."""
        for _, _, timer in self._open.values():
            timer.cancel()
        run_all(partial(self._no_answer, number) for number in list(self._open))

    def _nobody(self, number: int) -> None:
        remote_id, told = self._cancel(number)
        if told is not None:
            told(False if self._unsure_for() else None)
        else:
            self._unknown(remote_id)

    def _no_answer(self, number: int) -> None:
        # Clients go on waiting for this home, and ``Directory.tend`` looks it up again.
        _, told = self._end(number)
        if told is not None:
            told(False)

    def _cancel(self, number: int) -> tuple[str, OnlineTold | None]:
        self._open[number][2].cancel()
        return self._end(number)

    def _end(self, number: int) -> tuple[str, OnlineTold | None]:
        self._context.end_question(number)
        remote_id, told, _ = self._open.pop(number)
        return remote_id, told


class TraceQuestions:
    """Questions for a session's trace, which the client's node keeps."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[int, tuple[TraceTold, Timer]] = {}
        context.on(FindTrace, self._on_find_trace)
        context.on(Trace, self._on_trace)

    def ask(self, session_id: str, told: TraceTold) -> None:
        """Ask all nodes for a trace; ``told`` is called with it, or with None if no node has it."""
        if not self._context.bus.is_up:
            told(None)
            return
        number = self._context.begin_question(lambda: None)
        self._open[number] = told, self._context.clock.callLater(TRACE_SECONDS, self._end, number, None)
        self._context.send_to_all(FindTrace(session=session_id, question=number))

    def _on_trace(self, message: Trace) -> None:
        if message.question in self._open:
            self._open[message.question][1].cancel()
            self._end(message.question, message.trace)

    def _end(self, number: int, trace: dict[str, Any] | None) -> None:
        self._context.end_question(number)
        told, _ = self._open.pop(number)
        told(trace)

    def _on_find_trace(self, message: FindTrace) -> None:
        now = self._context.clock.seconds()
        trace = self._context.hub.sessions.traces.find(message.session, now)
        if trace is not None:
            answer = Trace(question=message.question, trace=describe(trace, now))
            self._context.send(message.sender, answer)
