"""What an operator sees over the admin socket."""

from __future__ import annotations

import json

from tests.support.admin_case import AdminTestCase


class SeeTest(AdminTestCase):
    """Nothing here changes anything."""

    def test_status(self) -> None:
        self.server.session(self.server.home())
        status = self.ask("GET", "/status")
        assert status["homes"] == 1
        assert status["sessions"] == {"open": 1, "pending": 0}
        assert status["connections"] == {"none": 0, "home": 1, "client": 1}
        assert status["ready"] is True
        self.hub.is_draining = True
        assert self.ask("GET", "/status")["reason"] == "draining"

    def test_homes(self) -> None:
        home = self.server.home()
        _, session_id = self.server.session(home)
        self.server.advance(90)
        (line,) = self.ask("GET", "/homes")["homes"]
        connection = line["connection"]
        assert line == {
            "remoteId": "HOME",
            "state": "local",
            "sessions": 1,
            "connection": connection,
            "address": "192.0.2.1",
            "seconds": 90.0,
        }
        whole = self.ask("GET", "/homes/home")
        assert [each["id"] for each in whole["sessionList"]] == [session_id]
        assert self.ask("GET", "/homes/other", 404) == {"error": "Not found"}

    def test_pages(self) -> None:
        """However many there are: each page goes on after the last one, and none is missed or told twice."""
        wanted = [f"HOME{number:03}" for number in range(25)]
        for name in reversed(wanted):
            self.server.home(name)
        found, after = [], ""
        for size in (10, 10, 5):
            answer = self.ask("GET", f"/homes?limit=10&after={after}")
            assert len(answer["homes"]) == size
            found += [each["remoteId"] for each in answer["homes"]]
            after = answer.get("next", "")
        assert found == wanted
        assert after == ""
        assert len(self.ask("GET", "/homes?limit=0")["homes"]) == 1
        assert self.ask("GET", "/homes?limit=x", 400) == {
            "error": "the parameter limit is not a whole number"
        }

    def test_sessions(self) -> None:
        _, session_id = self.server.session(self.server.home())
        (line,) = self.ask("GET", "/sessions")["sessions"]
        assert line == self.ask("GET", f"/sessions/{session_id}")
        assert (line["remoteId"], line["state"], line["negotiation"]) == ("HOME", "open", "nothing")
        assert line["address"] == "198.51.100.1"
        self.ask("GET", "/sessions/0", 404)

    def test_addresses(self) -> None:
        for _ in range(3):
            self.server.connect("198.51.100.1")
        self.server.session(self.server.home())
        lines = self.ask("GET", "/addresses?limit=1")["addresses"]
        assert lines == [
            {"address": "198.51.100.1", "connections": 4, "homes": 0, "clients": 1, "blockedSeconds": 0}
        ]

    def test_contests(self) -> None:
        assert self.ask("GET", "/contests") == {"contests": []}
        self.server.home()
        newcomer = self.server.connect("198.51.100.7")
        newcomer.say(type="register-server", remoteId="HOME")
        expected = {"remoteId": "HOME", "phase": "holder", "holder": "unknown", "newcomers": ["198.51.100.7"]}
        assert self.ask("GET", "/contests") == {"contests": [expected]}
        assert self.ask("GET", "/contests/home") == expected
        assert self.ask("GET", "/homes/HOME")["contest"] == expected
        self.ask("GET", "/contests/OTHER", 404)

    def test_methods(self) -> None:
        for method, target, allowed in (
            ("POST", "/status", "GET, OPTIONS"),
            ("GET", "/kick?target=x", "OPTIONS, POST"),
            ("DELETE", "/bans", "GET, OPTIONS, POST"),
        ):
            _, transport = self.open(method, target)
            head, _, body = transport.value().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 405 ")
            assert f"Allow: {allowed}".encode() in head
            assert json.loads(body) == {"error": "Method not allowed"}
        _, transport = self.open("HEAD", "/status")
        assert transport.value().startswith(b"HTTP/1.1 200 ")
        assert transport.value().endswith(b"\r\n\r\n")
        self.ask("GET", "/", 404)
        self.ask("GET", "/homes/", 404)
