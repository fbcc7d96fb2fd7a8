"""The command line of ``ma-signaling home``."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

from aiortc import RTCCertificate

from ma_signaling.home import command
from ma_signaling.home.identity import Identity
from ma_signaling.home.music_assistant import local_url

USUAL = ["--signaling", "signaling.example.org", "--music-assistant", "http://ha.local:8095"]


class ParseTest(TestCase):
    def parse(self, *arguments: str, **environment: str) -> Any:
        with mock.patch.dict(os.environ, environment, clear=True):
            return command._parse(arguments)

    def refusal(self, *arguments: str, **environment: str) -> str:
        """Return what a wrong command line is told."""
        told = io.StringIO()
        with contextlib.redirect_stderr(told), self.assertRaises(SystemExit):
            self.parse(*arguments, **environment)
        return told.getvalue()

    def test_usual(self) -> None:
        given = self.parse(*USUAL)
        self.assertEqual(given.signaling, "wss://signaling.example.org/ws")
        self.assertEqual(str(given.music_assistant), "http://ha.local:8095")
        self.assertEqual((given.stun, given.address, given.max_sessions), ([], [], 64))

    def test_environment(self) -> None:
        given = self.parse(
            MA_SIGNALING_HOME_SIGNALING="ws://127.0.0.1:8787",
            MA_SIGNALING_HOME_MUSIC_ASSISTANT="127.0.0.1",
            MA_SIGNALING_HOME_STATE_DIRECTORY="/data",
            MA_SIGNALING_HOME_STUN="stun:a.example stun:b.example:3478",
            MA_SIGNALING_HOME_MAX_SESSIONS="5",
        )
        self.assertEqual(given.signaling, "ws://127.0.0.1:8787/ws")
        self.assertEqual(str(given.music_assistant), "http://127.0.0.1")
        self.assertEqual(given.state_directory, Path("/data"))
        self.assertEqual(given.stun, ["stun:a.example", "stun:b.example:3478"])
        self.assertEqual(given.max_sessions, 5)

    def test_an_option_overrides_the_environment(self) -> None:
        given = self.parse(
            *USUAL,
            *("--stun", "stun:c.example", "--stun", "stun:d.example", "--max-sessions", "6"),
            MA_SIGNALING_HOME_STUN="stun:a.example",
            MA_SIGNALING_HOME_ADDRESS="192.0.2.1,2001:db8::1",
            MA_SIGNALING_HOME_MAX_SESSIONS="5",
        )
        self.assertEqual(given.stun, ["stun:c.example", "stun:d.example"])
        self.assertEqual(given.address, ["192.0.2.1", "2001:db8::1"])
        self.assertEqual(given.max_sessions, 6)

    def test_mistakes_in_the_environment(self) -> None:
        said = self.refusal(*USUAL, MA_SIGNALING_HOME_STUN="stun:a.example turn:b.example")
        self.assertIn("MA_SIGNALING_HOME_STUN: it must be an address such as stun:", said)
        self.assertIn("MA_SIGNALING_HOME_ADDRESS", self.refusal(*USUAL, MA_SIGNALING_HOME_ADDRESS="home"))
        self.assertIn("--max-sessions", self.refusal(*USUAL, MA_SIGNALING_HOME_MAX_SESSIONS="many"))
        said = self.refusal(*USUAL, MA_SIGNALING_HOME_STUNS="stun:a.example")
        self.assertIn("no option MA_SIGNALING_HOME_STUNS; the nearest is MA_SIGNALING_HOME_STUN\n", said)

    def test_what_others_set(self) -> None:
        """A server's settings, and what Kubernetes sets for a Service."""
        self.parse(
            *USUAL,
            MA_SIGNALING_HOME_SESSIONS="9",
            MA_SIGNALING_GRACE="9",
            MA_SIGNALING_HOME_SERVICE_HOST="10.0.0.1",
            MA_SIGNALING_HOME_PORT="tcp://10.0.0.1:80",
        )

    def test_mistakes(self) -> None:
        self.assertIn("--music-assistant", self.refusal("--signaling", "a.example"))
        self.assertIn("such as stun:", self.refusal(*USUAL, "--stun", "turn:a.example"))
        self.assertIn("none stands alone", self.refusal(*USUAL, "--stun", "none", "--stun", "stun:a.example"))
        self.assertIn("none stands alone", self.refusal(*USUAL, MA_SIGNALING_HOME_STUN="stun:a.example none"))
        self.assertIn("--address", self.refusal(*USUAL, "--address", "home"))
        self.assertIn("such as wss:", self.refusal("--signaling", "ftp://a", "--music-assistant", "b"))
        for sessions in ("0", "-1", "1.5"):
            said = self.refusal(*USUAL, f"--max-sessions={sessions}")
            self.assertIn("--max-sessions: it must be a whole number from 1 to", said)
        for link in ("foo", "ftp://a.example/", "https://", "https://a.example/?a=1", "https://a.example/#a"):
            self.assertIn(
                "--link: it must be an address such as https:", self.refusal(*USUAL, "--link", link)
            )
        self.parse(*USUAL, "--link", "https://a.example:8443/app/")

    def test_relays_that_cannot_be_asked(self) -> None:
        """aiortc skips those by TLS, and fails at the others with each client."""
        for url in (
            "stun:127.0.0.1:99999",
            "stun:a.example:0",
            "stun:a.example?transport=tcp",
            "stuns:a.example",
            "stun:[::1]:3478",
            "stun:a.example,stun:b.example",
            "stun:bücher.example",
        ):
            self.assertIn("such as stun:", self.refusal(*USUAL, "--stun", url), url)

    def test_address_of_another_machine(self) -> None:
        said = io.StringIO()
        with (
            mock.patch.object(command, "is_own", return_value=False),
            mock.patch.dict(os.environ, {}, clear=True),
            contextlib.redirect_stderr(said),
        ):
            self.assertEqual(command.main([*USUAL, "--address", "192.0.2.1"]), 1)
        self.assertEqual(
            said.getvalue(), "ma-signaling home: --address: this machine has no address 192.0.2.1\n"
        )


class AddressTest(TestCase):
    def test_music_assistant(self) -> None:
        self.assertEqual(str(local_url("https://[::1]:8095/")), "https://[::1]:8095/")
        for wrong in (
            "",
            "http://",
            "ftp://a",
            "http://user:pass@a",
            "http://a/path",
            "http://a/?b",
            "http://a:x",
        ):
            with self.assertRaises(ValueError, msg=wrong):
                local_url(wrong)

    def test_web_app(self) -> None:
        self.assertEqual(command.app_url("wss://a.example:444/ws"), "https://a.example:444/app/")
        self.assertEqual(command.app_url("ws://127.0.0.1:8787/ws"), "http://127.0.0.1:8787/app/")


class IntroductionTest(TestCase):
    def test_the_code_is_shown_once(self) -> None:
        certificate = RTCCertificate.generateCertificate()
        new = command.introduction(Identity(certificate, "NAME", is_new=True), "https://a.example/app/")
        self.assertIn("Remote ID: NAME\nLink: https://a.example/app/?remote_id=NAME&remote=1\n", new)
        self.assertIn("▄▄▄▄▄", new)
        known = command.introduction(Identity(certificate, "NAME", is_new=False), "https://a.example/app/")
        self.assertEqual(known, "\n".join(new.splitlines()[:2]) + "\n")
