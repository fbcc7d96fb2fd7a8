"""What is held for homes that are away: shared between addresses, for each home and for all."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import held_bytes
from ma_signaling.core.events import Event
from ma_signaling.core.held_bytes import (
    MAX_BYTES_IN_ALL,
    MAX_BYTES_OF_HOME,
    STEP,
    Forget,
    HomeBytes,
    SessionBytes,
)
from ma_signaling.core.kept_messages import FREE_BYTES, Kept
from ma_signaling.core.outbox import Outbox
from ma_signaling.core.shares import Shares
from tests.support.memory_hub import FakePeer, World

CROWD = "203.0.113.1"
SIZE = 15 * STEP
"""Of a message: four of them fit into what is held for a home."""


class OutboxTest(SynchronousTestCase):
    """One home's, and what it shares with others."""

    def setUp(self) -> None:
        self.all: Shares[Forget] = Shares(MAX_BYTES_IN_ALL)
        self.outbox = Outbox(HomeBytes(self.all))

    def put(self, session: str, key: str, *, size: int = SIZE, outbox: Outbox | None = None) -> bool:
        """Let a message wait."""
        outbox = outbox or self.outbox
        if not outbox.make_room(size, session, key):
            return False
        outbox.add((session, "offer", b"x" * size))
        return True

    def waiting(self) -> list[str]:
        return [session for session, _, _ in self.outbox.messages]

    def test_one_address_cannot_fill_a_home(self) -> None:
        assert [self.put(f"{number}", CROWD) for number in range(6)] == [True] * 4 + [False] * 2
        self.outbox.add(("3", "client-disconnected", b"{}"))
        assert self.put("other", "192.0.2.1")
        # Which of its sessions gives way doesn't matter, but the home hears of its end.
        assert len(self.waiting()) == 5
        assert self.waiting().count("other") == 1
        assert ("3", "client-disconnected", b"{}") in self.outbox.messages
        assert self.all.used == 4 * SIZE

    def test_nor_can_it_fill_all(self) -> None:
        self.all.capacity = 8 * SIZE
        others = [Outbox(HomeBytes(self.all)) for _ in range(3)]
        for other in others:
            for number in range(4):
                self.put(f"{number}", CROWD, outbox=other)
        assert self.all.used == 8 * SIZE
        assert self.put("own", "192.0.2.1")
        assert self.waiting() == ["own"]
        assert sum(len(other.messages) for other in others) == 7

    def test_nobody_gives_way_for_one_who_is_refused(self) -> None:
        """In random games, with little room for each home and for all."""
        self.patch(held_bytes, "MAX_BYTES_OF_HOME", 8 * STEP)
        for seed in range(60):
            random, evicted = Random(seed), list[str]()
            room: Shares[Forget] = Shares(16 * STEP)

            def evict(session_id: str, /, *, was_waiting: bool, evicted: list[str] = evicted) -> None:
                evicted.append(session_id)

            boxes = [Outbox(HomeBytes(room, evict)) for _ in range(3)]
            for number in range(200):
                before, session_id = len(evicted), f"{random.randrange(20)}"
                box, key = random.choice(boxes), f"192.0.2.{int(session_id) % 4}"
                size = random.choice((STEP // 8, STEP, 2 * STEP, 5 * STEP))
                is_taken = self.put(session_id, key, size=size, outbox=box)
                assert is_taken or len(evicted) == before, (seed, number)
                if random.random() < 0.2:
                    box.forget(session_id)

    def test_room_is_given_back(self) -> None:
        for session in ("one", "other"):
            self.put(session, CROWD)
        self.outbox.take(lambda session, _: session == "one")
        assert self.all.used == SIZE
        self.outbox.forget("other")
        assert (self.all.used, self.outbox.messages) == (0, [])

    def test_a_share_grows_by_whole_steps(self) -> None:
        held = SessionBytes(HomeBytes(self.all), "one", CROWD, lambda: None)
        used = []
        for _ in range(5):
            assert held.add(STEP // 2)
            used.append(self.all.used)
        assert (used, held.size) == ([STEP * count for count in (1, 1, 2, 2, 3)], 5 * (STEP // 2))
        held.release()
        assert (self.all.used, held.size) == (0, 0)

    def test_what_is_kept_counts_beyond_what_is_free(self) -> None:
        kept = Kept("one", CROWD, HomeBytes(self.all))
        used = []
        for _ in range(5):
            assert kept.add([b"x" * (FREE_BYTES // 2)], FREE_BYTES // 2)
            used.append(self.all.used)
        assert used == [STEP * count for count in (0, 0, 1, 1, 2)]
        kept.forget()
        assert (self.all.used, list(kept)) == (0, [])

    def test_what_is_kept_counts_with_it(self) -> None:
        home = HomeBytes(self.all)
        kept = [Kept(f"{number}", CROWD, home) for number in range(5)]
        assert [each.add([b"x" * SIZE], SIZE) for each in kept] == [True] * 4 + [False]
        outbox = Outbox(home)
        assert self.put("other", "192.0.2.1", outbox=outbox)
        assert sum(bool(list(each)) for each in kept) == 3
        for each in kept:
            each.forget()
        outbox.take(lambda *_: True)
        home.tidy()
        assert (self.all.used, home._own) == (0, None)


class HubTest(SynchronousTestCase):
    """With clients."""

    def test_an_owner_is_heard_whatever_a_crowd_has_sent(self) -> None:
        world = World(message_burst=0, message_bytes_burst=0)
        home = world.home()
        crowd = [self.answered(world, home, CROWD) for _ in range(10)]
        owner = self.answered(world, home, "192.0.2.1")
        home.breaks()
        for client in crowd:
            client.say("offer", data="x" * 60_000)
        owner.say("offer", data="restart")
        assert not owner.heard
        assert [event for event in world.reported() if event is Event.MESSAGE_DROPPED]
        assert [client.heard for client in crowd] == [[]] * 10
        again = world.connect()
        again.say("register-server", remoteId="HOME")
        assert "restart" in [message["data"] for message in again.heard_of("offer")]
        assert sum(map(len, again.raw)) < 2 * MAX_BYTES_OF_HOME

    @staticmethod
    def answered(world: World, home: FakePeer, host: str) -> FakePeer:
        client = world.client(text=host)
        home.say("answer", sessionId=world.session(home, client), data={})
        client.forget()
        return client
