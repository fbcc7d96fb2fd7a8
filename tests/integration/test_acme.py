"""Certificates by ACME: the real server, and a real CA."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from acme import messages
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme.client import Talk, Wanted
from tests.support.certificates import Authority, make_certificate
from tests.support.name_server import NameServer
from tests.support.pebble_process import Pebble
from tests.support.server_process import OPENER, ServerProcess, eventually
from tests.support.tls_handshake import trusting

WITHIN = 30.0


class AcmeTestCase(SynchronousTestCase):
    """A CA, and servers that ask it."""

    valid_seconds = 3600
    names: tuple[str, ...] = ("localhost",)

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        name_server = NameServer()
        self.addCleanup(name_server.close)
        self.ca = Pebble(self.directory, seconds=self.valid_seconds, name_server=name_server.address)
        self.addCleanup(self.ca.stop)

    def server(self, *, port: int | None = None) -> ServerProcess:
        return ServerProcess(
            *("--port", f"tcp:{port or self.ca.tls_port}:interface=127.0.0.1"),
            *("--acme-http-port", f"tcp:{self.ca.http_port}:interface=127.0.0.1"),
            *(
                "--metrics-allow",
                "127.0.0.1",
                *(part for name in self.names for part in ("--acme-domain", name)),
                "--acme-agree-tos",
                "--acme-directory",
                self.ca.url,
            ),
            *("--acme-ca", str(self.ca.certificate), "--state-directory", str(self.directory / "state")),
            plain="--http-port",
        )

    def serial(self, port: int, name: str = "localhost") -> str:
        """The number of the certificate for ``name`` that a client is shown that trusts this CA alone."""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as plain,
            trusting(self.ca.root()).wrap_socket(plain, server_hostname=name) as secured,
        ):
            certificate = secured.getpeercert()
            assert certificate is not None
            return str(certificate["serialNumber"])


class IssuedTest(AcmeTestCase):
    """Everything works, for several names."""

    valid_seconds = 9
    names = ("localhost", "signaling.example.org", "www.signaling.example.org")

    def test_issue_and_renew(self) -> None:
        self.ca.start()
        with self.server() as server:
            eventually(lambda: "a certificate was issued for localhost, s" in server.log(), server.log)
            first, *others = [self.serial(self.ca.tls_port, name) for name in self.names]
            assert set(others) == {first}
            eventually(lambda: server.log().count("a certificate was issued") == 2, server.log)
            assert self.serial(self.ca.tls_port) != first
            assert server.get("/ready") == {"ready": True}
            with OPENER.open(server.http + "/metrics", timeout=WITHIN) as reply:
                assert b"\nma_signaling_acme_failures 0.0\n" in reply.read()
            self.assert_redirects()
        assert self.ca.log().count("There are now 1 accounts") == 1

    def assert_redirects(self) -> None:
        for path, status, location in (
            ("/doctor?x=1", 301, f"https://localhost:{self.ca.tls_port}/doctor?x=1"),
            ("/ws", 301, f"https://localhost:{self.ca.tls_port}/ws"),
            ("//evil.example.org/", 301, f"https://localhost:{self.ca.tls_port}//evil.example.org/"),
            ("/.well-known/acme-challenge/unknown", 404, None),
            ("/.well-known/acme-challenge/", 404, None),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", self.ca.http_port, timeout=WITHIN)
            connection.request("GET", path, headers={"Host": "evil.example.org"})
            reply = connection.getresponse()
            assert (reply.status, reply.getheader("Location")) == (status, location)
            connection.close()


class TroubleTest(AcmeTestCase):
    """Nothing works at first: the server goes on, says what is wrong, and asks the CA no more than it should."""

    def test_troubles(self) -> None:
        """The CA is down; then the name's port for TLS leads elsewhere; the server restarts; http-01 saves it."""
        server = self.server(port=1 + self.ca.tls_port)
        with server:
            eventually(lambda: "can't be reached" in server.log(), server.log)
            (line,) = [line for line in server.log().splitlines() if "no certificate for" in line]
            assert "The next attempt is at " in line
            with self.assertRaises(OSError):
                server.get("/ready")
            self.ca.start()
            server.stop(signal.SIGTERM)
            server.start()
            assert server.log().count("asking for a certificate") == 1, "the restart has not begun anew"
            # The next attempt begins with the other challenge; until it has failed, nobody answers at that port.
            self.reload(server)
            eventually(lambda: "a certificate was issued for localhost" in server.log(), server.log)
            self.serial(1 + self.ca.tls_port)

    def reload(self, server: ServerProcess) -> None:
        os.kill(server.pid, signal.SIGHUP)


class ChallengeTest(AcmeTestCase):
    """The CA doesn't find the server."""

    def test_closed_port(self) -> None:
        self.ca.start()
        with self.server(port=1 + self.ca.tls_port) as server:
            eventually(lambda: "no certificate for" in server.log(), server.log)
            assert "the CA did not find this server at localhost, port 443: let the name" in server.log()
            assert server.get("/health")["status"] == "ok"


class Stub(BaseHTTPRequestHandler):
    """A CA that gives advice, and is tired of this client."""

    advice: ClassVar[dict[str, object]] = {
        "suggestedWindow": {"start": "2030-01-01T00:00:00Z", "end": "2030-01-01T00:00:01Z"}
    }

    def do_HEAD(self) -> None:
        self.reply(200, {})

    def do_GET(self) -> None:
        base = f"https://localhost:{self.server.server_port}"  # type: ignore[attr-defined]
        names = ("newNonce", "newAccount", "newOrder", "renewalInfo")
        is_directory = self.path == "/dir"
        self.reply(200, {name: f"{base}/{name}" for name in names} if is_directory else self.advice)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(429, {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}, "7200")

    def reply(self, status: int, body: object, retry_after: str = "60") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Replay-Nonce", "bm9uY2U")
        self.send_header("Retry-After", retry_after)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...


class AdviceTest(SynchronousTestCase):
    """What Debian's pebble has not: advice by RFC 9773, and limits."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        make_certificate(key, certificate)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        url = f"https://localhost:{server.server_port}/dir"
        self.talk = Talk(Wanted(url, str(certificate), "", ["localhost"], ["http-01"], None))

    def test_advice(self) -> None:
        path = self.directory / "issued.pem"
        Authority().issue(path, self.directory / "issued-key.pem")
        renew_at, ask_at = self.talk.advise(path.read_bytes())
        assert renew_at is not None
        assert 0 <= renew_at - 1893456000 <= 1
        assert ask_at > 0

    def test_limit(self) -> None:
        with self.assertRaises(messages.Error) as refused:
            self.talk.issue(lambda *_: None, lambda _: None)
        assert refused.exception.code == "rateLimited"
        assert self.talk.retry_after is not None
        assert 7100 < self.talk.retry_after <= 7200
