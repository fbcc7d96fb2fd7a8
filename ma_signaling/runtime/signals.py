"""SIGTERM and SIGINT: the first stops this server gracefully, with exit status 0; the second ends it immediately.

Twisted's own handlers stop it gracefully too, but then kill the process by the signal that it got, which supervisors
may take for a crash, and ignore a second signal.
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
"""A signal within this time of the first counts as the same: ``timeout`` signals the process and its group."""

Handler = Callable[[int, FrameType | None], None] | signal.Handlers

_log = Logger(namespace="ma_signaling")


class Reactor(IReactorCore, IReactorFromThreads):
    """The interfaces of the reactor that are used here: every reactor has them."""


def handle(reactor: Reactor) -> None:
    """Replace the stop handlers of ``reactor`` as soon as it runs; ignore SIGUSR1 and SIGUSR2 if unused."""

    def first(number: int, frame: FrameType | None) -> None:
        _set(_make_second(time.monotonic()))
        reactor.callFromThread(stop, reactor, signal.Signals(number).name)

    reactor.callWhenRunning(_set, first)
    # At its exit Python restores the default for handled signals, so that a repeated signal would kill the process.
    reactor.addSystemEventTrigger("after", "shutdown", _set, signal.SIG_IGN)
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        # A log file may have taken SIGUSR1 already, or do so later.
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, signal.SIG_IGN)


def _set(handler: Handler) -> None:
    # A signal just before it is ignored would log a traceback ("ignored due to race condition"). They are blocked in
    # this thread only, which is the last one by then.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            # Ignored signals stay ignored: a shell sets that for background jobs.
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def stop(reactor: Reactor, name: str = "drain") -> None:
    """Stop this server gracefully; ``name`` of the cause is for the log."""
    _log.info("{signal}: closing all connections; a second signal ends this process at once", signal=name)
    with suppress(ReactorNotRunning):
        reactor.stop()


def _make_second(first_at: float) -> Handler:
    def second(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - first_at >= SAME_SECONDS:
            # The status that shells use for a death by signal. PID 1 in a container can't die by a signal of its own.
            os._exit(128 + number)

    return second
