"""Every job that repeats goes on after an exception in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.application.service import Service
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime import certificates as certificates_module
from ma_signaling.runtime.certificates import POLL_SECONDS, Certificates
from ma_signaling.runtime.shutdown import BATCH_SECONDS, Connections
from ma_signaling.runtime.systemd import Notifier, make_watchdog
from tests.support.certificates import make_certificate
from tests.support.memory_server import Server


class JobsTest(SynchronousTestCase):
    """Each raises the first time, and is called again."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def assert_goes_on(self, job: Service, seconds: float, owner: object, name: str) -> None:
        """Fail in what the job calls, by its name, and see that it is called again."""
        job.startService()
        with mock.patch.object(owner, name, side_effect=[RuntimeError("once"), mock.DEFAULT]) as called:
            self.clock.advance(seconds)
            assert called.call_count == 1
            self.clock.advance(seconds)
            assert called.call_count == 2
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_watchdog(self) -> None:
        notifier = Notifier(self.clock, "/nowhere", 30)
        watchdog = make_watchdog(notifier, self.clock)
        assert watchdog is not None
        self.assert_goes_on(watchdog, 15, notifier, "tell")

    def test_certificates(self) -> None:
        certificate, key = self.directory / "certificate", self.directory / "key"
        make_certificate(key, certificate)
        certificates = Certificates(certificate, key, self.clock)
        certificates.privilegedStartService()
        self.assert_goes_on(certificates, POLL_SECONDS, certificates_module, "stamp_of")

    def test_closing_connections(self) -> None:
        server = Server(connections_per_minute=0, silent_connections_per_address=0)
        peers = [server.connect() for _ in range(60)]
        drain, failures = server.hub.drain, [RuntimeError("once"), RuntimeError("twice")]

        def fail_first(max_closed: int) -> bool:
            if failures:
                raise failures.pop()
            return drain(max_closed)

        with mock.patch.object(server.hub, "drain", fail_first):
            clock: Any = server.clock
            stopped = Connections(server.hub, server.factory, server.settings, clock).stopService()
            server.clock.pump([BATCH_SECONDS] * 4)
        assert {peer.close_code() for peer in peers} == {1012}
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        for peer in peers:
            peer.lose()
        self.successResultOf(stopped)
