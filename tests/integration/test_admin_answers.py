"""What `ma-signaling admin` says where its answer is strange, or its output goes nowhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial import unittest

from ma_signaling.admin_command import command
from tests.support.server_process import child_environment

WITHIN = 20.0
STRANGE = "what answers there is not a ma-signaling"


def reply(content: bytes, length: int | None = None, status: bytes = b"200 OK") -> bytes:
    """A reply, which may promise more than there is."""
    size = len(content) if length is None else length
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, size, content)


class AdminAnswersTest(unittest.SynchronousTestCase):
    """One line, and status 1."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "socket"

    @contextmanager
    def answering(self, answer: bytes) -> Iterator[None]:
        """A server at the socket that has one answer."""

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        self.path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen()
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WITHIN)

    def test_answers(self) -> None:
        for answer, asked, line in (
            (reply(b"{}"), "status", f"{STRANGE} of this version"),
            (reply(b"{}"), "bans", f"{STRANGE} of this version"),
            (reply(b'{"bans": 5}'), "bans", f"{STRANGE} of this version"),
            (reply(b"[]"), "homes", STRANGE),
            (reply(b"\xff"), "homes", STRANGE),
            (reply(b"[" * 100_000), "homes", STRANGE),
            (reply(b"{", 99), "status", f"{self.path}: IncompleteRead(1 bytes read, 98 more expected)"),
            (b"SSH-2.0-x\r\n", "status", f"{self.path}: SSH-2.0-x"),
            (reply(b'{"error": "a\\u001b\\u202eb\\nc"}', status=b"400 -"), "status", "a……b…c"),
        ):
            with (
                self.answering(answer),
                redirect_stdout(StringIO()) as out,
                redirect_stderr(StringIO()) as err,
            ):
                status = command.main(["--socket", str(self.path), asked])
            assert (status, out.getvalue()) == (1, ""), answer
            assert err.getvalue().startswith(f"ma-signaling admin: {line}"), err.getvalue()
            assert err.getvalue().count("\n") == 1, err.getvalue()

    def test_output(self) -> None:
        with self.answering(reply(b'{"bans": [{"target": "' + b"A" * 99 + b'"}], "kept": true}')):
            for shell, environment, status, out, err in (
                ('"$@" >/dev/full', {}, 1, "", "standard output: No space left on device\n"),
                ('"$@" >&-', {}, 1, "", "standard output is closed\n"),
                ('"$@"', {"PYTHONIOENCODING": "ascii"}, 0, "BANNED", ""),
                ('"$@" >/dev/full 2>&-', {}, 1, "", ""),
            ):
                asked = [sys.executable, "-m", "ma_signaling", "admin", "--socket", str(self.path), "bans"]
                done = subprocess.run(
                    ["sh", "-c", shell, "sh", *asked],
                    env={**child_environment(), **environment},
                    capture_output=True,
                    text=True,
                    timeout=WITHIN,
                    check=False,
                    cwd=os.curdir,
                )
                assert (done.returncode, done.stdout[:6]) == (status, out), done
                assert done.stderr == (f"ma-signaling admin: {err}" if err else ""), done
