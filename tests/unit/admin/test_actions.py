"""What an operator does over the admin socket."""

from __future__ import annotations

from itertools import count

from twisted.internet.error import ConnectionDone
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from ma_signaling.core.events import Event, each_of
from ma_signaling.monitoring import log_writer
from ma_signaling.transport import slices
from tests.support.admin_case import AdminTestCase


class ActTest(AdminTestCase):
    """What changes something."""

    def test_kick(self) -> None:
        """The home comes back: its sessions wait for it."""
        home = self.server.home()
        client, _ = self.server.session(home)
        assert self.ask("POST", "/kick?target=home") == {"closed": 1}
        assert home.close_code() == 1013
        assert self.hub.own_counts()["clients"] == 1
        assert self.ask("POST", "/kick?target=198.51.100.1") == {"closed": 1}
        assert client.close_code() == 1013
        self.ask("POST", "/kick?target=nobody", 404)
        assert self.ask("POST", "/kick", 400) == {"error": "the parameter target is missing"}

    def test_remote_id_with_hyphens(self) -> None:
        """As Music Assistant's settings page copies it."""
        name = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        copied = f"{name[:8]}-{name[8:13]}-{name[13:18]}-{name[18:]}".lower()
        self.server.home(name)
        assert self.ask("GET", f"/homes/{copied}")["remoteId"] == name
        assert self.ask("POST", f"/kick?target={copied}") == {"closed": 1}

    def test_kick_many(self) -> None:
        """In slices, so that the loop turns meanwhile."""
        for _ in range(95):
            self.server.connect("198.51.100.1")
        assert self.ask("POST", "/kick?target=198.51.100.1") == {"closed": 95}

    def test_kick_fails(self) -> None:
        """Whoever asked is told, and the operator too."""
        self.server.connect("198.51.100.1")
        self.patch(self.hub, "end", lambda *_: 1 / 0)
        assert self.ask("POST", "/kick?target=198.51.100.1", 500) == {"error": "Internal error"}
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    def test_kick_and_leave(self) -> None:
        """Nobody is there any more when the last slice is done."""
        for _ in range(95):
            self.server.connect("198.51.100.1")
        self.patch(slices, "perf_counter", count(0, 0.6 * slices.SLICE_SECONDS).__next__)
        channel, transport = self.open("POST", "/kick?target=198.51.100.1")
        assert not transport.value(), "a clock that runs this fast cuts slices"
        channel.connectionLost(Failure(ConnectionDone()))
        self.server.clock.pump([0.0] * 10)
        assert not transport.value()

    def test_blocks(self) -> None:
        guesser = self.server.connect("2001:db8::1")
        for name in ("A", "B"):
            guesser.say(type="connect-request", remoteId=name)
        assert self.ask("GET", "/blocks") == {"blocks": [{"address": "2001:db8::/64", "seconds": 60}]}
        assert self.ask("DELETE", "/blocks/2001:db8::%2F64") == {"unblocked": "2001:db8::/64"}
        assert self.ask("GET", "/blocks") == {"blocks": []}
        self.ask("DELETE", "/blocks/2001:db8::%2F64", 404)

    def test_any_spelling_of_an_address(self) -> None:
        for name in ("2001:DB8::1", "2001:db8:0::0:1", "2001:DB8::%2F64", "2001:db8:0::%2F64"):
            for _ in range(2):
                guesser = self.server.connect("2001:db8::1")
                for wanted in ("A", "B"):
                    guesser.say(type="connect-request", remoteId=wanted)
            assert self.ask("DELETE", f"/blocks/{name}") == {"unblocked": "2001:db8::/64"}
            other = self.server.connect("2001:db8::1")
            self.server.connect("2001:db8::2")
            _, trace = self.open("GET", f"/trace/{name}")
            address = self.hub.connections()[-2].address
            each_of(self.followers)(Event.SESSION_REQUESTED, address=address)
            assert b"session requested" in trace.value(), name
            is_network = "%2F" in name
            assert self.ask("POST", f"/kick?target={name}")["closed"] == (3 if is_network else 2), name
            assert other.close_code() == 1013
            self.ask("POST", "/kick?target=2001:db8::%2F64", 200 if not is_network else 404)
        mapped = self.server.connect("192.0.2.9")
        assert self.ask("POST", "/kick?target=::FFFF:192.0.2.9") == {"closed": 1}
        assert mapped.close_code() == 1013

    def test_ban(self) -> None:
        home = self.server.home()
        client, _ = self.server.session(home)
        assert self.ask("POST", "/bans?target=home&for=1h") == {"banned": "HOME", "closed": 1, "kept": True}
        assert home.close_code() == 1008
        assert self.ask("POST", "/bans?target=198.51.100.0/24")["closed"] == 1
        assert client.close_code() == 1008
        assert self.ask("GET", "/bans") == {
            "bans": [{"target": "198.51.100.0/24"}, {"target": "HOME", "seconds": 3600}],
            "kept": True,
        }
        refused = self.server.connect()
        refused.say(type="register-server", remoteId="HOME")
        assert refused.close_code() == 1008
        assert self.ask("DELETE", "/bans/home") == {"unbanned": "HOME"}
        self.server.home()
        self.ask("DELETE", "/bans/home", 404)
        for method, path in (("DELETE", "/bans/1.2.3"), ("POST", "/bans?target=1.2.3")):
            assert self.ask(method, path, 400)["error"].startswith(
                "'1.2.3' is not an address or network such as "
            )
        assert "'a b' is not a Remote ID" in self.ask("POST", "/bans?target=a%20b", 400)["error"]
        for duration in ("soon", "5", ""):
            asked = f"/bans?target=X&for={duration}"
            assert f"{duration!r} is not a duration such as 90s" in self.ask("POST", asked, 400)["error"]
        assert "for no time" in self.ask("POST", "/bans?target=X&for=0s", 400)["error"]

    def test_a_ban_ends(self) -> None:
        self.ask("POST", "/bans?target=HOME&for=90s")
        self.server.advance(89)
        self.bans.prune()
        assert len(self.hub.bans) == 1
        self.server.advance(1)
        self.bans.prune()
        assert len(self.hub.bans) == 0
        self.server.home()

    def test_bans_outlive_a_restart(self) -> None:
        self.ask("POST", "/bans?target=HOME&for=1h")
        self.ask("POST", "/bans?target=192.0.2.0/24")
        self.ask("POST", "/bans?target=SOON&for=10s")
        other = type(self)("test_ban")
        other.setUp()
        self.addCleanup(other.doCleanups)
        other.bans._path, other.wall = self.bans._path, self.wall + 600
        other.bans.load()
        assert dict(other.hub.bans) == {"HOME": 3000.0, "192.0.2.0/24": None}

    def test_a_strange_file_is_set_aside(self) -> None:
        path = self.directory / "bans.json"
        for content in (
            b'{"version": 2, "bans": []}',
            b"[]",
            b"\xff",
            b'{"version": 1, "bans": {"1.2.3": null}}',
            b'{"version": 1, "bans": {"HOME": "nan"}}',
            b'{"version": 1, "bans": {"HOME": true}}',
            b'{"version": 1, "bans": {"HOME": [1]}}',
        ):
            path.write_bytes(content)
            self.bans.load()
            assert not path.exists()
            assert path.with_suffix(".aside").read_bytes() == content
            assert len(self.hub.bans) == 0

    def test_what_could_not_be_written_is_not_kept(self) -> None:
        """Such as on a full disk; the next one that can be written keeps all."""
        disk = self.directory / "disk"
        self.bans._path = disk / "bans.json"
        assert self.ask("POST", "/bans?target=HOME") == {"banned": "HOME", "closed": 0, "kept": False}
        assert self.ask("GET", "/bans")["kept"] is False
        assert len(self.flushLoggedErrors()) <= 1
        self.bans.prune()
        disk.mkdir()
        assert self.ask("POST", "/bans?target=OTHER")["kept"] is True
        assert b"HOME" in (disk / "bans.json").read_bytes()

    def test_what_could_not_be_written_is_tried_again(self) -> None:
        """Without anybody's doing, and with one line until it succeeds."""
        disk = self.directory / "disk"
        self.bans._path = disk / "bans.json"
        with capturedLogs() as events:
            self.ask("POST", "/bans?target=HOME")
            for _ in range(10):
                self.bans.prune()
        assert [formatEvent(event) for event in events if event["log_level"] is LogLevel.error] == [
            f"{disk}/bans.json can't be written: No such file or directory. Trying again until that succeeds"
        ]
        disk.mkdir()
        self.bans.prune()
        assert self.ask("GET", "/bans")["kept"] is True
        assert b"HOME" in (disk / "bans.json").read_bytes()

    def test_an_end_beyond_all_times(self) -> None:
        path = self.directory / "bans.json"
        path.write_bytes(b'{"version": 1, "bans": {"HOME": 1e308, "OTHER": %d}}' % 2**70)
        self.bans.load()
        assert dict(self.hub.bans) == {"HOME": None, "OTHER": None}
        assert len(self.ask("GET", "/bans")["bans"]) == 2

    def test_log_level(self) -> None:
        assert self.ask("GET", "/log-level") == {"level": "info"}
        assert self.ask("PUT", "/log-level?level=debug") == {"level": "debug"}
        assert log_writer.is_debugging()
        assert "is one of" in self.ask("PUT", "/log-level?level=loud", 400)["error"]

    def test_drain(self) -> None:
        assert self.ask("POST", "/drain") == {"drainSeconds": 30.0}
        assert self.ask("POST", "/drain?over=5m") == {"drainSeconds": 300.0}
        assert self.stops == 0
        self.server.clock.advance(0.1)
        assert self.stops == 2

    def test_drain_once_more(self) -> None:
        """The answer is how long it takes, not what was asked for in vain."""
        self.ask("POST", "/drain?over=5m")
        self.server.clock.advance(0.1)
        self.hub.drain(1)
        assert self.ask("POST", "/drain?over=1s") == {"drainSeconds": 300.0}
        assert self.ask("POST", "/drain") == {"drainSeconds": 300.0}
        self.server.clock.advance(0.1)
        assert self.stops == 1
