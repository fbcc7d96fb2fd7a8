"""`ma-signaling check`, as a person or a monitoring system runs it: the real command, server and homes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading

from ma_signaling.testing import Home, eventually
from tests.support.browser_cases import (
    DeafHome,
    HangingUpHome,
    HollowHome,
    HomesTestCase,
    LeavingHome,
    SilentHome,
)
from tests.support.server_process import ServerProcess, child_environment
from tests.support.web_app import MusicAssistant

WITHIN = 60.0
# A child that gathers candidates on loopback alone, as the homes do.
LOOPBACK_ONLY = """
import aioice.ice
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
"""


class CheckTestCase(HomesTestCase):
    """What the command says of homes."""

    def command(self, *arguments: str) -> list[str]:
        """The command, without the machine's real network."""
        main = "import sys; from ma_signaling.__main__ import main; sys.argv[0] = 'ma-signaling'; main()"
        return [sys.executable, "-c", LOOPBACK_ONLY + main, "check", "--url", self.server.url, *arguments]

    def check(self, *arguments: str, code: str = "") -> tuple[int, list[str]]:
        """Run it in a pipe; its exit status, and the lines that it printed."""
        command = self.command(*arguments)
        command[2] = code + command[2]
        done = subprocess.run(
            command, env=child_environment(), capture_output=True, text=True, timeout=WITHIN, check=False
        )
        assert not done.stderr or done.stderr.startswith("usage: "), done.stderr
        return done.returncode, done.stdout.splitlines()

    def assert_nothing_is_left(self, home: Home) -> None:
        """The home has heard a goodbye."""

        async def gone() -> None:
            await eventually(lambda: home.heard("client-disconnected"), "a goodbye")

        self.homes.run(gone())


class OnlineTests(CheckTestCase):
    """Without WebRTC: is the home online, and how fast does it answer?"""

    def test_online(self) -> None:
        home = self.home()
        status, lines = self.check(home.remote_id.lower())
        assert status == 0, lines
        assert re.fullmatch(
            r"OK - the home is online, and ready in [\d.]+ seconds \| server=[\d.]+s home=[\d.]+s", lines[0]
        ), lines
        assert [line.split(":")[0] for line in lines[1:]] == ["OK Server", "OK Home"], lines
        self.assert_nothing_is_left(home)

    def test_slow(self) -> None:
        home = self.home(SilentHome)
        status, lines = self.check(home.remote_id, "--warning", "0.2")
        assert status == 1, lines
        assert re.match(r"WARNING - the home is online, but took [\d.]+ seconds", lines[0]), lines

    def test_offline(self) -> None:
        status, lines = self.check("A" * 26)
        assert status == 2, lines
        assert lines[0].startswith("CRITICAL - no home with this Remote ID is connected"), lines

    def test_no_server(self) -> None:
        self.server.stop()
        status, lines = self.check("A" * 26)
        assert status == 3, lines
        assert lines[0].startswith("UNKNOWN - the server cannot be reached"), lines

    def test_no_websocket_there(self) -> None:
        status, lines = self.check("A" * 26, "--url", self.server.url.replace("/ws", "/health"))
        assert status == 3, lines
        assert lines[0].startswith("UNKNOWN - a web page is there, and no signaling server (200)"), lines

    def test_timeout(self) -> None:
        """With a server that would wait for the home for longer than the command does."""
        self.server = self.enterContext(ServerProcess("--ready-timeout", "20"))
        home = self.home(SilentHome)
        status, lines = self.check(home.remote_id, "--timeout", "2")
        assert (status, lines[0].split(" | ")[0]) == (
            2,
            "CRITICAL - the server says nothing of the home within 2 seconds",
        ), lines

    def test_mistakes(self) -> None:
        for arguments in (
            (),
            ("A", "--what"),
            ("A", "--url", "ftp://x"),
            ("A", "--timeout", "0"),
            ("not an ID",),
            ("A", "--url", "ws://a..b/ws"),
            ("A", "--ca", "/nowhere"),
        ):
            status, lines = self.check(*arguments)
            assert status == 3, arguments
            assert lines[0].startswith("UNKNOWN - "), lines

    def test_json(self) -> None:
        home = self.home()
        status, lines = self.check(home.remote_id, "--json")
        (found,) = map(json.loads, lines)
        assert (status, found["status"], found["url"]) == (0, "ok", self.server.url)
        assert [step["step"] for step in found["steps"]] == ["server", "home"]
        assert found["steps"][1]["seconds"] > 0

    def test_terminal(self) -> None:
        """A person sees each step begin, and then how it went."""
        home = self.home()
        person, terminal = pty.openpty()
        environment = {**child_environment(), "NO_COLOR": "1"}
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                self.command(home.remote_id), env=environment, stdout=terminal, stderr=errors
            )
            os.close(terminal)
            # The terminal ends with whoever writes to it.
            impatience = threading.Timer(WITHIN, child.kill)
            impatience.start()
            seen = b""
            try:
                while part := os.read(person, 1024):
                    seen += part
            except OSError:
                pass  # Linux says so at the end
            finally:
                os.close(person)
                status = child.wait()
                impatience.cancel()
            assert status == 0, seen
        text = seen.decode()
        assert "… Home\r\x1b[K✓ Home: the home is online" in text, text
        assert "\nOK - the home is online" in text, text


