"""A server that systemd has opened the sockets for."""

from __future__ import annotations

import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import make_certificate
from tests.support.deaf_peer import Deaf
from tests.support.free_ports import free_port
from tests.support.memory_server import UPGRADE, frame
from tests.support.proxy_processes import executable, proxy_v2
from tests.support.server_process import STARTS_WITHIN, child_environment, end
from tests.support.systemd_stand_in import Unit, everywhere, unit_environment

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class ActivationTest(SynchronousTestCase):
    """The real server, on a port that somebody else holds."""

    def ask(self, host: str, port: int, request: bytes) -> socket.socket:
        """A connection that has sent its request. Raises ``OSError`` where it is refused."""
        client = socket.create_connection((host, port), timeout=STARTS_WITHIN)
        self.addCleanup(client.close)
        client.sendall(request)
        return client

    def answer(self, client: socket.socket) -> bytes:
        """The status line of the answer."""
        line = b""
        while not line.endswith(b"\r\n"):
            byte = client.recv(1)
            assert byte, f"closed after {line!r}"
            line += byte
        return line.rstrip()

    def test_restart_refuses_nobody(self) -> None:
        """Who comes while the service stops, and while none is there, is answered by the next one."""
        upgraded, ok = b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 200 OK"
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start()
            # A peer that doesn't answer the close frame: the service takes its time.
            deaf = self.ask("127.0.0.1", unit.port, UPGRADE + b"\r\n")
            assert self.answer(deaf) == upgraded
            unit.signal(signal.SIGTERM)
            unit.wait_for("STOPPING=1")
            waiting = [self.ask("::1", unit.port, UPGRADE + b"\r\n") for _ in range(20)]
            asking = [self.ask("127.0.0.1", unit.port, HEALTH) for _ in range(20)]
            assert unit.process is not None
            assert unit.process.poll() is None
            unit.wait()
            waiting += [self.ask("127.0.0.1", unit.port, UPGRADE + b"\r\n") for _ in range(20)]
            unit.start()
            assert {self.answer(client) for client in waiting} == {upgraded}
            assert {self.answer(client) for client in asking} == {ok}
            # Not only accepted: each of them is served.
            waiting[0].sendall(frame(1, b'{"type":"register-server","remoteId":"HOME"}'))
            while b"registered" not in (received := waiting[0].recv(4096)):
                assert received
            assert "Traceback" not in unit.log(), unit.log()

    def test_unix_socket(self) -> None:
        """It stays as systemd has made it, for a proxy that connects to its path before and after a restart."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "socket"
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(7)
            path.chmod(0o640)
            with Unit(unit_environment(), listener) as unit:
                for _ in range(2):
                    unit.start(MA_SIGNALING_PORT="systemd:domain=UNIX:index=0")
                    with socket.socket(socket.AF_UNIX) as client:
                        client.settimeout(STARTS_WITHIN)
                        client.connect(str(path))
                        client.sendall(HEALTH)
                        assert self.answer(client) == b"HTTP/1.1 200 OK"
                    assert stat.S_IMODE(path.stat().st_mode) == 0o640
                    unit.signal(signal.SIGTERM)
                    unit.wait()

    def test_watchdog_is_fed(self) -> None:
        """Also while the service says goodbye: systemd would kill one that takes its time."""
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start(WATCHDOG_USEC="200000")
            assert [unit.hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
            with Deaf(unit.port) as deaf:
                unit.signal(signal.SIGTERM)
                unit.wait_for("STOPPING=1")
                assert deaf.close_code() == 1012
                assert [unit.hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
            unit.wait()

    def test_reload(self) -> None:
        """``systemctl reload`` waits for the second line."""
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start()
            unit.signal(signal.SIGHUP)
            assert unit.hear().startswith("RELOADING=1\n")
            assert unit.hear() == "READY=1"
            assert "Reloading" in unit.log(), unit.log()

    def test_tls(self) -> None:
        """A port that systemd holds can speak TLS."""
        with tempfile.TemporaryDirectory() as directory, Unit(unit_environment(), everywhere()) as unit:
            key, certificate = Path(directory) / "key.pem", Path(directory) / "cert.pem"
            make_certificate(key, certificate)
            unit.start(MA_SIGNALING_TLS_CERT=str(certificate), MA_SIGNALING_TLS_KEY=str(key))
            trusting = ssl.create_default_context(cafile=certificate)
            plain = socket.create_connection(("127.0.0.1", unit.port), timeout=STARTS_WITHIN)
            with trusting.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(HEALTH)
                assert self.answer(client) == b"HTTP/1.1 200 OK"

    def test_proxy_protocol(self) -> None:
        """As can be said to HAProxy."""
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start(MA_SIGNALING_PORT="haproxy:systemd:domain=INET6:index=0")
            client = self.ask("127.0.0.1", unit.port, proxy_v2("198.51.100.1") + HEALTH)
            assert self.answer(client) == b"HTTP/1.1 200 OK"

    def test_ipv4_only(self) -> None:
        """On a machine without IPv6, systemd makes an IPv4 socket of the same unit."""
        with Unit(unit_environment(), socket.create_server(("127.0.0.1", 0))) as unit:
            unit.start()
            assert self.answer(self.ask("127.0.0.1", unit.port, HEALTH)) == b"HTTP/1.1 200 OK"

    def test_systemd_socket_activate(self) -> None:
        """systemd's own tool, which starts the server for its first connection."""
        port = free_port()
        command = [executable("systemd-socket-activate"), f"--listen={port}", "--fdname=ma-signaling.socket"]
        environment = {**child_environment(), "MA_SIGNALING_PORT": unit_environment()["MA_SIGNALING_PORT"]}
        passed = [f"--setenv={name}" for name in ("PATH", "PYTHONPATH", "MA_SIGNALING_PORT")]
        process = subprocess.Popen(
            [*command, *passed, str(Path(sys.executable).parent / "ma-signaling")],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for host in ("127.0.0.1", "::1"):
                assert self.answer(self.first(host, port)) == b"HTTP/1.1 200 OK"
        finally:
            end(process)

    def first(self, host: str, port: int) -> socket.socket:
        """A connection to a port that will soon be there."""
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                return self.ask(host, port, HEALTH)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
