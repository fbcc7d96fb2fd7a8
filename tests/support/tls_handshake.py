"""TLS in memory: a client of the standard library against the server's own certificates, without a network."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.certificates import DAY, Certificates
from tests.support.certificates import Authority

AUTHORITY = Authority()


def trusting(root: str) -> ssl.SSLContext:
    """Return the context of a client that trusts only this root (PEM), and checks names."""
    return ssl.create_default_context(cadata=root)


class Handshake:
    """One connection. Raises ``ssl.SSLError`` with the server's alert, if it refuses."""

    def __init__(
        self, certificates: Certificates, client: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        asked_by: Any = None
        self._server = certificates.serverConnectionForTLS(asked_by)
        self._server.set_accept_state()
        self._to_client, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(
            self._to_client, self._to_server, server_hostname="localhost", session=session
        )
        for _ in range(3):
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self._pass_on()
        self._pass_on()
        # Tickets of TLS 1.3 come after the handshake, and are taken with the next read.
        self.say(b"hello")
        assert self.client.read() == b"hello"

    def say(self, data: bytes) -> None:
        """Send from the server to the client."""
        self._server.send(data)
        self._pass_on()

    def ask(self, data: bytes) -> bytes:
        """Send from the client; return what the server reads."""
        self.client.write(data)
        self._server.bio_write(self._to_server.read())
        heard: bytes = self._server.recv(65536)
        return heard

    @property
    def serial(self) -> int:
        """Return the serial number of the certificate that was shown."""
        shown: Any = self.client.getpeercert()
        return int(shown["serialNumber"], 16)

    def _pass_on(self) -> None:
        data = self._to_server.read()
        if data:
            self._server.bio_write(data)
        # The server wants more data, or has refused with an alert, which the client then raises.
        with suppress(SSL.Error):
            self._server.do_handshake()
        with suppress(SSL.WantReadError):
            self._to_client.write(self._server.bio_read(65536))


class TlsTestCase(SynchronousTestCase):
    """A directory with a certificate and its key."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.certificate, self.key = self.directory / "fullchain.pem", self.directory / "privkey.pem"
        self.serial = AUTHORITY.issue(self.certificate, self.key)

    def start(self, certificate: Path | None = None, key: Path | None = None, **options: Any) -> Certificates:
        """Return the service, on a clock of its own, with a wall clock that starts today and runs with it."""
        self.clock = Clock()
        today = x509.load_pem_x509_certificates(self.certificate.read_bytes())[0].not_valid_before_utc
        self.began = today.timestamp() + 200 * DAY
        reactor: Any = self.clock
        certificates = Certificates(
            certificate or self.certificate,
            key or self.key,
            reactor,
            lambda: self.began + self.clock.seconds(),
            **options,
        )
        certificates.privilegedStartService()
        certificates.startService()
        self.addCleanup(certificates.stopService)
        return certificates
