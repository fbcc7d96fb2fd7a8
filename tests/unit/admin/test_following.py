"""Events as they come, to whoever follows them over the admin socket."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ma_signaling.core.events import Event, each_of
from tests.support.admin_case import AdminTestCase


class TraceTest(AdminTestCase):
    """Events as they come."""

    def test_home(self) -> None:
        self.server.home()
        channel, transport = self.open("GET", "/trace/home")
        assert transport.value().startswith(b"HTTP/1.1 200 ")
        transport.clear()
        address = self.hub.connections()[0].address
        each_of(self.followers)(
            Event.HOME_LOST, connection="c1", remote_id="HOME", address=address, lasted=1.5
        )
        each_of(self.followers)(Event.HOME_LOST, connection="c2", remote_id="OTHER", lasted=1.5)
        (line,) = [line for line in transport.value().split(b"\r\n") if line.startswith(b"{")]
        assert json.loads(line) == {
            "time": self.wall,
            "event": "home lost",
            "connection": "c1",
            "remote_id": "HOME",
            "address": "192.0.2.1",
            "lasted": 1.5,
        }
        transport.dataBuffer = b"x" * 300_000
        transport.clear()
        each_of(self.followers)(Event.PEER_CLOSED, connection="c1", code=1013)
        assert transport.value() == b"", "who doesn't read misses something"
        channel.connectionLost(Failure(ConnectionDone()))
        assert len(self.followers) == 0

    def test_a_home_that_comes_back(self) -> None:
        """Its next connection is followed as well, and its last one no longer."""
        heard: list[bytes] = []
        stop = self.followers.follow({"HOME"}, heard.append, {"c1"})
        told = each_of(self.followers)
        told(Event.HOME_LOST, connection="c1", remote_id="HOME", lasted=1.5, why="")
        told(Event.PEER_CLOSED, connection="c1", code=1013)
        told(Event.HOME_RETURNED, connection="c2", remote_id="HOME", told=True)
        told(Event.PEER_CLOSED, connection="c2", code=1013)
        told(Event.HOME_RETURNED, connection="c3", remote_id="OTHER")
        assert [json.loads(line)["event"] for line in heard] == ["home lost", "home returned", "peer closed"]
        assert json.loads(heard[1]).keys() == {"time", "event", "connection", "remote_id"}
        stop()
        assert len(self.followers) == 0

    def test_an_address(self) -> None:
        """Few events name it; the others name a home's connection or a session of it, new or there already."""
        self.server.session(self.server.home(host="192.0.2.7"), "192.0.2.7")
        old_home, old_client = self.hub.connections()
        _, transport = self.open("GET", "/trace/192.0.2.7")
        transport.clear()
        told = each_of(self.followers)
        address = old_home.address
        told(Event.SESSION_ENDED, session=self.hub.sessions.by_client[old_client].id, remote_id="HOME")
        told(Event.HOME_LOST, connection=old_home.id, remote_id="HOME")
        told(Event.HOME_REGISTERED, connection="c8", remote_id="NEW", address=address)
        told(Event.SESSION_REQUESTED, connection="c9", session="s", remote_id="OTHER", address=address)
        told(Event.SESSION_OPENED, session="s", remote_id="OTHER")
        told(Event.SESSION_OPENED, session="of others", remote_id="OTHER")
        told(Event.RELAY_OFFERED, session="s")
        told(Event.PEER_DROPPED, connection="c8")
        told(Event.HOME_LOST, connection="c8", remote_id="NEW")
        told(Event.SESSION_FAILED, session="s", remote_id="OTHER")
        told(Event.PEER_CLOSED, connection="c8")
        told(Event.SESSION_REVIVED, session="s", remote_id="OTHER")
        lines = [json.loads(line) for line in transport.value().split(b"\r\n") if line.startswith(b"{")]
        assert [line["event"] for line in lines] == [
            "session ended",
            "home lost",
            "home registered",
            "session requested",
            "session opened",
            "relay offered",
            "peer dropped",
            "home lost",
            "session failed",
        ]
        assert len(self.followers) == 1
