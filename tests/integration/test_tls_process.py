"""TLS of the real server: real sockets, real files, real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import aiohttp

from tests.support.certificates import make_certificate
from tests.support.memory_server import UPGRADE
from tests.support.server_process import ServerProcess, child_environment, eventually, twistd_path
from tests.support.tls_handshake import trusting
from tests.support.tls_server_case import AUTHORITY, REQUEST, WITHIN, TlsProcessTestCase, ask, serial_of


class StartTest(TlsProcessTestCase):
    """Without a good pair the server refuses to start, in one line."""

    def assert_refuses(self, hint: str, *options: str, daemon: bool = False) -> None:
        twistd = [str(twistd_path()), "--pidfile=", "--logfile=log" if daemon else "-n"]
        done = subprocess.run(
            [*twistd, "ma-signaling", "--port", str(self.tls_port), *options],
            env=child_environment(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert done.returncode == 1, done
        output = done.stdout + done.stderr
        (line,) = [line for line in output.splitlines() if "ma-signaling" in line]
        assert hint in line, output
        assert "Traceback" not in output, output

    def test_bad_pairs(self) -> None:
        other = self.directory / "other.pem"
        AUTHORITY.issue(self.directory / "other-cert.pem", other)
        certificate = str(self.certificate)
        self.assert_refuses(" is not that of ", "--tls-cert", certificate, "--tls-key", str(other))
        self.assert_refuses("no TLS", "--tls-cert", certificate, "--tls-key", str(other), daemon=True)


class ListenTest(TlsProcessTestCase):
    """Where TLS is spoken, and where it is not."""

    def test_number(self) -> None:
        with self.server() as server:
            for host in ("127.0.0.1", "::1"):
                assert ask(self.connect((host, self.tls_port))).startswith(b"HTTP/1.1 200 OK")
            assert server.get("/health")["status"] == "ok", "--http-port is plain"

    def test_tcp_endpoint(self) -> None:
        with self.server(port=f"tcp:{self.tls_port}:interface=127.0.0.1"):
            assert ask(self.connect()).startswith(b"HTTP/1.1 200 OK")

    def test_unix_endpoint(self) -> None:
        path = str(self.directory / "socket")
        with self.server(port=f"unix:{path}"):
            assert ask(self.connect(path)).startswith(b"HTTP/1.1 200 OK")

    def test_behind_the_proxy_protocol(self) -> None:
        """Its line comes in plain text; the client's address is what it says."""
        replies = []
        with self.server("--lookups-per-minute", "1", port=f"haproxy:tcp:{self.tls_port}"):
            for address in ("198.51.100.1", "198.51.100.1", "198.51.100.2"):
                line = f"PROXY TCP4 {address} 127.0.0.1 4711 443\r\n".encode()
                reply = ask(self.connect(first=line), REQUEST.replace(b"/health", b"/api/check/HOME"))
                replies.append(reply[9:12])
        assert replies == [b"200", b"429", b"200"]

    def test_ssl_endpoint_keeps_its_own_certificate(self) -> None:
        key, certificate = self.directory / "own-key.pem", self.directory / "own.pem"
        client = trusting(make_certificate(key, certificate).decode())
        with self.server(port=f"ssl:{self.tls_port}:privateKey={key}:certKey={certificate}"):
            assert ask(self.connect(client=client)).startswith(b"HTTP/1.1 200 OK")

    def test_h2_only(self) -> None:
        """Whoever speaks something else hears so, and the log does not."""
        client = trusting(AUTHORITY.root)
        client.set_alpn_protocols(["h2"])
        with self.server():
            with self.assertRaises(ssl.SSLError) as caught:
                self.connect(client=client)
            assert "no application protocol" in str(caught.exception)
            client.set_alpn_protocols(["h2", "http/1.1"])
            with self.connect(client=client) as connection:
                assert connection.selected_alpn_protocol() == "http/1.1"

    def test_tickets(self) -> None:
        with self.server():
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = trusting(AUTHORITY.root)
                client.minimum_version = client.maximum_version = version
                with self.connect(client=client) as first:
                    first.sendall(REQUEST)
                    assert not first.session_reused
                    # In TLS 1.3 a ticket comes with what is read after the handshake.
                    assert first.recv(9) == b"HTTP/1.1 "
                    session = first.session
                with self.connect(client=client, session=session) as again:
                    assert again.session_reused, version
                    assert ask(again).startswith(b"HTTP/1.1 200 OK")

    def test_short_records(self) -> None:
        """A client may ask for records shorter than what is written at once (RFC 6066 section 4)."""
        with self.server():
            command = [
                "openssl",
                "s_client",
                "-quiet",
                "-maxfraglen",
                "512",
                "-connect",
                f"127.0.0.1:{self.tls_port}",
            ]
            request = b"GET /doctor HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            reply = subprocess.run(
                command, input=request, capture_output=True, timeout=WITHIN, check=False
            ).stdout
        head, _, body = reply.partition(b"\r\n\r\n")
        assert len(body) > 4096, reply
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n", head


