"""Takeover: who gets a Remote ID that another connection holds. Where proof can't be had, a holder that lives stays."""

from __future__ import annotations

from tests.support.takeover_case import OWNER, STRANGER, THIRD, TakeoverTestCase, takeovers

REGISTERED = [{"type": "registered", "remoteId": "HOME"}]


class ProbeTest(TakeoverTestCase):
    """The holder is asked for a sign of life, whatever address the newcomer comes from."""

    def test_live_holder(self) -> None:
        """Defect 2: a stranger can't close an owner with 4000."""
        newcomer = self.newcomer()
        assert newcomer.heard == []
        assert len(self.home.pings[0]) == 8
        self.home.pong()
        self.assert_refused(newcomer)
        assert self.home.is_there
        self.client.say("offer", data={})
        assert self.home.types() == ["offer"]
        assert takeovers(self.world) == ["refused: holder lives"]

    def test_an_address_is_no_right(self) -> None:
        """Everybody behind a carrier's NAT has it."""
        newcomer = self.newcomer(OWNER)
        assert self.home.is_there
        self.home.pong()
        self.assert_refused(newcomer)

    def test_tenure_is_no_right(self) -> None:
        """Who held it for an hour must show more than that."""
        self.world.advance(7200)
        self.home.goodbye()
        squatter = self.newcomer()
        owner = self.newcomer(OWNER)
        squatter.pong()
        self.assert_refused(owner)

    def test_silent_holder(self) -> None:
        """It is dropped without a close frame, and never with 4000."""
        newcomer = self.newcomer()
        self.world.advance(4.99)
        assert newcomer.heard == []
        self.world.advance(0.01)
        assert self.home.dropped
        assert self.home.closed is None
        assert newcomer.heard[:1] == REGISTERED
        assert takeovers(self.world) == ["won by silence"]

    def test_any_message_is_a_sign_of_life(self) -> None:
        newcomer = self.newcomer()
        self.home.say("pong")
        self.assert_refused(newcomer)

    def test_only_the_pong_to_this_probe_counts(self) -> None:
        newcomer = self.newcomer()
        self.home.pong(b"")
        self.client.connection.peer.ping(self.home.pings[0])
        self.client.pong()
        assert newcomer.heard == []
        self.world.advance(5)
        assert newcomer.heard[:1] == REGISTERED

    def test_each_probe_has_a_payload_of_its_own(self) -> None:
        first = self.newcomer()
        self.home.pong()
        self.assert_refused(first)
        second = self.newcomer(THIRD)
        self.world.advance(1)
        earlier, latest = self.home.pings
        assert earlier != latest
        self.home.pong(earlier)
        assert second.heard == []
        self.home.pong(latest)
        self.assert_refused(second)

    def test_one_probe_a_second_serves_all(self) -> None:
        """Strangers from many addresses, who are refused at once, don't have the home answer them all."""
        for number in range(100):
            self.newcomer(f"198.51.100.{number}")
            self.home.pong()
            self.world.advance(0.1)
        assert len(self.home.pings) == 11

    def test_holder_with_an_offer_to_answer(self) -> None:
        """Its gateway handles one message at a time, and answers no ping meanwhile."""
        self.client.say("offer", data={})
        newcomer = self.newcomer()
        self.world.advance(19.9)
        assert newcomer.heard == []
        self.world.advance(0.1)
        assert newcomer.heard[:1] == REGISTERED

    def test_holder_that_has_answered_its_offers(self) -> None:
        self.client.say("offer", data={})
        self.call_up()
        newcomer = self.newcomer()
        self.world.advance(5)
        assert newcomer.heard[:1] == REGISTERED

    def test_holder_with_a_further_offer_to_answer(self) -> None:
        """A guest must not keep a home from answering its probe, and another take its Remote ID meanwhile."""
        self.client.say("offer", data={})
        self.home.say("answer", sessionId=self.session_id, data={})
        self.client.say("offer", data={"iceRestart": True})
        self.newcomer()
        self.world.advance(19.99)
        assert self.home.is_there
        self.world.advance(0.01)
        assert self.home.dropped

    def test_holder_that_left_a_further_offer_unanswered(self) -> None:
        """It counts for as long as a home may take for it: a home that came back would wait on the silent one."""
        self.client.say("offer", data={})
        self.home.say("answer", sessionId=self.session_id, data={})
        self.client.say("offer", data={"iceRestart": True})
        self.world.advance(15)
        self.newcomer()
        self.world.advance(5)
        assert self.home.dropped

    def test_two_newcomers_share_a_refusal(self) -> None:
        first, second = self.newcomer(), self.newcomer(THIRD)
        assert len(self.home.pings) == 1
        self.home.pong()
        self.assert_refused(first, second)

    def test_first_of_two_newcomers_wins(self) -> None:
        first = self.newcomer()
        self.world.advance(3)
        second = self.newcomer(THIRD)
        self.world.advance(2)
        assert first.heard[:1] == REGISTERED
        first.pong()
        self.assert_refused(second)

    def test_newcomer_leaves(self) -> None:
        first, second = self.newcomer(), self.newcomer(THIRD)
        first.goodbye()
        self.world.advance(5)
        assert second.heard[:1] == REGISTERED
        assert takeovers(self.world) == ["withdrawn", "won by silence"]

    def test_last_newcomer_leaves(self) -> None:
        self.newcomer().breaks()
        self.world.advance(60)
        assert self.home.is_there
        assert self.world.clock.timers == []

    def test_newcomer_who_asks_twice(self) -> None:
        """It is registered with what it said last."""
        newcomer = self.newcomer()
        newcomer.say("register-server", remoteId="HOME", iceServers=[{"urls": "stun:192.0.2.9"}])
        self.world.advance(5)
        assert newcomer.heard[:1] == REGISTERED
        waiting = self.world.client()
        self.world.advance(10)
        assert waiting.heard[0]["iceServers"] == [{"urls": "stun:192.0.2.9"}]

    def test_newcomer_has_a_role(self) -> None:
        newcomer = self.newcomer()
        newcomer.say("connect-request", remoteId="HOME")
        assert newcomer.codes() == ["wrong-role"]

    def test_newcomer_keeps_its_old_id_until_the_new_one_is_granted(self) -> None:
        newcomer = self.world.home("OLD", STRANGER)
        newcomer.say("register-server", remoteId="HOME")
        assert self.world.hub.counts()["servers"] == 2
        self.world.advance(5)
        assert newcomer.heard[:1] == REGISTERED
        assert self.world.hub.counts()["servers"] == 1

    def test_newcomer_that_wants_another_one_instead(self) -> None:
        newcomer = self.newcomer()
        newcomer.say("register-server", remoteId="OTHER")
        assert newcomer.heard == [{"type": "registered", "remoteId": "OTHER"}]
        self.world.advance(60)
        assert self.home.is_there

    def test_server_goes_down_meanwhile(self) -> None:
        newcomer = self.newcomer()
        while self.world.hub.drain(10):
            pass
        assert newcomer.closed is not None
        assert newcomer.closed[0] == 1012
        assert newcomer.heard == []


class VacancyTest(TakeoverTestCase):
    """The holder leaves meanwhile: the first newcomer gets what it held."""

    def test_goodbye(self) -> None:
        first, second = self.newcomer(), self.newcomer(THIRD)
        self.home.goodbye()
        assert first.heard == REGISTERED
        assert self.client.heard == [{"type": "peer-disconnected"}]
        first.pong()
        self.assert_refused(second)
        assert takeovers(self.world) == ["won by vacancy", "refused: holder lives"]

    def test_break(self) -> None:
        newcomer = self.newcomer()
        self.home.breaks()
        assert newcomer.types() == ["registered", "client-disconnected", "client-connected"]
        assert self.client.heard == []

    def test_telling_its_client_fails(self) -> None:
        """A fault of this server costs the newcomer nothing."""
        newcomer = self.newcomer()
        self.patch(self.client, "send", lambda message: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.home.goodbye)
        assert newcomer.heard == REGISTERED
