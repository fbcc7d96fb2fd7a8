"""SIGHUP: what is read again, by whom, and what it never does."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.reload import Reload
from ma_signaling.runtime.systemd import Notifier
from tests.support.free_ports import free_port
from tests.support.server_process import OPENER, ServerProcess, child_environment, eventually, twistd_path

WITHIN = 20.0


class FakeReactor:
    """Keeps what it shall call."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.stopped = 0

    def callFromThread(self, function: Callable[[], object]) -> None:
        self.calls.append(function)

    def stop(self) -> None:
        self.stopped += 1

    def turn(self) -> None:
        """Call it."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class ServiceTest(SynchronousTestCase):
    """The service, with real signals and a reactor that waits to be told."""

    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.fake = FakeReactor()
        reactor: Any = self.fake
        self.reload = Reload(reactor, Notifier(reactor))
        self.read: list[str] = []
        self.reload.add("one", lambda: self.read.append("one"))
        self.reload.add("two", lambda: self.read.append("two"))
        self.reload.startService()

    def hang_up(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        self.fake.turn()

    def test_in_the_reactor_and_in_order(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        assert self.read == []
        self.fake.turn()
        assert self.read == ["one", "two"]
        self.hang_up()
        assert self.read == ["one", "two"] * 2

    def test_added_later(self) -> None:
        self.reload.add("three", lambda: self.read.append("three"))
        self.hang_up()
        assert self.read == ["one", "two", "three"]

    def test_a_failure_stops_no_other(self) -> None:
        def fail() -> None:
            raise RuntimeError("no")

        self.reload.add("broken", fail)
        self.reload.add("three", lambda: self.read.append("three"))
        with capturedLogs() as logged:
            self.hang_up()
        assert self.read == ["one", "two", "three"]
        lines = [formatEvent(event) for event in logged]
        assert lines == ["Reloading: one, two, broken, three", "reload of broken failed"]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_ignored_once_it_has_stopped(self) -> None:
        """A server that says goodbye must not be killed by it."""
        self.reload.stopService()
        self.hang_up()
        assert self.read == []
        assert self.fake.stopped == 0

    def test_end_of_the_terminal(self) -> None:
        self.patch(os, "isatty", lambda _: True)
        self.reload.startService()
        self.hang_up()
        assert (self.read, self.fake.stopped) == (["one", "two"], 0)
        self.patch(os, "isatty", lambda _: False)
        self.hang_up()
        assert (self.read, self.fake.stopped) == (["one", "two"], 1)


class ProcessTest(SynchronousTestCase):
    """The real server and its file."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "ma-signaling.toml"

    def hang_up(self, pid: int, log: Callable[[], str], line: str) -> None:
        """Send SIGHUP, and wait for the line that it brings into the log."""
        count = log().count(line)
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: log().count(line) > count, log)

    def lookups(self, server: ServerProcess) -> int:
        """How many of five lookups are answered."""
        answered = 0
        for _ in range(5):
            try:
                server.get("/api/check/HOME")
            except OSError:
                continue
            answered += 1
        return answered

    def test_changed_file(self) -> None:
        self.file.write_text("lookups_per_minute = 1\nping_interval = 20\n")
        with ServerProcess("--config", str(self.file), "--grace", "7") as server:
            assert self.lookups(server) == 1
            self.file.write_text("lookups_per_minute = 4\nping_interval = 10\ngrace = 1\n")
            self.hang_up(server.pid, server.log, "lookups_per_minute changed from 1 to 4")
            assert "ping_interval stays 20; 10 takes effect after a restart" in server.log()
            assert "grace changed" not in server.log(), "the command line wins"
            assert self.lookups(server) == 3, "one was answered before"
            self.file.write_text("lookups_per_minute = many\n")
            self.hang_up(server.pid, server.log, f"Settings unchanged: {self.file} is not valid TOML")
            self.file.unlink()
            self.hang_up(server.pid, server.log, f"Settings unchanged: {self.file} cannot be read")
            assert server.get("/health")["status"] == "ok"

    def test_nothing_to_read(self) -> None:
        with ServerProcess() as server:
            self.hang_up(server.pid, server.log, "No setting has changed")
            assert server.get("/health")["status"] == "ok"

    def test_daemon(self) -> None:
        """It goes to the background and into another directory; names are those of where it was started."""
        run, log, pid_file = self.directory / "run", self.directory / "log", self.directory / "pid"
        run.mkdir()
        port = free_port()
        self.file.write_text("grace = 1\n")
        subprocess.run(
            [
                *(str(twistd_path()), f"--pidfile={pid_file}", f"--logfile={log}", f"--rundir={run}"),
                *("ma-signaling", "--port", f"tcp:{port}:interface=127.0.0.1", "--config", self.file.name),
            ],
            env=child_environment(),
            cwd=self.directory,
            timeout=WITHIN,
            check=True,
        )
        pid = int(pid_file.read_text())
        try:
            self.file.write_text("grace = 2\n")
            self.hang_up(pid, log.read_text, "grace changed from 1 to 2")
            OPENER.open(f"http://127.0.0.1:{port}/health", timeout=WITHIN).close()
        finally:
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: not pid_file.exists(), log.read_text)
        assert "Traceback" not in log.read_text()

    def test_end_of_the_terminal(self) -> None:
        """A server that was started by hand ends with its terminal, as it would without all this."""
        ours, its = os.openpty()
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ma_signaling", "--port", f"tcp:{free_port()}:interface=127.0.0.1"],
                env=child_environment(),
                cwd=self.directory,
                stdin=its,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else runs
            )
        os.close(its)
        written = (self.directory / "log").read_text
        try:
            eventually(lambda: "is up" in written(), written)
            os.kill(process.pid, signal.SIGHUP)
            eventually(lambda: "No setting has changed" in written(), written)
            os.close(ours)
            assert process.wait(WITHIN) == 0, written()
        finally:
            process.kill()
            process.wait()
        assert "The terminal was closed" in written()