class HstsTest(TlsProcessTestCase):
    """Strict-Transport-Security."""

    def header(self, reply: bytes) -> list[bytes]:
        head = reply.partition(b"\r\n\r\n")[0]
        return [line for line in head.split(b"\r\n") if line.lower().startswith(b"strict-transport")]

    def test_on_replies_by_tls_only(self) -> None:
        with self.server("--hsts", "31536000") as server:
            for path in (b"/", b"/health", b"/ws", b"/nowhere"):
                request = REQUEST.replace(b"/health", path)
                assert self.header(ask(self.connect(), request)) == [
                    b"Strict-Transport-Security: max-age=31536000"
                ]
                plain = socket.create_connection(("127.0.0.1", server.port))
                assert not self.header(ask(plain, request))
            for wrong in (
                b"GET / HTTP/1.1\r\nHost:x\r\nContent-Length: 1\r\n\r\n",
                b"nonsense\r\n\r\n",
                b"GET / HTTP/1.1\r\nx: " + b"x" * 20_000,
                UPGRADE.replace(b"Version: 13", b"Version: 7") + b"\r\n",
            ):
                assert len(self.header(ask(self.connect(), wrong))) == 1, wrong

    def test_off_by_default(self) -> None:
        with self.server():
            assert not self.header(ask(self.connect()))


class RenewalTest(TlsProcessTestCase):
    """A renewed certificate is shown to those who come, and those who are here notice nothing."""

    def play(self, server: ServerProcess, renew: Callable[[], int], *, waits_for: str | None = None) -> None:
        """A home connects, the certificate is renewed, and a client comes, which sees it and meets the home."""

        async def conversation() -> None:
            async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as session:
                url = f"wss://localhost:{self.tls_port}/ws"
                home = await session.ws_connect(url, ssl=self.client)
                assert serial_of(home.get_extra_info("ssl_object")) == self.serial
                await home.send_json({"type": "register-server", "remoteId": "HOME"})
                assert (await home.receive_json())["type"] == "registered"
                serial = renew()
                await asyncio.to_thread(self.wait_for, serial)
                client = await session.ws_connect(url, ssl=self.client)
                assert serial_of(client.get_extra_info("ssl_object")) == serial
                await client.send_json({"type": "connect-request", "remoteId": "HOME"})
                session_id = (await home.receive_json())["sessionId"]
                await home.send_json({"type": "session-ready", "sessionId": session_id})
                assert (await client.receive_json())["type"] == "connected"
                await client.send_json({"type": "offer", "data": "x" * 60_000})
                assert len((await home.receive_json())["data"]) == 60_000

        asyncio.run(conversation())
        assert "[ma_signaling#error]" not in server.log(), server.log()

    def shown(self) -> int:
        """The serial number that a new client sees."""
        with self.connect() as connection:
            return serial_of(connection)

    def wait_for(self, serial: int) -> None:
        """Connect until the certificate with this serial number is shown."""
        deadline = time.monotonic() + WITHIN
        while self.shown() != serial:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def test_on_sighup(self) -> None:
        def renew() -> int:
            serial = AUTHORITY.issue(self.certificate, self.key)
            os.kill(server.pid, signal.SIGHUP)
            return serial

        with self.server() as server:
            self.play(server, renew)
            assert "Reloading: " in server.log()

    def test_by_itself(self) -> None:
        """A directory of files is swapped by its link, as Kubernetes does."""
        first, second = self.directory / "1", self.directory / "2"
        first.mkdir()
        second.mkdir()
        for path in (self.certificate, self.key):
            path.rename(first / path.name)
            path.symlink_to(Path("data") / path.name)
        (self.directory / "data").symlink_to("1")

        def renew() -> int:
            serial = AUTHORITY.issue(second / self.certificate.name, second / self.key.name)
            (self.directory / "new").symlink_to("2")
            (self.directory / "new").replace(self.directory / "data")
            return serial

        with self.server() as server:
            self.play(server, renew)
            assert "Reloading" not in server.log()

    def test_bad_pairs(self) -> None:
        """The old one is shown on, and the log says why."""

        def garbage() -> None:
            self.key.write_text("garbage")

        def pipe() -> None:
            """Reading it would freeze the server."""
            self.key.unlink()
            os.mkfifo(self.key)

        def pss() -> None:
            """OpenSSL takes it, and refuses every handshake."""
            self.key.unlink()
            make = ["openssl", "req", "-x509", "-newkey", "rsa-pss", "-nodes", "-subj", "/CN=localhost"]
            files = ["-keyout", str(self.key), "-out", str(self.certificate)]
            subprocess.run([*make, *files], check=True, capture_output=True, timeout=WITHIN)

        with self.server() as server:
            spoilt: dict[str, Callable[[], None]] = {
                "holds no private key in PEM that can be read": garbage,
                "Not a regular file": pipe,
                "every handshake would fail: no shared cipher": pss,
            }
            for why, spoil in spoilt.items():
                spoil()
                os.kill(server.pid, signal.SIGHUP)
                line = f"{why}; the previous certificate stays in use"
                eventually(partial(self._has_logged, server, line), server.log)
                assert self.shown() == self.serial

    @staticmethod
    def _has_logged(server: ServerProcess, line: str) -> bool:
        return line in server.log()
