"""Several processes that share a port: the real server, and systemd's template for it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.memory_server import UPGRADE
from tests.support.metrics_text import parse
from tests.support.proxy_processes import proxy_v2, replaced
from tests.support.server_process import OPENER, STARTS_WITHIN, STOPS_WITHIN, child_environment, script

TEMPLATE = ROOT / "contrib" / "systemd" / "ma-signaling@.service"
SERVER = str(Path(sys.executable).parent / "ma-signaling")
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SWITCHING, OK = b"HTTP/1.1 101 ", b"HTTP/1.1 200 "
# Nobody needs to be there for a node to serve its own peers.
NODE = ("--nats-url", "nats://127.0.0.1:9")
UNLIMITED = (*NODE, "--connections-per-minute", "0", "--silent-connections-per-address", "0")


class Node:
    """One process of several, known by its own port for metrics."""

    def __init__(self, command: list[str], metrics_port: int, environment: Mapping[str, str]) -> None:
        self.metrics_port = metrics_port
        with tempfile.NamedTemporaryFile(delete=False) as log:
            self._log = Path(log.name)
            self.process = subprocess.Popen(
                command,
                env={**child_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def connections(self) -> float:
        """How many WebSockets it holds. Raises ``OSError`` while it isn't there."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with OPENER.open(url, timeout=STARTS_WITHIN) as reply:
            samples = parse(reply.read().decode())
        return sum(value for (name, _), value in samples.items() if name == "connections")

    def listens(self, port: int) -> bool:
        """Return whether it listens on a port."""
        own = {
            str(each.readlink())
            for each in Path(f"/proc/{self.process.pid}/fd").iterdir()
            if each.is_symlink()
        }
        lines = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        ]
        return any(
            fields[3] == "0A"
            and int(fields[1].rpartition(":")[2], 16) == port
            and f"socket:[{fields[9]}]" in own
            for fields in lines
        )

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            self.connections()
        except OSError:
            return False
        return True

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """As it should be stopped."""
        self.process.terminate()
        assert self.process.wait(STOPS_WITHIN) == 0, self.log()

    def kill(self) -> None:
        """At once, if it is there."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        self._log.unlink()


class NodesTest(SynchronousTestCase):
    """Two real processes."""

    def eventually(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    def directory(self) -> Path:
        """One that goes with the test."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def start(
        self, command: list[str], metrics_port: int, environment: Mapping[str, str] | None = None
    ) -> Node:
        """A process that begins."""
        node = Node(command, metrics_port, environment or {})
        self.addCleanup(node.close)
        return node

    def nodes(self, count: int, *options: str) -> list[Node]:
        """Processes that are up, started at the same time."""
        started = []
        for _ in range(count):
            metrics_port = free_port()
            own = ("--reuse-port", "on", "--metrics-port", str(metrics_port), *UNLIMITED)
            started.append(self.start([SERVER, *own, *options], metrics_port))
        for node in started:
            self.eventually(node.is_up)
        return started

    def ask(self, host: str, port: int, request: bytes) -> tuple[socket.socket, bytes]:
        """A connection, and how the answer begins; it may be none."""
        client = socket.create_connection((host, port), STARTS_WITHIN)
        self.addCleanup(client.close)
        client.sendall(request)
        return client, client.recv(13)

    def upgrade(self, port: int, count: int) -> None:
        """So many WebSockets that stay, by IPv4 and by IPv6."""
        for number in range(count):
            _, answer = self.ask(("127.0.0.1", "::1")[number % 2], port, UPGRADE + b"\r\n")
            assert answer == SWITCHING, answer

    def upgrade_until_all_have_some(self, port: int, nodes: list[Node]) -> None:
        """The kernel deals them out by a hash; that one gets none of 64 is as good as impossible."""
        for _ in range(64):
            self.upgrade(port, 1)
            if all(node.connections() for node in nodes):
                return
        raise AssertionError("one of them gets nobody")

    def test_both_serve_until_one_is_killed(self) -> None:
        port = free_port()
        first, second = self.nodes(2, "--port", str(port))
        self.upgrade_until_all_have_some(port, [first, second])
        first.kill()
        held = second.connections()
        self.upgrade(port, 20)
        assert second.connections() == held + 20

    def test_one_restarts(self) -> None:
        """While it says goodbye to somebody who doesn't answer, all newcomers come to the other one."""
        port = free_port()
        nodes = self.nodes(2, "--port", str(port))
        self.upgrade_until_all_have_some(port, nodes)
        nodes[0].process.terminate()
        self.eventually(lambda: not nodes[0].listens(port))
        before = nodes[1].connections()
        self.upgrade(port, 20)
        assert nodes[1].connections() == before + 20
        assert nodes[0].process.wait(STOPS_WITHIN) == 0, nodes[0].log()
        self.upgrade_until_all_have_some(port, [*self.nodes(1, "--port", str(port)), nodes[1]])

    def test_every_kind_of_port(self) -> None:
        """With TLS by this server's certificate, and by an endpoint's own; in plain text, and behind a proxy."""
        directory = self.directory()
        key, certificate = directory / "key.pem", directory / "cert.pem"
        make_certificate(key, certificate)
        tls, own_tls, plain, proxied = (free_port() for _ in range(4))
        options: tuple[str, ...] = ("--tls-cert", str(certificate), "--tls-key", str(key), "--port", str(tls))
        options += ("--port", f"ssl:{own_tls}:interface=127.0.0.1:privateKey={key}:certKey={certificate}")
        options += ("--http-port", str(plain), "--http-port", f"haproxy:tcp:{proxied}:interface=127.0.0.1")
        nodes = self.nodes(2, *options)
        trusting = ssl.create_default_context(cafile=certificate)
        # Together, and then the second one alone.
        for _ in nodes:
            for port in (tls, own_tls):
                raw = socket.create_connection(("127.0.0.1", port), STARTS_WITHIN)
                with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                    client.sendall(HEALTH)
                    assert client.recv(13) == OK
            assert self.ask("127.0.0.1", plain, HEALTH)[1] == OK
            assert self.ask("127.0.0.1", proxied, proxy_v2("198.51.100.1") + HEALTH)[1] == OK
            nodes[0].kill()

    def test_taken(self) -> None:
        """By somebody who doesn't share it; and a port for metrics is nobody else's."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for where in (str(port), f"tcp:{port}:interface=127.0.0.1"):
                self.assert_fails(where, *NODE, "--reuse-port", "on", "--port", where)
            metrics = f"tcp:{port}:interface=127.0.0.1"
            shown = self.assert_fails(
                metrics, *NODE, "--reuse-port", "on", "--port", str(free_port()), "--metrics-port", str(port)
            )
            assert "Listening on" not in shown, (
                "for a moment, somebody could come to a port that closes again"
            )

    def test_shared_with_none_that_does_not(self) -> None:
        port = free_port()
        self.nodes(1, "--port", str(port))
        self.assert_fails(str(port), "--port", str(port))

    def assert_fails(self, where: str, *options: str) -> str:
        done = script(*options)
        output = done.stdout + done.stderr
        assert done.returncode == 1, output
        assert "Traceback" not in output, output
        (line,) = [line for line in output.splitlines() if "ma-signaling:" in line]
        assert f"cannot listen on {where}: " in line, line
        return output

    def test_template(self) -> None:
        """The unit's command, as systemd starts it for two instances; each can be told to read again by itself."""
        port, nodes = free_port(), list[Node]()
        directory = tempfile.mkdtemp(prefix="ma-signaling-")
        self.addCleanup(shutil.rmtree, directory)
        for instance in ("1", "2"):
            metrics_port = free_port()
            # As StateDirectory=, RuntimeDirectory= and ExecStartPre= make them.
            made = Path(directory) / f"ma-signaling-{instance}"
            made.mkdir()
            (made / "deny").touch()
            unit = replaced(
                TEMPLATE.read_text(encoding="utf-8"),
                {
                    "/opt/ma-signaling/bin/ma-signaling": SERVER,
                    "910%i": str(metrics_port),
                    "MA_SIGNALING_PORT=8787": f"MA_SIGNALING_PORT={port}",
                    "%i": instance,
                    "%S": directory,
                    "%t": directory,
                },
            )
            (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
            environment = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
            nodes.append(self.start(shlex.split(command), metrics_port, environment))
        for node in nodes:
            self.eventually(node.is_up)
        self.upgrade_until_all_have_some(port, nodes)
        os.kill(nodes[0].process.pid, signal.SIGHUP)
        self.eventually(lambda: "Reloading" in nodes[0].log())
        assert "Reloading" not in nodes[1].log()
        for node in nodes:
            node.stop()
