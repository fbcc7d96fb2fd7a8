"""The lines of reported events, as text and as JSON, and how many of them there are."""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event, each_of
from ma_signaling.core.peer import ClientAddress
from ma_signaling.monitoring.event_log import EventLog
from ma_signaling.monitoring.log_writer import LogWriter
from ma_signaling.transport.client_address import describe, parse
from tests.support.fake_clock import FakeClock

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}"


def network_address(text: str) -> Any:
    parsed = parse(text)
    assert parsed is not None
    return describe(parsed)


class LogTest(SynchronousTestCase):
    """Events in, lines out."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.log = each_of(EventLog("network", self.clock))
        self.file = io.StringIO()

    def _observe(self, as_json: bool) -> None:
        lines = LogWriter(self.file, as_json, "network", self.clock)
        globalLogPublisher.addObserver(lines)
        self.addCleanup(globalLogPublisher.removeObserver, lines)

    def _lines(self) -> list[str]:
        return self.file.getvalue().splitlines()

    def test_text(self) -> None:
        self._observe(as_json=False)
        self.log(
            Event.HOME_REGISTERED,
            connection="c7",
            address=network_address("192.0.2.77"),
            remote_id="MA-X7K9-P2M4",
        )
        self.assertRegex(
            self.file.getvalue(),
            rf"^{TIME} \[ma_signaling#info\] c7 \(192\.0\.2\.0/24\): home MA-X…[0-9a-f]{{8}} registered\n$",
        )

    def test_what_cannot_be_said_stops_nothing(self) -> None:
        """And is not said by the error either."""
        self._observe(as_json=False)
        bad = ClientAddress("2001:db8::no-address", "key")
        self.log(Event.TAKEOVER, connection="c7", address=bad, remote_id="HOME", holder="c1", verdict="won")
        assert "ValueError" in self.file.getvalue()
        assert "no-address" not in self.file.getvalue()

    def test_json(self) -> None:
        self._observe(as_json=True)
        self.log(
            Event.TAKEOVER,
            connection="c8",
            address=network_address("2001:db8:1:2::3"),
            remote_id="MA-X7K9-P2M4",
            holder="c7",
            verdict="won by proof after 10.1 s",
        )
        line = json.loads(self.file.getvalue())
        self.assertRegex(line.pop("time"), f"^{TIME}$")
        self.assertRegex(line.pop("remote_id"), r"^MA-X…[0-9a-f]{8}$")
        self.assertIn("registers home MA-X…", line.pop("message"))
        self.assertEqual(line.pop("verdict"), "won by proof after 10.1 s")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "event": "takeover",
                "connection": "c8",
                "address": "2001:db8:1::/48",
                "holder": "c7",
            },
        )

    def test_events_without_a_line_are_silent(self) -> None:
        self._observe(as_json=False)
        self.log(Event.SESSION_REQUESTED, connection="c1", remote_id="R")
        self.assertEqual(self._lines(), [])

    def test_a_flood_is_counted(self) -> None:
        self._observe(as_json=False)
        for n in range(1000):
            self.log(Event.PEER_CLOSED, connection=f"c{n}", code=4029, reason="Rate limited")
            self.clock.advance(0.05)
        self.assertEqual(len(self._lines()), 20)
        self.clock.advance(11)
        self.assertIn("980 more within a minute that were not logged: peer closed", self._lines()[-1])
        self.log(Event.PEER_CLOSED, connection="c", code=4029, reason="Rate limited")
        self.assertIn("c: closed with 4029 Rate limited", self._lines()[-1])
        self.clock.advance(60)
        self.assertEqual(len(self._lines()), 20 + 2)
        self.assertEqual(self.clock.timers, [])

    def test_homes_are_named_by_the_hundred(self) -> None:
        self._observe(as_json=False)
        for n in range(1500):
            self.log(Event.HOME_LEFT, connection=f"c{n}", remote_id="R")
        self.assertEqual(len(self._lines()), 1000)
        self.clock.advance(60)
        self.assertIn("500 more within a minute that were not logged: home left", self._lines()[-1])
