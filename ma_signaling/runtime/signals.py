"""SIGTERM and SIGINT: the first stops this server politely, with exit status 0; the second ends it at once.

Twisted's own handlers stop it politely too, but end the process by the very signal that it was sent, which supervisors
may take for a crash, and do nothing at the second.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

SAME_SECONDS = 1.0
"""A signal that comes so soon after the first is the same one: ``timeout`` sends it to the process and to its group."""

Handler = Callable[[int, FrameType | None], None] | signal.Handlers

_log = Logger(namespace="ma_signaling")


class Reactor(IReactorCore, IReactorFromThreads):
    """What is needed of a reactor: every one provides it."""


def handle(reactor: Reactor) -> None:
    """Take the signals that stop this server over from ``reactor`` as soon as it runs; ignore those without a use."""

    def first(number: int, frame: FrameType | None) -> None:
        _set(_make_second(time.monotonic()))
        reactor.callFromThread(stop, reactor, signal.Signals(number).name)

    reactor.callWhenRunning(_set, first)
    # As Python ends, it puts the default back for whatever has a handler: the same signal's second delivery would kill.
    reactor.addSystemEventTrigger("after", "shutdown", _set, signal.SIG_IGN)
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        # A log file may have taken SIGUSR1 already, or take it yet.
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, signal.SIG_IGN)


def _set(handler: Handler) -> None:
    # One that comes just before it is ignored would be a traceback in the log ("ignored due to race condition"). They
    # are blocked for this thread alone, which is the only one left by then.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            # What is ignored stays so: a shell does that for what it runs in the background.
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def stop(reactor: Reactor, name: str = "drain") -> None:
    """Stop this server politely; ``name`` says in the log what it was told by."""
    _log.info("{signal}: closing all connections; a second signal ends this process at once", signal=name)
    with suppress(ReactorNotRunning):
        reactor.stop()


def _make_second(first_at: float) -> Handler:
    def second(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - first_at >= SAME_SECONDS:
            # The status by which a shell knows a death by signal. A real one is not to be had for PID 1 in a container.
            os._exit(128 + number)

    return second
