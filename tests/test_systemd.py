"""The units of contrib/systemd, and what this server and systemd do for each other."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.goodbye import OneByOne
from ma_signaling.systemd import Notifier, Status, Watchdog
from tests.certificates import make_certificate
from tests.proxies import executable, replaced
from tests.server_process import STARTS_WITHIN, child_environment, free_port
from tests.systemd import Unit, everywhere
from tests.test_process import proxy_v2
from tests.wire import UPGRADE, frame

UNITS = Path(__file__).parent.parent / "contrib" / "systemd"
HIGHEST_EXPOSURE = 2.0
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def unit_environment() -> dict[str, str]:
    """What the service's unit adds to its environment."""
    text = (UNITS / "ma-signaling.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))


def analyze(*arguments: str) -> str:
    """What systemd-analyze says; it must not complain."""
    done = subprocess.run(
        [executable("systemd-analyze"), "--no-pager", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=STARTS_WITHIN,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@contextmanager
def notify_socket(address: str) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(5)
        yield receiver


class UnitTest(SynchronousTestCase):
    """systemd's own opinion of the units."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.units = Path(temporary.name)
        installed = {"/opt/ma-signaling/bin/": f"{Path(sys.executable).parent}/"}
        for path in UNITS.iterdir():
            text = path.read_text(encoding="utf-8")
            changed = replaced(text, installed) if path.suffix == ".service" else text
            (self.units / path.name).write_text(changed, encoding="utf-8")

    def test_verify(self) -> None:
        analyze("verify", *map(str, self.units.iterdir()))

    def test_a_mistake_is_found(self) -> None:
        service = self.units / "ma-signaling.service"
        service.write_text(
            service.read_text(encoding="utf-8") + "\n[Service]\nProtectSistem=strict\n", encoding="utf-8"
        )
        with self.assertRaises(AssertionError):
            analyze("verify", str(service))

    def test_exposure(self) -> None:
        for name, shown in (
            ("ma-signaling.service", "ma-signaling.service"),
            ("ma-signaling@.service", r"ma-signaling@\w+.service"),
        ):
            threshold = f"--threshold={int(HIGHEST_EXPOSURE * 10)}"
            report = analyze("security", "--offline=true", threshold, str(self.units / name))
            (exposure,) = re.findall(rf"Overall exposure level for {shown}: ([\d.]+)", report)
            assert float(exposure) <= HIGHEST_EXPOSURE

    def test_hardened_alike(self) -> None:
        """systemd has no include: from the watchdog on, both units must say the same."""
        one, several = (
            (UNITS / name).read_text(encoding="utf-8").partition("\n# Killed if its event loop")
            for name in ("ma-signaling.service", "ma-signaling@.service")
        )
        assert one[1:] == several[1:]
        assert "ProtectSystem=strict" in one[2]


class NotifierTest(SynchronousTestCase):
    """Datagrams, as sd_notify(3) describes them."""

    def test_path_and_abstract_name(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for name, address in (
                (f"{directory}/notify", f"{directory}/notify"),
                (f"@{directory}/notify", f"\0{directory}/notify"),
            ):
                with notify_socket(address) as receiver:
                    Notifier.from_environment({"NOTIFY_SOCKET": name}).tell("READY=1", "STATUS=x")
                    assert receiver.recv(4096) == b"READY=1\nSTATUS=x"

    def test_without_systemd(self) -> None:
        notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"})
        notifier.tell("READY=1")
        assert notifier.watchdog_seconds == 0

    def test_watchdog_of_another_process(self) -> None:
        environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000"}
        assert Notifier.from_environment(environment).watchdog_seconds == 3
        assert Notifier.from_environment({**environment, "WATCHDOG_PID": "1"}).watchdog_seconds == 0
        assert Notifier.from_environment({**environment, "WATCHDOG_USEC": "x"}).watchdog_seconds == 0

    def test_nobody_listens(self) -> None:
        """The server lives on, and says so once."""
        notifier = Notifier("/nowhere/notify")
        with capturedLogs() as captured:
            notifier.tell("READY=1")
            notifier.tell("WATCHDOG=1")
        assert [each["log_level"] for each in captured] == [LogLevel.warn]

    def test_reloading(self) -> None:
        with tempfile.TemporaryDirectory() as directory, notify_socket(f"{directory}/notify") as receiver:
            notifier = Notifier(f"{directory}/notify")
            before = time.monotonic_ns() // 1000
            with self.assertRaises(ZeroDivisionError), notifier.reloading():
                said = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", receiver.recv(4096))
                assert said is not None
                assert before <= int(said[1]) <= time.monotonic_ns() // 1000
                raise ZeroDivisionError
            assert receiver.recv(4096) == b"READY=1"


class Told(Notifier):
    """Keeps what it is told."""

    def __init__(self, watchdog_seconds: float) -> None:
        super().__init__("/nowhere", watchdog_seconds)
        self.told: list[str] = []

    def tell(self, *assignments: str) -> None:
        self.told.extend(assignments)


class Slow(Service):
    """Stops when the test says so."""

    def __init__(self) -> None:
        self.stopped: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self.stopped


class OrderTest(SynchronousTestCase):
    """What is told when."""

    def services(self, watchdog_seconds: float, *others: Service) -> tuple[MultiService, Told, Any]:
        """As ``make_service`` puts them together."""
        clock: Any = Clock()
        notifier, services = Told(watchdog_seconds), OneByOne()
        for service in (Watchdog(notifier, clock), *others, Status(notifier, clock)):
            service.setServiceParent(services)
        return services, notifier, clock

    def test_fed_until_all_have_stopped(self) -> None:
        slow = Slow()
        services, notifier, clock = self.services(30, slow)
        services.privilegedStartService()
        services.startService()
        assert notifier.told == []
        clock.advance(0)
        assert notifier.told == ["READY=1"]
        clock.pump([5] * 6)
        assert notifier.told[1:] == ["WATCHDOG=1"] * 2
        stopping = services.stopService()
        assert notifier.told[3:] == ["STOPPING=1"]
        clock.advance(15)
        assert notifier.told[4:] == ["WATCHDOG=1"]
        slow.stopped.callback(None)
        self.successResultOf(stopping)
        assert not clock.getDelayedCalls()

    def test_without_watchdog(self) -> None:
        services, notifier, clock = self.services(0)
        services.startService()
        clock.advance(0)
        assert not clock.getDelayedCalls()
        self.successResultOf(services.stopService())
        assert notifier.told == ["READY=1", "STOPPING=1"]

    def test_stopped_before_the_loop_turns(self) -> None:
        services, notifier, clock = self.services(30)
        services.startService()
        self.successResultOf(services.stopService())
        assert not clock.getDelayedCalls()
        assert notifier.told == ["STOPPING=1"]


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

    def test_watchdog_is_fed(self) -> None:
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start(WATCHDOG_USEC="200000")
            assert [unit.hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
            unit.signal(signal.SIGTERM)
            unit.wait_for("STOPPING=1")
            unit.wait()

    def test_reload(self) -> None:
        """``systemctl reload`` waits for the second line."""
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start()
            unit.signal(signal.SIGHUP)
            assert unit.hear().startswith("RELOADING=1\n")
            assert unit.hear() == "READY=1"
            assert "Reading again" in unit.log(), unit.log()

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

    def test_seniority_is_kept_where_the_unit_says(self) -> None:
        with Unit(unit_environment(), everywhere()) as unit:
            unit.start()
            unit.signal(signal.SIGTERM)
            unit.wait()
            unit.start()
            assert "cannot be" not in unit.log(), unit.log()
            assert unit.log().count("is not there yet") == 1, unit.log()

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
            process.terminate()
            process.wait(STARTS_WITHIN)

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
