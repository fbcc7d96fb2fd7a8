"""How a node gets into NATS, and what stops a server that cannot."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import make_certificate
from tests.support.nats_identity import operator_mode
from tests.support.nats_servers import NatsServer, node, obstacle, wait_until


class AdmissionTest(SynchronousTestCase):
    """By a token, a credentials file, or TLS; and not without."""

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def file(self, name: str, content: str) -> str:
        path = (self.directory / name).absolute()
        path.write_text(content)
        return str(path)

    def assert_joins(self, nats: NatsServer, url: str, *options: str, reactor: str = "epoll") -> None:
        with node(url, *options, reactor=reactor) as server:
            wait_until(lambda: obstacle(server) is None, "a node that has joined")
        log = server.log()
        assert "Traceback" not in log
        assert "was destroyed" not in log, "a task was left"
        assert "NATS is unreachable" not in log, "it left by itself"

    def assert_stays_out(self, nats: NatsServer, url: str, *options: str) -> str:
        """It serves its own peers, says why, and is not ready."""
        with node(url, *options) as server:
            wait_until(lambda: "cannot be reached" in server.log(), "a reason")
            assert obstacle(server) == "cluster-unreachable"
            assert "Traceback" not in server.log()
        return server.log()

    def test_asyncio_reactor(self) -> None:
        """Whoever starts it on Twisted's asyncio reactor has a node as well."""
        nats = self.stack.enter_context(NatsServer())
        self.assert_joins(nats, nats.url, reactor="asyncio")

    def test_token(self) -> None:
        nats = self.stack.enter_context(NatsServer('authorization: { token: "s3cret" }\n'))
        self.assert_joins(nats, nats.url, "--nats-token-file", self.file("token", "s3cret\n"))
        log = self.assert_stays_out(nats, nats.url, "--nats-token-file", self.file("wrong", "guessed"))
        assert "guessed" not in log

    def test_credentials(self) -> None:
        configuration, credentials = operator_mode()
        nats = self.stack.enter_context(NatsServer(configuration))
        self.assert_joins(nats, nats.url, "--nats-credentials", self.file("node.creds", credentials))
        _, others = operator_mode()
        self.assert_stays_out(nats, nats.url, "--nats-credentials", self.file("other.creds", others))

    def test_tls(self) -> None:
        key, certificate = (self.directory.absolute() / name for name in ("key.pem", "certificate.pem"))
        make_certificate(key, certificate)
        nats = self.stack.enter_context(
            NatsServer(f'tls: {{ cert_file: "{certificate}", key_file: "{key}" }}\n')
        )
        url = nats.url.replace("nats://127.0.0.1", "tls://localhost")
        self.assert_joins(nats, url, "--nats-ca", str(certificate))
        self.assert_stays_out(nats, url)
