"""How the log is written: lines of libraries as much as of this server."""

from __future__ import annotations

import errno
import io
import json
import logging
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.monitoring.log_writer import ACCEPT_NAMESPACE, LibraryHandler, LogWriter
from tests.support.fake_clock import FakeClock


class WriterTestCase(SynchronousTestCase):
    """A log in memory."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.file = io.StringIO()

    def writer(self, addresses: str = "none", *, as_json: bool = False) -> LogWriter:
        """A writer that is given what is logged as well."""
        writer = LogWriter(self.file, as_json, addresses, self.clock)
        globalLogPublisher.addObserver(writer)
        self.addCleanup(globalLogPublisher.removeObserver, writer)
        return writer

    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


def event(
    text: str, level: Any = LogLevel.warn, namespace: str = "library", **details: object
) -> dict[str, Any]:
    """An event as Twisted's Logger makes it."""
    return {"log_time": 0.0, "log_level": level, "log_namespace": namespace, "log_format": text, **details}


class ListenerWithoutDescriptors:
    """A listening socket that fails to accept once, and whose queue then holds so many connections."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._has_failed = False

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if not self._has_failed:
            self._has_failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        if not self._waiting:
            raise BlockingIOError(errno.EAGAIN, "Nobody waits")
        self._waiting -= 1
        return socket.socket(), ("192.0.2.77", self._waiting)


def failure(text: str) -> Failure:
    try:
        raise ValueError(text)
    except ValueError:
        return Failure()


class LibraryTest(WriterTestCase):
    """Lines of libraries."""

    def test_information_is_left_out(self) -> None:
        write = self.writer()
        for level in (LogLevel.debug, LogLevel.info):
            write(event("SignalingFactory starting on 8787", level))
        assert self.lines() == []
        write(event("a warning"))
        assert self.lines()[0].endswith("[library#warn] a warning")

    def test_own_information_is_not(self) -> None:
        self.writer()(event("Listening on {address}", LogLevel.info, "ma_signaling", address="192.0.2.1:80"))
        assert self.lines()[0].endswith("[ma_signaling#info] Listening on 192.0.2.1:80")

    def test_addresses_follow_the_setting(self) -> None:
        for policy, shown in (("none", "an address"), ("network", "192.0.2.0/24"), ("full", "192.0.2.77")):
            self.writer(policy)(event("from {peer}", peer=("192.0.2.77", 4711)))
            assert f"from ('{shown}', 4711)" in self.lines()[-1]

    def test_addresses_of_peers_in_own_lines_follow_it_too(self) -> None:
        for policy, shown in (
            ("none", "an address"),
            ("network", "2001:db8:1::/48"),
            ("full", "2001:db8:1:2::7"),
        ):
            self.writer(policy)(
                event("banned {it}", LogLevel.info, "ma_signaling", it="2001:db8:1:2::7", is_about_peers=True)
            )
            assert self.lines()[-1].endswith(f"banned {shown}")

    def test_a_traceback_of_this_server_is_a_library_s_text_too(self) -> None:
        write = self.writer()
        write(event("failed", LogLevel.critical, "ma_signaling", log_failure=failure("lost 192.0.2.77")))
        assert "ValueError: lost an address" in self.file.getvalue()

    def test_a_flood_is_counted(self) -> None:
        """Twisted's own lines about accepting without descriptors, which it takes for information."""
        write = self.writer()
        port = Port(0, Factory())
        tcp._reservedFD.reserve()
        port.numberAccepts = 500
        port.socket = ListenerWithoutDescriptors(499)
        port.doRead()
        write(event("another library", namespace="other"))
        lines = self.lines()
        assert len(lines) == 20 + 1
        assert f"[{ACCEPT_NAMESPACE}#warn] EMFILE encountered" in lines[0]
        assert all(
            "#warn] EMFILE recovery: Closed socket from ('an address', " in line for line in lines[1:20]
        )
        self.clock.advance(60)
        assert f"481 more within a minute that were not logged: {ACCEPT_NAMESPACE}" in self.file.getvalue()
        assert self.clock.timers == []

    def test_failures_of_a_kind_are_counted_too(self) -> None:
        write = self.writer(as_json=True)
        for _ in range(50):
            write(event("failed", LogLevel.critical, "ma_signaling", log_failure=failure("x")))
        assert len(self.lines()) == 20
        self.clock.advance(60)
        assert json.loads(self.lines()[-1])["message"].startswith("30 more within a minute")

    def test_control_characters_are_escaped(self) -> None:
        self.writer()(event("one\x1b[31m\x00two\x9b"))
        assert self.lines()[0].endswith("one\\x1b[31m\\x00two\\x9b")

    def test_python_s_own_logging(self) -> None:
        self.writer()
        logger = logging.getLogger("another.package")
        handler = LibraryHandler(logging.WARNING)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        logger.propagate = False
        self.addCleanup(setattr, logger, "propagate", True)
        logger.info("nothing")
        logger.warning("a %s from %s", "warning", "192.0.2.77")
        try:
            raise ValueError("2001:db8::1 is gone")
        except ValueError:
            logger.exception("failed")
        first, second, *rest = self.lines()
        assert first.endswith("[another.package#warn] a warning from an address")
        assert second.endswith("[another.package#error] failed")
        assert rest[-1] == "\tValueError: an address is gone"


class LineTest(WriterTestCase):
    """One event, one line."""

    def test_text_and_json(self) -> None:
        self.writer(as_json=True)(
            event("in {place}", place="the {cellar}", log_failure=failure("what went wrong"))
        )
        line = json.loads(self.lines()[0])
        assert (line["level"], line["logger"]) == ("warn", "library")
        assert "in the {cellar}" in line["message"]
        assert "ValueError: what went wrong" in line["message"]
        self.file.truncate(0)
        self.writer()(event("in {place}", place="the {cellar}", log_failure=failure("what went wrong")))
        first, *rest = self.lines()
        assert "[library#warn] in the {cellar}" in first
        assert all(line.startswith("\t") for line in rest), "one event, one line that begins at the left"

    def test_milliseconds(self) -> None:
        write = self.writer()
        for moment, shown in ((1_000_000.0005, "000"), (1_000_000.9996, "999"), (1_000_001.25, "250")):
            write({**event("x"), "log_time": moment})
            self.assertRegex(self.lines()[-1], rf"^\S+T\d\d:\d\d:\d\d\.{shown}[+-]\d{{4}} ")
        assert len({line[:19] for line in self.lines()}) == 2
