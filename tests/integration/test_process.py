"""The real server, started in the ways people start it, on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling import __version__
from tests.support.free_ports import free_port
from tests.support.proxy_processes import proxy_v1, proxy_v2
from tests.support.server_process import (
    TALKS_WITHIN,
    ServerProcess,
    child_environment,
    end,
    registered,
    run,
    script,
    talk,
    twistd_path,
)


class StartTest(SynchronousTestCase):
    """Mistakes end the process with status 1 and one clear line."""

    def assert_fails(self, done: subprocess.CompletedProcess[str], hint: str) -> None:
        output = done.stdout + done.stderr
        assert done.returncode == 1, output
        assert "Traceback" not in output, output
        (line,) = [line for line in output.splitlines() if "ma-signaling:" in line]
        assert hint in f"{line}\n", line

    def test_port_in_use(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assert_fails(
                script("--port", str(port)), f"cannot listen on {port}: Address already in use\n"
            )
            where = f"tcp:{port}:interface=127.0.0.1"
            done = run(str(twistd_path()), "-n", "--pidfile=", "ma-signaling", "--port", where)
            self.assert_fails(done, f"cannot listen on {where}: Address already in use\n")

    def test_port_in_use_as_a_daemon(self) -> None:
        """The command that starts a daemon knows whether it runs, and leaves no PID file."""
        with socket.socket() as taken, tempfile.TemporaryDirectory() as directory:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = str(taken.getsockname()[1])
            log, pid = Path(directory) / "log", Path(directory) / "pid"
            twistd = (str(twistd_path()), f"--pidfile={pid}", f"--logfile={log}")
            done = run(*twistd, "ma-signaling", "--port", where)
            assert done.returncode == 1
            assert f"cannot listen on {where}" in done.stderr
            # The process that said so ends a moment after the command.
            deadline = time.monotonic() + 10
            while pid.exists():
                assert time.monotonic() < deadline, "a PID file is left"
                time.sleep(0.05)
            assert "Traceback" not in log.read_text(encoding="utf-8")

    def test_bad_settings(self) -> None:
        """One for each time at which mistakes are found; tests/unit/test_options.py has the others."""
        self.assert_fails(script("--no-such-option"), "there is no setting --no-such-option")
        self.assert_fails(script("--port", "systemd:domain=INET:index=0"), "cannot listen on systemd:")
        self.assert_fails(script("--deny", "/nowhere"), "--deny /nowhere: No such file")
        done = run(str(twistd_path()), "-n", "--pidfile=", "ma-signaling", "--grace", "soon")
        self.assert_fails(done, "--grace: 'soon' is not a number")

    def test_version_and_help(self) -> None:
        assert script("--version").stdout == f"ma-signaling {__version__}\n"
        text = script("--help").stdout
        assert text.startswith("Usage: ma-signaling [options]\n"), text[:80]
        assert "--takeover-timeout <" in text

    def test_plugin_is_listed(self) -> None:
        assert "ma-signaling" in run(str(twistd_path()), "--help").stdout


class ListenTest(SynchronousTestCase):
    """Numbers and endpoints, one or several."""

    def healthy(self, where: tuple[int, str] | str) -> bool:
        family = (
            socket.AF_UNIX
            if isinstance(where, str)
            else socket.AF_INET6
            if ":" in where[1]
            else socket.AF_INET
        )
        with socket.socket(family) as client:
            client.settimeout(TALKS_WITHIN)
            client.connect(where if isinstance(where, str) else (where[1], where[0]))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.makefile("rb").read().startswith(b"HTTP/1.1 200 OK")

    def test_plain_number_listens_on_ipv6_and_ipv4(self) -> None:
        port = free_port()
        with ServerProcess("--port", str(port)):
            assert self.healthy((port, "127.0.0.1"))
            assert self.healthy((port, "::1"))

    def test_environment(self) -> None:
        port = free_port()
        self.patch(os, "environ", {**os.environ, "MA_SIGNALING_PORT": f"{port}"})
        process = subprocess.Popen(
            [sys.executable, "-m", "ma_signaling"], env=child_environment(), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as output:
            try:
                while "is up" not in (line := output.readline()):
                    assert line, "the server ended"
                assert self.healthy((port, "127.0.0.1"))
            finally:
                end(process, signal.SIGINT)

    def test_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "socket")
            with ServerProcess("--port", f"unix:{path}"):
                assert self.healthy(path)

    def test_unix_socket_after_a_crash(self) -> None:
        """Its lock names a process that lives, but is another one now, as in a container that is started again."""
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "socket")
            server = ServerProcess("--port", f"unix:{path}")
            server.start()
            server.stop(signal.SIGKILL)
            lock = Path(f"{path}.lock")
            lock.unlink()
            lock.symlink_to(str(os.getpid()))
            with server:
                assert self.healthy(path)

    def test_unix_socket_that_another_server_has(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "socket")
            with ServerProcess("--port", f"unix:{path}"):
                done = script("--port", f"unix:{path}")
                assert done.returncode == 1
                said = f"cannot listen on {path}: another process listens there\n"
                assert said in done.stdout + done.stderr
                assert self.healthy(path)

    def test_pid_file_after_a_crash(self) -> None:
        """It names the very process that reads it, as in a container that is started again."""
        name_itself = "; ".join(
            [
                "import os, sys",
                "open(sys.argv[1], 'w').write(str(os.getpid()))",
                "os.execv(sys.argv[2], sys.argv[2:])",
            ]
        )
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "pid")
            options = (f"--pidfile={path}",)
            with ServerProcess(
                twistd_options=options, prefix=(sys.executable, "-c", name_itself, path)
            ) as server:
                assert Path(path).read_text(encoding="ascii") == str(server.pid)

    def test_pid_file_with_the_number_of_something_else(self) -> None:
        """Numbers come round, soon in a container; a server's own is respected."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "pid"
            options = (f"--pidfile={path}",)
            other = subprocess.Popen(["sleep", "60"])
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
            for number in (other.pid, 0):
                path.write_text(f"{number}\n", encoding="ascii")
                with ServerProcess(twistd_options=options) as server:
                    assert path.read_text(encoding="ascii") == str(server.pid)
                    done = run(str(twistd_path()), "-n", *options, "ma-signaling", "--port", "0")
                    assert done.returncode == 1, done
                    assert "Another twistd server is running" in done.stderr, done

    def test_what_is_in_the_place_of_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path, lock = Path(directory) / "socket", Path(directory) / "socket.lock"
            with ServerProcess("--port", f"unix:{path}:lockfile=0") as server:
                server.stop(signal.SIGKILL)
                assert path.is_socket()
                server.start()
                assert self.healthy(str(path))
            # Of no socket at all, whatever its lock says.
            path.write_text("precious", encoding="ascii")
            lock.symlink_to("999999999")
            done = script("--port", f"unix:{path}")
            assert done.returncode == 1, done
            assert path.read_text(encoding="ascii") == "precious"

    def test_proxy_protocol(self) -> None:
        """``haproxy:tcp:`` takes the client's address from the connection's first line."""
        port = free_port()

        async def conversation(session: aiohttp.ClientSession) -> None:
            for line in (proxy_v1("198.51.100.1"), proxy_v2("198.51.100.1"), proxy_v2("198.51.100.2")):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(line)
                writer.write(b"GET /api/check/HOME HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                replies.append((await reader.read())[9:12])
                writer.close()

        replies: list[bytes] = []
        with ServerProcess("--port", f"haproxy:tcp:{port}:interface=127.0.0.1", "--lookups-per-minute", "1"):
            talk(conversation)
        assert replies == [b"200", b"429", b"200"]


class TalkTest(SynchronousTestCase):
    """A conversation over real sockets."""

    def test_session(self) -> None:
        async def conversation(session: aiohttp.ClientSession) -> None:
            home = await registered(session, server.url)
            client = await session.ws_connect(server.url)
            await client.send_json({"type": "connect-request", "remoteId": "home"})
            announced = await home.receive_json()
            ready = {"type": "session-ready", "sessionId": announced["sessionId"], "iceServers": []}
            await home.send_json(ready)
            assert (await client.receive_json())["type"] == "connected"
            big = "x" * 60_000
            await client.send_json({"type": "offer", "data": big})
            assert (await home.receive_json())["data"] == big
            assert server.get("/api/check/home") == {"online": True}
            await client.close()
            assert (await home.receive_json())["type"] == "client-disconnected"

        with ServerProcess() as server:
            talk(conversation)

    def test_log_tells_no_secrets(self) -> None:
        """Defects 17 and 23: no whole Remote ID, no address, no line of a stranger's making."""

        async def conversation(session: aiohttp.ClientSession) -> None:
            await registered(session, server.url, "SECRETSECRETSECRET")
            stranger = await session.ws_connect(server.url, headers={"X-Forwarded-For": "198.51.100.77"})
            for remote_id in ("A\nFORGED LINE", "B\x1b[31m"):
                await stranger.send_json({"type": "register-server", "remoteId": remote_id})
            await stranger.send_json({"type": "FORGED\nLINE"})
            await stranger.send_bytes(b"\x00FORGED\n")
            for number in range(10):
                await stranger.send_json({"type": "connect-request", "remoteId": f"GUESS{number}"})
            for _ in range(14):
                await stranger.receive_json()

        with ServerProcess("--start-grace", "0") as server:
            talk(conversation)
            log = server.log()
        assert "SECR" in log
        assert "198.51.100.0/24 guessed too many" in log
        for secret in ("SECRETS", "198.51.100.77", "FORGED", "GUESS", "\x1b"):
            assert secret not in log, log

    def test_restart(self) -> None:
        """Defect 19: everybody is closed with 1012, and told nothing else."""

        async def conversation(session: aiohttp.ClientSession) -> None:
            home = await registered(session, server.url)
            client = await session.ws_connect(server.url)
            await client.send_json({"type": "connect-request", "remoteId": "HOME"})
            await home.receive_json()
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            answer = await client.receive()
            assert json.loads(answer.data)["code"] == "server-disconnected"
            for peer in (home, client):
                closing = await peer.receive()
                assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1012), closing
            assert await stopping == 0

        with ServerProcess() as server:
            talk(conversation)
