"""``ma-signaling admin`` against a real server, and the same over curl's way; the document says what is answered."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.cluster_peers import ask, home, meet, play
from tests.support.file_checkers import read_yaml
from tests.support.server_process import ServerProcess, child_environment, eventually

DOCUMENT = read_yaml(ROOT / "docs" / "openapi.yaml")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
WIDTH = 80


def commands_in_docs() -> set[str]:
    """The commands of the table in docs/operations.md, and their options."""
    table = OPERATIONS.partition("| Command | |")[2].partition("\n\n")[0]
    columns = " ".join(re.findall(r"^\| `[^|]*", table, re.MULTILINE))
    found = {*re.findall(r"(?:\| |, )`([a-z-]+)", columns), *re.findall(r"--[a-z]+", columns)}
    assert {"status", "unban", "log-level", "drain", "--for"} <= found, found
    return found


class AdminTest(SynchronousTestCase):
    """One server with its socket, which restarts once."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.socket = str(self.directory / "admin.sock")
        self.server = ServerProcess(
            "--admin-socket", self.socket, "--state-directory", str(self.directory / "state")
        )
        self.server.start()
        self.addCleanup(self.server.close)
        self.ran: set[str] = set()
        """Commands and options."""

    def admin(self, *arguments: str, status: int = 0) -> str:
        """What the command prints; its lines fit a terminal."""
        self.ran.update(each for each in arguments if each[0].islower() or each.startswith("--"))
        done = subprocess.run(
            [sys.executable, "-m", "ma_signaling", "admin", *arguments],
            env={**child_environment(), "MA_SIGNALING_ADMIN_SOCKET": self.socket},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == status, done
        assert "Traceback" not in done.stderr, done.stderr
        if "--json" not in arguments:
            assert all(len(line) <= WIDTH for line in done.stdout.splitlines()), done.stdout
        return done.stdout if status == 0 else done.stderr

    def curl(self, method: str, path: str, query: str = "", name: str = "", status: int = 200) -> Any:
        """An answer, which is as the document says."""
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        connection.request(method, path.format(name=name) + query)
        reply = connection.getresponse()
        assert reply.status == status, reply.read()
        answer = json.loads(reply.read())
        connection.close()
        documented = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
        if "$ref" in documented:
            documented = DOCUMENT["components"]["responses"][documented["$ref"].rpartition("/")[2]]
        schema = {**documented["content"]["application/json"]["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(answer)
        return answer

    def test_everything(self) -> None:
        assert stat.S_IMODE(Path(self.socket).stat().st_mode) == 0o600

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, self.server)
            client = await ask(stack, self.server)
            session_id = await meet(owner, client)
            self.look(session_id)
            self.watch()
            following = self.follow()
            self.act()
            self.assert_followed(following)

        play(scenario, [self.server])
        self.restart()
        assert "the server stops" in self.admin("drain", "--over", "1s")
        self.server.wait()
        assert "no server has its admin socket at" in self.admin("status", status=1)
        assert commands_in_docs() <= self.ran, commands_in_docs() - self.ran

    def look(self, session_id: str) -> None:
        for command, expected in (
            ("status", "1 open, 0 pending"),
            ("homes", "HOME"),
            ("homes HOME", session_id),
            ("sessions", session_id),
            (f"sessions {session_id}", "open"),
            ("addresses --limit 20", "192.0.2.1"),
            ("blocks", "ENDS IN"),
            ("contests", "NEWCOMERS"),
            ("log-level", "info"),
            ("bans", "BANNED"),
        ):
            assert expected in self.admin(*command.split()), command
            if command in ("status", "homes HOME", "addresses --limit 20"):
                json.loads(self.admin(*command.split(), "--json"))
        assert json.loads(self.run_documented_curl())["homes"] == 1
        for path, name in (
            ("/status", ""),
            ("/homes", ""),
            ("/homes/{name}", "HOME"),
            ("/sessions", ""),
            ("/sessions/{name}", session_id),
            ("/contests", ""),
            ("/addresses", ""),
            ("/blocks", ""),
            ("/bans", ""),
            ("/log-level", ""),
        ):
            self.curl("GET", path, name=name)
        for path in ("/homes/{name}", "/sessions/{name}", "/contests/{name}"):
            self.curl("GET", path, name="nobody", status=404)
        self.curl("GET", "/homes", "?limit=x", status=400)

    def act(self) -> None:
        assert self.admin("kick", "HOME") == "connections closed: 1\n"
        self.curl("POST", "/kick", "?target=nobody", status=404)
        self.curl("POST", "/kick", status=400)
        assert self.admin("ban", "HOME", "--for", "1h").startswith("banned: HOME; connections closed: 0")
        self.curl("POST", "/bans", "?target=192.0.2.0/24&for=7d")
        self.curl("POST", "/bans", "?target=1.2.3", status=400)
        assert self.admin("unban", "192.0.2.0/24") == "unbanned: 192.0.2.0/24\n"
        self.curl("POST", "/bans", "?target=198.51.100.7")
        assert self.admin("unban", "198.51.100.7") == "unbanned: 198.51.100.7\n"
        self.curl("DELETE", "/bans/{name}", name="OTHER", status=404)
        assert "knows nothing called 192.0.2.1" in self.admin("unblock", "192.0.2.1", status=1)
        assert "knows nothing called nobody" in self.admin("kick", "nobody", status=1)
        self.curl("DELETE", "/blocks/{name}", name="192.0.2.1", status=404)
        assert self.admin("log-level", "debug") == "debug\n"
        self.curl("PUT", "/log-level", "?level=info")
        self.curl("PUT", "/log-level", "?level=loud", status=400)
        self.admin("log-level", "loud", status=2)
        acts = re.findall("Admin socket: (.*)", self.server.log())
        assert acts == [
            "closed 1",
            "banned HOME…, closed 0, kept True",
            "banned 192.0.2.0/24, closed 0, kept True",
            "unbanned 192.0.2.0/24",
            "banned 198.51.100.0/24, closed 0, kept True",
            "unbanned 198.51.100.0/24",
            "level debug",
            "level info",
        ], acts

    def follow(self) -> subprocess.Popen[str]:
        following = self.start_admin("trace", "HOME")
        # Its connection is there once the server has accepted it.
        eventually(lambda: f" {self.socket}" in Path("/proc/net/unix").read_text(), self.server.log)
        eventually(lambda: self.connections() > 1, self.server.log)
        return following

    def start_admin(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on until Ctrl-C."""
        self.ran.update(arguments)
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "ma_signaling", "admin", "--socket", self.socket, *arguments],
            env=child_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def watch(self) -> None:
        """``status --watch`` goes on by itself."""
        watching = self.start_admin("status", "--watch")
        assert watching.stdout is not None
        self.addCleanup(watching.stdout.close)
        starts = 0
        while starts < 2:
            starts += watching.stdout.readline().startswith("server ")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0

    def run_documented_curl(self) -> str:
        """The answer to what the documentation has curl ask."""
        (line,) = re.findall(r"^curl --unix-socket .*$", OPERATIONS, re.MULTILINE)
        command = line.replace("/run/ma-signaling/admin.sock", self.socket).split()
        return subprocess.run(
            [*command, "--silent"], capture_output=True, text=True, check=True, timeout=30
        ).stdout

    def connections(self) -> int:
        return Path("/proc/net/unix").read_text(encoding="ascii", errors="replace").count(self.socket)

    def assert_followed(self, following: subprocess.Popen[str]) -> None:
        assert following.stdout is not None
        lines = [following.stdout.readline() for _ in range(2)]
        assert "peer closed" in lines[0], lines
        assert "home lost" in lines[1], lines
        self.addCleanup(following.stdout.close)
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 0

    def restart(self) -> None:
        """Bans stay."""
        self.server.stop()
        self.server.start()
        (ban,) = json.loads(self.admin("bans", "--json"))["bans"]
        assert ban["target"] == "HOME"
        assert 3500 < ban["seconds"] <= 3600
