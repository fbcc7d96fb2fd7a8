"""The units of contrib/systemd, and what this server and systemd do for each other."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling import __version__
from ma_signaling.runtime.systemd import RETRY_SECONDS, Notifier, Status, make_watchdog
from tests.support.proxy_processes import executable, replaced
from tests.support.server_process import STARTS_WITHIN
from tests.support.systemd_stand_in import UNITS

HIGHEST_EXPOSURE = 2.0


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


def _fill(address: str) -> int:
    """Send what fits into a socket that nobody reads; returns how many messages that were."""
    sent, before = 0, -1
    # One sender's own buffer may be full before the socket is.
    while sent != before:
        before = sent
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
            contextlib.suppress(BlockingIOError),
        ):
            sender.setblocking(False)
            while True:
                sender.sendto(b"x", address)
                sent += 1
    return sent


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
            (UNITS / name).read_text(encoding="utf-8").partition("\n# Restart it if its event loop")
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
                    Notifier.from_environment({"NOTIFY_SOCKET": name}, Clock()).tell("READY=1", "STATUS=x")
                    assert receiver.recv(4096) == b"READY=1\nSTATUS=x"

    def test_without_systemd(self) -> None:
        notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"}, Clock())
        notifier.tell("READY=1")
        assert notifier.watchdog_seconds == 0

    def test_watchdog_of_another_process(self) -> None:
        environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000"}
        assert Notifier.from_environment(environment, Clock()).watchdog_seconds == 3
        assert Notifier.from_environment({**environment, "WATCHDOG_PID": "1"}, Clock()).watchdog_seconds == 0
        assert Notifier.from_environment({**environment, "WATCHDOG_USEC": "x"}, Clock()).watchdog_seconds == 0

    def test_nobody_listens(self) -> None:
        """The server lives on, and says so once."""
        notifier = Notifier(Clock(), "/nowhere/notify")
        with capturedLogs() as captured:
            notifier.tell("READY=1")
            notifier.tell("WATCHDOG=1")
        assert [each["log_level"] for each in captured] == [LogLevel.warn]

    def test_a_full_socket(self) -> None:
        """What doesn't fit waits, without blocking the loop, and is sent once there is room."""
        clock: Any = Clock()
        with tempfile.TemporaryDirectory() as directory, notify_socket(f"{directory}/notify") as receiver:
            others = _fill(f"{directory}/notify")
            notifier = Notifier(clock, f"{directory}/notify")
            with capturedLogs() as captured:
                notifier.tell("RELOADING=1")
                notifier.tell("READY=1")
                clock.advance(RETRY_SECONDS)
            assert [each["log_level"] for each in captured] == [LogLevel.warn]
            for _ in range(others):
                assert receiver.recv(4096) == b"x"
            clock.advance(RETRY_SECONDS)
            assert [receiver.recv(4096) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
            assert not clock.getDelayedCalls()

    def test_reloading(self) -> None:
        with tempfile.TemporaryDirectory() as directory, notify_socket(f"{directory}/notify") as receiver:
            notifier = Notifier(Clock(), f"{directory}/notify")
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
        super().__init__(Clock(), "/nowhere", watchdog_seconds)
        self.told: list[str] = []

    def tell(self, *assignments: str) -> None:
        self.told.extend(assignments)


class ToldTest(SynchronousTestCase):
    """What each service tells and when; their order is seen on the real server, in test_socket_activation."""

    def setUp(self) -> None:
        self.clock: Any = Clock()

    def test_watchdog(self) -> None:
        notifier = Told(30)
        watchdog = make_watchdog(notifier, self.clock)
        assert watchdog is not None
        watchdog.startService()
        self.clock.pump([5] * 6)
        assert notifier.told == ["WATCHDOG=1"] * 2
        watchdog.stopService()
        assert not self.clock.getDelayedCalls()

    def test_without_watchdog(self) -> None:
        assert make_watchdog(Told(0), self.clock) is None

    def test_status(self) -> None:
        notifier = Told(0)
        status = Status(notifier, self.clock)
        with capturedLogs() as logged:
            status.startService()
            assert (notifier.told, logged) == ([], [])
            self.clock.advance(0)
        assert notifier.told == ["READY=1"]
        assert [formatEvent(event) for event in logged] == [f"ma-signaling {__version__} is up"]
        status.stopService()
        assert notifier.told == ["READY=1", "STOPPING=1"]

    def test_stopped_before_the_loop_turns(self) -> None:
        notifier = Told(0)
        status = Status(notifier, self.clock)
        status.startService()
        status.stopService()
        assert not self.clock.getDelayedCalls()
        assert notifier.told == ["STOPPING=1"]
