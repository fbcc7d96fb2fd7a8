"""After a start, clients wait for homes that are on their way back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import start_grace
from tests.support.memory_hub import World

NOT_FOUND = "server-not-found"


class StartGraceTest(SynchronousTestCase):
    """A server that has just started."""

    def setUp(self) -> None:
        self.world = World(start_grace=75)

    def test_request_waits_for_its_home(self) -> None:
        waiting = self.world.client()
        self.world.advance(10)
        assert waiting.heard == []
        home = self.world.connect()
        home.say("register-server", remoteId="HOME")
        assert home.types() == ["registered", "client-connected"]
        home.say("session-ready", sessionId=home.heard[-1]["sessionId"])
        assert waiting.types() == ["connected"]

    def test_home_that_does_not_come(self) -> None:
        waiting = self.world.client()
        self.world.advance(19.9)
        assert waiting.heard == []
        self.world.advance(0.1)
        assert waiting.codes() == [NOT_FOUND]
        self.world.advance(100)
        assert self.world.hub.registry.find("HOME") is None
        assert self.world.clock.timers == []

    def test_without_a_grace_time(self) -> None:
        """That of lost homes is another one."""
        self.world = World(start_grace=75, grace=0)
        self.world.advance(70)
        waiting = self.world.client()
        self.world.advance(19.9)
        assert waiting.heard == []
        self.world.advance(0.1)
        assert waiting.codes() == [NOT_FOUND]

    def test_afterwards(self) -> None:
        self.world.advance(75)
        assert self.world.client().codes() == [NOT_FOUND]

    def test_an_invented_home_that_is_asked_for_on_and_on(self) -> None:
        """It is unknown when the time is over, and asking is a guess then."""
        for _ in range(8):
            waiting = self.world.client("INVENTED")
            self.world.advance(10)
        assert waiting.codes() == []
        assert self.world.client("INVENTED").codes() == [NOT_FOUND]
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 1
        self.world.advance(60)
        assert self.world.hub.registry.find("INVENTED") is None
        for number in range(10):
            self.world.client(f"INVENTED{number}")
        assert self.world.hub.limits.counts()["blockedIps"] == 1

    def test_home_that_was_lost_and_given_up_meanwhile(self) -> None:
        """Who asks still waits until the time is over."""
        home = self.world.home()
        home.breaks()
        self.world.advance(40)
        self.world.client()
        self.world.advance(10)
        late = self.world.client()
        self.world.advance(15)
        back = self.world.connect()
        back.say("register-server", remoteId="HOME")
        assert back.types() == ["registered", "client-connected"]
        assert late.heard == []

    def test_asking_is_no_guess(self) -> None:
        for number in range(20):
            self.world.client(f"HOME{number}")
            assert not self.world.is_online(
                self.world.connect("198.51.100.1").connection.address, f"H{number}"
            )
        assert self.world.hub.limits.counts()["blockedIps"] == 0

    def test_bounded(self) -> None:
        """Who has had most is told at once; others still wait."""
        self.patch(start_grace, "MAX_WAITING", 3)
        clients = [self.world.client(f"HOME{number}") for number in range(4)]
        assert [client.codes() for client in clients] == [[], [], [], [NOT_FOUND]]
        assert self.world.client("HOME", "203.0.113.9").heard == []

    def test_bounded_for_one_home(self) -> None:
        """As many may wait for one as for several."""
        self.patch(start_grace, "MAX_WAITING", 3)
        clients = [self.world.client("HOME") for _ in range(4)]
        assert [client.codes() for client in clients] == [[], [], [], [NOT_FOUND]]
        assert self.world.client("HOME", "203.0.113.9").heard == []

    def test_off(self) -> None:
        assert World(start_grace=0).client().codes() == [NOT_FOUND]
