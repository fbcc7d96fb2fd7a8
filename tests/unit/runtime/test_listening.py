"""Endpoints: how many may wait to be accepted, and what is said where a server can't listen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import CannotStart
from ma_signaling.runtime.listening import BACKLOG, make_endpoint
from tests.support.certificates import make_certificate


class EndpointTest(SynchronousTestCase):
    """Descriptions that nothing can be made of."""

    def test_a_lone_backslash(self) -> None:
        """It escapes nothing, and nothing that is added."""
        reactor: Any = Clock()
        for text in ("unix:address=/run/x\\", "tcp:8787:interface=127.0.0.1\\", "unix:/run/x\\"):
            with self.assertRaises(CannotStart) as refused:
                make_endpoint(text, reactor)
            assert "backlog" not in str(refused.exception)

    def test_systemd_without_systemd(self) -> None:
        reactor: Any = Clock()
        for text in ("systemd:domain=INET6:index=0", "haproxy:systemd:domain=INET6:index=0"):
            with self.assertRaises(CannotStart) as refused:
                make_endpoint(text, reactor)
            assert f"cannot listen on {text}: systemd has handed over no such socket" in str(
                refused.exception
            )


class BacklogTest(SynchronousTestCase):
    """After a restart everybody comes back at once, wherever the server listens."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        key, certificate, self.pem = (self.directory / name for name in ("key", "certificate", "a.pem"))
        make_certificate(key, certificate)
        self.pem.write_bytes(key.read_bytes() + certificate.read_bytes())

    def backlog(self, text: str) -> int:
        """The length of the queue that a reactor is asked for."""
        reactor = MemoryReactorClock()
        self.successResultOf(make_endpoint(text, reactor).listen(ServerFactory()))
        # Twisted's ssl endpoints use what pyOpenSSL gives up.
        self.flushWarnings()
        ports: list[Any] = [*reactor.tcpServers, *reactor.unixServers]
        for port, factory, _, *rest in reactor.sslServers:
            ports.append((port, factory, *rest))
        return int(ports[0][2])

    def test_default(self) -> None:
        """As long as that of a port number."""
        for text in (
            "tcp:8787",
            "tcp:8787:interface=127.0.0.1",
            "tcp:8787:127.0.0.1",
            "tcp:port=8787",
            "tcp6:8787",
            f"ssl:8443:{self.pem}",
            f"tls:{self.directory}:8443",
            "haproxy:tcp:8787",
            "unix:/run/x",
            "unix:/run/x:660",
            r"unix:/run/a\:b:mode=660",
            r"unix:backlog\=x",
        ):
            assert self.backlog(text) == BACKLOG, text

    def test_what_the_description_says(self) -> None:
        for text in (
            "tcp:8787:backlog=7",
            "tcp:8787:127.0.0.1:7",
            "tcp6:8787:7",
            "haproxy:tcp:8787:backlog=7",
            "unix:/run/x:backlog=7:mode=660",
            "unix:/run/x:660:7",
            r"unix:/run/a\=b:660:7",
            r"unix:/run/x\\:660:7",
            f"ssl:8443:{self.pem}:{self.pem}:SSLv23_METHOD:127.0.0.1:7",
            f"ssl:8443:privateKey={self.pem}:backlog=7",
            f"tls:{self.directory}:8443:7",
        ):
            assert self.backlog(text) == 7, text
