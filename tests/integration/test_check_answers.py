"""What `ma-signaling check` says of servers that are none, and how it prints."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import jsonschema
from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.certificates import make_certificate
from tests.support.check_process import run
from tests.support.free_ports import free_port
from tests.support.server_process import ServerProcess, child_environment, script

SCHEMA: Mapping[str, Any] = json.loads((ROOT / "docs" / "check.schema.json").read_text())
ID = "A" * 26
WITHIN = 10.0


class Answering:
    """A TCP server that answers whatever it hears with the same bytes, and closes; without any, it says nothing."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._socket.getsockname()[1]}/ws"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._thread.join(WITHIN)

    def _serve(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        connection.settimeout(WITHIN)
        with connection, contextlib.suppress(OSError):
            self._answer_to(connection)
            while connection.recv(4096):
                pass

    def _answer_to(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(self._answer)


class OpenAnswering(Answering):
    """A WebSocket whose server says ``early`` as soon as it is open, and ``late`` when it is asked for something."""

    def __init__(self, late: bytes, early: bytes = b"") -> None:
        super().__init__(late)
        self._early = early

    def _answer_to(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        connection.sendall(b"HTTP/1.1 101 -\r\n" + upgrade + accept + b"\r\n\r\n" + self._early)
        super()._answer_to(connection)


def said(**message: object) -> bytes:
    """What a server sends for one message."""
    payload = json.dumps(message).encode()
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + len(payload).to_bytes(2) + payload


class AnswersTest(SynchronousTestCase):
    """A sentence about each, at once."""

    def test_http(self) -> None:
        for status, header, phrase in (
            ("301 Moved", "Location: https://elsewhere.example/ws", "(301): try wss://elsewhere.example/ws"),
            ("401 Unauthorized", "X: y", "a login is asked for"),
            ("404 Not Found", "X: y", "(404): is the address right?"),
            ("429 Too Many", "Retry-After: 12", "(429): try again in 12 s"),
            ("502 Bad Gateway", "X: y", "a proxy answers, but not the signaling server behind it (502)"),
            ("101 Switching Protocols", "X: y", "makes no sense"),
            (
                "302 Found",
                "Location: http://login.hotel.example/",
                "a web page (302): http://login.hotel.example/",
            ),
            ("404 Nicht gefunden \xe4", "X: \xff", "(404): is the address right?"),
            ("404 Not Found", "X: " + "y" * 1_000_000, "(404): is the address right?"),
        ):
            with Answering(
                f"HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
            ) as server:
                found = run(ID, "--url", server.url)
            assert found[0] == 3, found
            assert phrase in found[1], found

    def test_other_protocols(self) -> None:
        for answer, phrase in (
            (b"SSH-2.0-x\r\n", "no web server"),
            (b"\x15\x03\x03\x00\x02\x02\x32", "the server wants TLS at this port: try wss://127.0.0.1:"),
            (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "the server speaks HTTP/2 only"),
        ):
            with Answering(answer) as server:
                found = run(ID, "--url", server.url)
            assert found[0] == 3, found
            assert phrase in found[1], found

    def test_silence(self) -> None:
        with Answering(b"") as server:
            assert run(ID, "--url", server.url, "--timeout", "1") == (
                3,
                "UNKNOWN - the server does not answer within 1 seconds",
            )
        with Answering(b"HTTP/1.1 200 OK\r\n") as server:
            assert run(ID, "--url", server.url, "--timeout", "1") == (
                3,
                "UNKNOWN - the server does not finish its answer within 1 seconds",
            )

    def test_errors(self) -> None:
        """A server may put anything into one."""
        for error, code, status, line in (
            ("x", ["home-busy"], 3, "UNKNOWN - x"),
            ({"a": 1}, {}, 3, "UNKNOWN - the server refuses, and does not say why"),
            ("a\u202eb\u2066c\x9bd|e", "rate-limited", 3, "UNKNOWN - a?b?c?d?e"),
            ("Gr\u00fc\u00dfe", "home-busy", 2, "CRITICAL - Gr\u00fc\u00dfe"),
            ("A" * 60_000, "home-busy", 2, f"CRITICAL - {'A' * 500}..."),
        ):
            with OpenAnswering(said(type="error", error=error, code=code)) as server:
                found = run(ID, "--url", server.url)
            assert (found[0], found[1].partition(" | ")[0]) == (status, line), found

    def test_restart(self) -> None:
        """A server that stops says of every home that it has left, and closes."""
        left = said(type="error", error="Server disconnected", code="server-disconnected")
        restart, other = b"\x88\x02\x03\xf4", b"\x88\x02\x03\xe8"
        for late, status, line in (
            (left + restart, 3, "UNKNOWN - the server is restarting: try again in a minute"),
            (restart, 3, "UNKNOWN - the server is restarting: try again in a minute"),
            (left + other, 2, "CRITICAL - the home has left"),
            (left, 2, "CRITICAL - the home has left"),
        ):
            with OpenAnswering(late) as server:
                found = run(ID, "--url", server.url)
            assert (found[0], found[1].partition(" | ")[0]) == (status, line), found

    def test_no_evidence(self) -> None:
        """What looks like a success, and isn't."""
        connected = said(type="connected", sessionId="S", remoteId=ID)
        goodbye = b"\x88\x0a\x0f\xa0bye\x1b[31m"
        for late, early, options, status, line in (
            (said(type="connected", sessionId="S", remoteId="B"), b"", (), 2, "about another home: B"),
            (b"", connected, ("--timeout", "1"), 2, "says nothing of the home within 1 seconds"),
            (b"", said(server_version="2.10.0"), (), 3, "a Music Assistant answers here"),
            (b"", goodbye, (), 3, "the server closed the connection (4000, bye?[31m)"),
            (connected + goodbye, b"", (), 3, "the server closed the connection (4000, bye?[31m)"),
            (connected, b"", (), 0, "OK - the home is online"),
        ):
            with OpenAnswering(late, early) as server:
                found = run(ID, "--url", server.url, *options)
            assert (found[0], line in found[1]) == (status, True), found

    def test_no_host(self) -> None:
        status, line = run(ID, "--url", f"ws://127.0.0.1:{free_port()}/ws")
        assert (status, line) == (3, "UNKNOWN - the server cannot be reached: nobody listens there")

    def test_files_of_certificates(self) -> None:
        """Whatever they are, nothing waits for them."""
        directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, directory)
        pipe, text, empty = directory / "pipe", directory / "text", directory / "empty"
        os.mkfifo(pipe)
        text.write_text("no certificate", encoding="ascii")
        empty.write_text("", encoding="ascii")
        for path, problem in (
            (pipe, "Not a regular file"),
            (directory, "Is a directory"),
            (directory / "none", "No such file or directory"),
            (text, "it contains no certificate (PEM)"),
            (empty, "it contains no certificate (PEM)"),
        ):
            found = run(ID, "--url", "wss://127.0.0.1/ws", "--ca", str(path))
            assert found == (3, f"UNKNOWN - --ca: {path}: {problem}")

    def test_json(self) -> None:
        """The same keys in every failure, also where the command line is a mistake."""
        with Answering(b"HTTP/1.1 404 \x1b[31m\r\n\r\n") as server:
            lines = [
                run(ID, "--url", server.url, "--json")[1],
                run(ID, "--url", "ws://a..b/ws", "--json")[1],
                run("--json")[1],
                run("no Remote ID\x1b", "--json")[1],
                run(ID, "--url", f"wss://localhost:{free_port()}", "--json", "--each-address")[1],
                run(ID, "--url", "wss://no-such-host.invalid", "--json")[1],
                run(ID, "--url", "localhost", "--ca", "/etc/passwd", "--json")[1],
            ]
        for line in lines:
            jsonschema.validate(json.loads(line), SCHEMA)
            assert json.loads(line)["status"] == "unknown"

    def test_terminal(self) -> None:
        """Nothing but the check's own lines; what a terminal can't show is replaced there, and JSON is ASCII."""
        refusing = Answering(b"HTTP/1.1 418 \x1b[31mtea\r\nContent-Length: 0\r\n\r\n")
        greeting = said(type="error", error="Gr\u00fc\u00dfe", code="home-busy")
        for answering, options, status, shown in (
            (refusing, (), 3, "UNKNOWN - the server answers with an error (418)\n"),
            (OpenAnswering(greeting), (), 2, "CRITICAL - Gr??e | "),
            (OpenAnswering(greeting), ("--json",), 2, r'"text": "Gr\u00fc\u00dfe"'),
        ):
            with answering as server:
                done = script("check", "--url", server.url, *options, ID, PYTHONIOENCODING="ascii")
            assert (done.returncode, done.stderr, shown in done.stdout) == (status, "", True), done

    def test_watch(self) -> None:
        """A line for each round, until it is stopped."""
        url = f"ws://127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "ma_signaling", "check", "--url", url, "--watch", "0.05", ID]
        # Shells have what they run in the background ignore it.
        command = ["env", "--default-signal=INT", *command]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=child_environment(), stdout=pipe, stderr=pipe, text=True) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(3)]
            child.send_signal(signal.SIGINT)
            assert child.communicate(timeout=30)[1] == ""
        assert child.returncode == 3
        for line in lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d UNKNOWN - .*: nobody listens there\n$")

    def test_closed_output(self) -> None:
        command = [sys.executable, "-m", "ma_signaling", "check", "--url", "ws://a..b/ws", ID]
        for shell in ('"$@" >&-', '"$@" >/dev/full'):
            done = subprocess.run(
                ["sh", "-c", shell, "sh", *command],
                env=child_environment(),
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 3, done
            assert "Traceback" not in done.stderr, done.stderr


class TlsTest(SynchronousTestCase):
    """Against real servers, with TLS and without."""

    def test_certificates(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, directory)
        certificate, key = directory / "cert.pem", directory / "key.pem"
        make_certificate(key, certificate)
        port = free_port()
        tls = (
            "--port",
            str(port),
            "--tls-cert",
            str(certificate),
            "--tls-key",
            str(key),
        )
        with ServerProcess(*tls, "--start-grace", "0", plain="--http-port") as server:
            url = f"wss://localhost:{port}/ws"
            status, line = run(ID, "--url", url)
            assert (status, "nobody whom this machine trusts" in line) == (3, True), line
            for options in (("--ca", str(certificate)), ("--insecure",), ("--insecure", "--each-address")):
                status, line = run(ID, "--url", url, *options)
                assert status == 2, line
                assert "no home with this Remote ID" in line, line
            status, line = run(ID, "--url", url.replace("wss://", "ws://"))
            assert (status, f"if it wants TLS, try {url}" in line) == (3, True), line
            plain = server.url.replace("ws://", "wss://")
            status, line = run(ID, "--url", plain)
            assert (status, f"does not speak TLS at this port: try {server.url}" in line) == (3, True), line
            status, line = run(ID, "--url", f"127.0.0.1:{port}", "--insecure")
            assert status == 2, line
