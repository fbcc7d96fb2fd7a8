"""How long who is refused is told to wait."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.refusals import MAX_WAIT, Refusals
from tests.support.memory_hub import World
from tests.support.memory_server import PING, PONG, UPGRADE, Reply, Server, frame


class RefusalsTest(SynchronousTestCase):
    """By the time, in seconds."""

    def test_who_waits_as_told_comes_half_as_often_each_time(self) -> None:
        refusals, now, waits = Refusals(10), 1000.0, []
        for _ in range(8):
            waits.append(refusals.add("A", now, 10.0))
            now += waits[-1]
        assert waits == [10, 10, 20, 40, 80, 160, 300, 300]

    def test_a_crowd_behind_one_address_is_one(self) -> None:
        refusals = Refusals(10)
        assert {refusals.add("A", 0.0, 10.0) for _ in range(300)} == {10}
        assert refusals.add("A", 12.0, 10.0) == 12

    def test_others_are_others(self) -> None:
        refusals = Refusals(10)
        refusals.add("A", 0.0)
        assert refusals.add("A", 100.0, 10.0) == 100
        assert refusals.add("B", 100.0, 10.0) == 10

    def test_it_begins_anew(self) -> None:
        refusals = Refusals(10)
        refusals.add("A", 0.0, 10.0)
        refusals.add("A", 100.0, 10.0)
        assert refusals.add("A", 200.0 + MAX_WAIT, 10.0) == MAX_WAIT
        later = 201.0 + 3 * MAX_WAIT
        assert refusals.add("A", later, 10.0) == 10

    def test_what_is_longer_anyway_stays(self) -> None:
        assert Refusals(10).add("A", 0.0, 1000.0) == 1000

    def test_the_number_of_addresses_is_bounded(self) -> None:
        refusals = Refusals(2)
        for key in "ABC":
            refusals.add(key, 0.0)
        assert refusals.add("A", 50.0) == 0
        assert refusals.add("C", 50.0) == 50


class ReplyTest(SynchronousTestCase):
    """What is said to who is refused."""

    def retry_after(self, server: Server, host: str = "192.0.2.1") -> int:
        client = server.accept(host)
        if not client.transport.value():
            client.send(UPGRADE + b"\r\n")
        reply = Reply(client.transport.value())
        assert reply.status in (429, 503)
        assert reply.json["retryAfter"] == int(reply.headers["retry-after"])
        return int(reply.headers["retry-after"])

    def test_at_the_limit_of_sockets(self) -> None:
        server = Server(max_connections=1)
        server.connect("192.0.2.9")
        server.hub.capacity.allow(0)
        waits = []
        for _ in range(5):
            waits.append(self.retry_after(server))
            server.clock.advance(waits[-1])
        assert waits == [10, 10, 20, 40, 80]
        assert self.retry_after(server, "192.0.2.2") == 10

    def test_beyond_the_limit_of_an_address(self) -> None:
        server = Server(connections_per_minute=1)
        server.connect()
        assert self.retry_after(server) == 60
        server.clock.advance(59)
        assert self.retry_after(server) == 59

    def test_a_home_is_refused_its_remote_id_again_and_again(self) -> None:
        """Each time its connection opens, so its own back-off begins anew; what it is told grows."""
        world = World()
        holder = world.home("HOME")
        waits = []
        for _ in range(7):
            newcomer = world.connect("192.0.2.2")
            newcomer.say("register-server", remoteId="HOME")
            holder.pong()
            world.clock.advance(0)
            (error,) = newcomer.heard_of("error")
            assert (error["code"], newcomer.closed) == ("remote-id-taken", (1013, "Remote ID is in use"))
            waits.append(error["retryAfter"])
            world.clock.advance(waits[-1])
        assert waits == [10, 10, 20, 40, 80, 160, 300]

    def test_a_home_that_was_refused_its_remote_id(self) -> None:
        """It was let in each time, so its own back-off begins anew: what it is told later does not."""
        server = Server(connections_per_minute=2)
        holder = server.home()
        newcomer = server.connect("192.0.2.2")
        newcomer.say(type="register-server", remoteId="HOME")
        (probe,) = [payload for opcode, payload in holder.frames() if opcode == PING]
        holder.send(frame(PONG, probe))
        server.clock.pump([1] * 10)
        assert newcomer.close_code() == 1013
        server.connect("192.0.2.2")
        server.clock.advance(40)
        waited = self.retry_after(server, "192.0.2.2")
        assert 40 <= waited <= 50, waited
