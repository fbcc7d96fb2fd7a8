"""What one of many raises keeps none of the others from what it is due."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.run_all import run_all
from ma_signaling.core.takeover import Newcomer
from tests.support.memory_hub import FakePeer, World
from tests.support.takeover_case import OWNER, STRANGER, THIRD


class Broken(Exception):
    """Raised where something fails in a test."""


def fail(*_: object, **__: object) -> None:
    raise Broken


class RunAllTest(SynchronousTestCase):
    """The helper."""

    def test_all_calls_are_made(self) -> None:
        made: list[int] = []
        with self.assertRaises(Broken):
            run_all((lambda: made.append(1), fail, fail, lambda: made.append(2)))
        assert made == [1, 2]


class OthersTest(SynchronousTestCase):
    """The core, with one peer whose transport fails."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home("HOME", OWNER)

    def client(self, *, is_open: bool = True) -> FakePeer:
        """A client in a session."""
        client = self.world.client("HOME")
        if is_open:
            self.world.session(self.home, client)
        return client

    def breaks(self, peer: FakePeer) -> None:
        """Have a peer's transport fail from now on."""
        self.patch(peer, "send", fail)

    def test_clients_of_a_home_that_leaves(self) -> None:
        clients = [self.client() for _ in range(3)]
        self.breaks(clients[0])
        with self.assertRaises(Broken):
            self.home.goodbye()
        assert [client.types() for client in clients[1:]] == 2 * [["peer-disconnected"]]

    def test_clients_of_a_home_that_does_not_come_back(self) -> None:
        clients = [self.client() for _ in range(3)]
        self.home.breaks()
        self.breaks(clients[0])
        with self.assertRaises(Broken):
            self.world.advance(45)
        assert [client.types() for client in clients[1:]] == 2 * [["peer-disconnected"]]
        assert self.world.hub.registry.find("HOME") is None

    def test_sessions_of_a_home_that_comes_back(self) -> None:
        """Those that were answered wait for its proof, though one of the others fails."""
        pending, answered = self.client(is_open=False), self.client()
        self.home.say("answer", sessionId=self.world.hub.sessions.by_client[answered.connection].id, data={})
        self.home.breaks()
        self.patch(self.world.hub.sessions.announcing, "home_connected", fail)
        back = self.world.connect(STRANGER)
        with self.assertRaises(Broken):
            back.say("register-server", remoteId="HOME")
        home = self.world.hub.registry.find("HOME")
        assert home is not None
        assert len(home.suspended) == 1
        assert pending.is_there

    def test_newcomers_in_a_chain(self) -> None:
        """One gets what was vacated, and vacates what another one waits for."""
        first, second = self.world.home("FIRST", STRANGER), self.world.connect(THIRD)
        first.say("register-server", remoteId="HOME")
        second.say("register-server", remoteId="FIRST")
        self.breaks(first)
        with self.assertRaises(Broken):
            self.home.goodbye()
        assert second.types() == ["registered"]

    def test_newcomers_that_are_refused(self) -> None:
        newcomers = [self.world.connect(f"203.0.113.{number}") for number in range(20, 23)]
        for newcomer in newcomers:
            newcomer.say("register-server", remoteId="HOME")
        self.breaks(newcomers[0])
        with self.assertRaises(Broken):
            self.world.hub.registry.contests.by_remote_id["HOME"].resolve(None)
        assert [newcomer.codes() for newcomer in newcomers[1:]] == 2 * [["remote-id-taken"]]
        assert not self.world.hub.registry.contests.by_remote_id

    def test_newcomers_behind_one_that_cannot_win(self) -> None:
        newcomers = [self.world.connect(f"203.0.113.{number}") for number in range(20, 22)]
        for newcomer in newcomers:
            newcomer.say("register-server", remoteId="HOME")
        self.patch(Newcomer, "win", fail)
        with self.assertRaises(Broken):
            self.home.goodbye()
        assert newcomers[1].codes() == ["remote-id-taken"]

    def test_connections_of_a_server_that_goes_down(self) -> None:
        clients = [self.client(is_open=False) for _ in range(3)]
        self.breaks(clients[0])
        with self.assertRaises(Broken):
            self.world.hub.drain(10)
        assert [client.codes() for client in clients[1:]] == 2 * [["server-disconnected"]]
        assert all(peer.closed == (1012, "Server is restarting") for peer in (self.home, *clients[1:]))