class WebRtcTests(CheckTestCase):
    """With WebRTC: all the way to the data channel."""

    def test_all_the_way(self) -> None:
        home = self.home(MusicAssistant)
        status, lines = self.check(home.remote_id, "--webrtc")
        assert status == 0, lines
        assert lines[0].startswith("OK - Music Assistant 2.10.0 answers"), lines
        steps = [line.split(":")[0].partition(" ")[2] for line in lines[1:]]
        assert steps == ["Server", "Home", "Answer", "Identity", "Data channel", "Music Assistant"], lines
        self.assert_nothing_is_left(home)

    def test_wrong_fingerprint(self) -> None:
        genuine = Home(self.server.url)
        self.home(remote_id=genuine.remote_id)
        status, lines = self.check(genuine.remote_id, "--webrtc")
        assert status == 2, lines
        assert "does not have the certificate" in lines[0], lines

    def test_older_remote_id(self) -> None:
        home = self.home(MusicAssistant, remote_id="MA-X7K9-P2M4")
        status, lines = self.check(home.remote_id, "--webrtc")
        assert status == 1, lines
        assert "says nothing about the home's certificate" in lines[0], lines
        assert lines[-1].startswith("OK Music Assistant"), lines

    def test_no_answer(self) -> None:
        status, lines = self.check(self.home(DeafHome).remote_id, "--webrtc", "--timeout", "2")
        assert status == 2, lines
        assert lines[0].startswith("CRITICAL - the home does not answer within 2 seconds"), lines

    def test_home_leaves(self) -> None:
        status, lines = self.check(self.home(LeavingHome).remote_id, "--webrtc")
        assert status == 2, lines
        assert lines[0].startswith("CRITICAL - the home has left"), lines

    def test_music_assistant_is_down(self) -> None:
        status, lines = self.check(self.home(HollowHome).remote_id, "--webrtc")
        assert status == 2, lines
        assert "Music Assistant cannot be reached there: is it running?" in lines[0], lines

    def test_home_hangs_up(self) -> None:
        status, lines = self.check(self.home(HangingUpHome).remote_id, "--webrtc")
        assert status == 2, lines
        assert "broke before Music Assistant answered" in lines[0], lines

    def test_useless_ice_servers(self) -> None:
        home = self.home(ice_servers=[{"username": "nobody"}])
        status, lines = self.check(home.remote_id, "--webrtc")
        assert status == 2, lines
        assert "list of ICE servers is of no use" in lines[0], lines

    def test_without_aiortc(self) -> None:
        code = "import sys; sys.modules['aiortc'] = None\n"
        home = self.home()
        command = self.command(home.remote_id, "--webrtc")
        command[2] = code + command[2].replace(LOOPBACK_ONLY, "")
        done = subprocess.run(
            command, env=child_environment(), capture_output=True, text=True, timeout=WITHIN, check=False
        )
        assert done.returncode == 3, done
        assert "pip install 'ma-signaling[check]'" in done.stdout, done
