"""The real server with TLS, and a client that checks its certificate."""

from __future__ import annotations

import shutil
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import Authority
from tests.support.free_ports import free_port
from tests.support.server_process import ServerProcess
from tests.support.tls_handshake import trusting

AUTHORITY = Authority()
WITHIN = 30.0
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class TlsProcessTestCase(SynchronousTestCase):
    """A directory with a certificate and its key, and a free port."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.certificate, self.key = self.directory / "fullchain.pem", self.directory / "privkey.pem"
        self.serial = AUTHORITY.issue(self.certificate, self.key)
        self.client = trusting(AUTHORITY.root)
        self.tls_port = free_port()

    def server(self, *options: str, port: str | None = None) -> ServerProcess:
        """Return a server with TLS on ``tls_port`` or on ``port``, and with plain text on a port of its own."""
        tls = ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))
        return ServerProcess("--port", port or str(self.tls_port), *tls, *options, plain="--http-port")

    def connect(
        self,
        where: tuple[str, int] | str | None = None,
        *,
        client: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
        first: bytes = b"",
    ) -> ssl.SSLSocket:
        """Return a TLS connection that checks the certificate, after sending ``first`` in plain text."""
        where = where or ("127.0.0.1", self.tls_port)
        if isinstance(where, str):
            plain = socket.socket(socket.AF_UNIX)
            plain.connect(where)
        else:
            plain = socket.create_connection(where)
        plain.settimeout(WITHIN)
        plain.sendall(first)
        return (client or self.client).wrap_socket(plain, server_hostname="localhost", session=session)


def ask(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    """Return the whole answer to one request."""
    with connection:
        connection.sendall(request)
        return connection.makefile("rb").read()


def serial_of(connection: Any) -> int:
    """Return the serial number of the certificate that a client was shown."""
    return int(connection.getpeercert()["serialNumber"], 16)
