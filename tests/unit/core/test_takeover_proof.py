"""Takeover where proof can be had: a Remote ID belongs to whoever holds the key of its certificate."""

from __future__ import annotations

from ma_signaling.core.events import Event
from tests.support.takeover_case import OWNER, PROVABLE, STRANGER, THIRD, ProvableTestCase, takeovers

REGISTERED = {"type": "registered", "remoteId": PROVABLE}


class HolderTest(ProvableTestCase):
    """The holder is asked first."""

    def test_it_proves_itself(self) -> None:
        newcomer = self.newcomer()
        self.asked(self.home).asked.proved()
        self.assert_refused(newcomer)
        assert newcomer.types() == ["error"]
        assert self.home.types() == ["client-connected", "client-disconnected"]
        assert self.home.is_there
        assert takeovers(self.world) == ["refused: holder proved"]

    def test_a_proof_counts_for_ten_minutes(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.proved()
        self.home.forget()
        self.world.advance(599)
        second = self.newcomer()
        assert self.home.heard == []
        assert second.heard == []
        self.lives()
        self.assert_refused(second)
        self.world.advance(1)
        self.newcomer()
        assert self.home.types() == ["client-connected"]

    def test_a_proof_of_a_silent_holder_counts_for_nothing(self) -> None:
        """Its connection has broken without a word."""
        self.newcomer()
        self.asked(self.home).asked.proved()
        self.world.advance(1)
        newcomer = self.newcomer()
        self.world.advance(5)
        assert newcomer.heard[0] == REGISTERED

    def test_a_proof_counts_on_its_connection(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.proved()
        self.home.goodbye()
        squatter = self.newcomer()
        owner = self.newcomer(OWNER)
        squatter.pong()
        assert owner.is_there

    def test_its_failure_is_no_evidence(self) -> None:
        newcomer = self.newcomer()
        self.asked(self.home).asked.failed("no answer")
        self.lives()
        self.world.advance(10)
        self.asked(newcomer).asked.failed("no answer")
        self.assert_refused(newcomer)
        assert self.home.is_there

    def test_it_is_asked_once_a_contest(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.failed("no answer")
        self.newcomer(THIRD)
        assert len(self.prover.proofs) == 1

    def test_it_moves_to_another_id(self) -> None:
        newcomer = self.newcomer()
        self.home.say("register-server", remoteId="ELSEWHERE")
        assert newcomer.heard == [REGISTERED]
        assert self.prover.proofs[0].is_cancelled
        assert self.home.heard[-1] == {"type": "registered", "remoteId": "ELSEWHERE"}

    def test_a_proof_counts_for_its_id(self) -> None:
        """A stranger proves its own, where an accomplice has it asked, and takes another one that is free."""
        own = "B" * 26
        squatter = self.world.home(own, STRANGER)
        self.world.connect(THIRD).say("register-server", remoteId=own)
        self.asked(squatter).asked.proved()
        self.home.breaks()
        squatter.say("register-server", remoteId=PROVABLE)
        assert squatter.heard_of("registered") == [REGISTERED]
        squatter.forget()
        self.world.advance(1)
        owner = self.newcomer(OWNER)
        self.lives(squatter)
        assert owner.is_there
        self.asked(squatter).asked.failed("another certificate")
        self.world.advance(10)
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]


class NewcomersTest(ProvableTestCase):
    """Newcomers are asked when the holder has proved nothing for 10 s."""

    def test_the_owner_displaces_a_living_squatter(self) -> None:
        squatter, _, owner = self.sides()
        self.asked(owner).asked.proved()
        assert squatter.closed == (1013, "Remote ID went to another server that holds its key")
        assert owner.types()[:3] == ["client-connected", "client-disconnected", "registered"]
        assert takeovers(self.world) == ["won by proof", "refused: another newcomer won"]

    def test_each_fails_by_itself(self) -> None:
        squatter, accomplice, owner = self.sides()
        self.asked(accomplice).asked.failed("another certificate")
        self.assert_refused(accomplice)
        assert accomplice.types() == ["client-connected", "client-disconnected", "error"]
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]
        assert not squatter.is_there

    def test_how_long_others_make_the_owner_wait(self) -> None:
        """All are asked at once: it waits for one round at most."""
        for number in range(200):
            self.newcomer(f"198.51.{number}.1")
        first = self.newcomer("192.0.2.77")
        self.lives()
        self.world.advance(10)
        second = self.newcomer("192.0.2.78")
        for number in range(200):
            self.newcomer(f"198.18.{number}.1")
        assert self.asked(first)
        self.world.advance(15)
        self.asked(second).asked.proved()
        assert second.heard_of("registered") == [REGISTERED]

    def test_more_addresses_than_can_be_asked_at_once(self) -> None:
        """Whoever is left over is asked next, before all who have come since."""
        for number in range(300):
            self.newcomer(f"198.{18 + number % 2}.{number // 2}.1")
        owner = self.newcomer("192.0.2.77")
        self.lives()
        self.world.advance(10)
        for number in range(300):
            self.newcomer(f"198.{51 + number % 2}.{number // 2}.1")
        assert owner.heard == []
        self.world.advance(15)
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]

    def test_many_addresses_of_one_network_keep_nobody_out(self) -> None:
        """Where all places are taken, an address of another network gets that of one."""
        for number in range(300):
            self.newcomer(f"198.51.{number % 2}.{number // 2}")
        owner = self.newcomer("192.0.2.77")
        self.lives()
        self.world.advance(10)
        self.world.advance(0)
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]

    def test_no_proof_in_time(self) -> None:
        home, *newcomers = self.sides()
        self.world.advance(14.9)
        assert all(newcomer.is_there for newcomer in newcomers)
        self.world.advance(0.1)
        self.assert_refused(*newcomers)
        assert home.is_there
        assert takeovers(self.world) == ["refused: no proof"] * 2

    def test_who_failed_waits(self) -> None:
        """And whoever has the same address; nobody else."""
        self.sides()
        self.world.advance(15)
        again, other = self.newcomer(THIRD), self.newcomer("203.0.113.3")
        self.lives()
        self.assert_refused(again)
        assert other.is_there
        self.world.advance(60)
        late = self.newcomer(THIRD)
        self.lives()
        assert late.is_there

    def test_budget(self) -> None:
        """Shared by address: who has asked for much leaves something for others."""
        self.world.settings.proofs_per_minute = 2
        for _ in range(3):
            self.newcomer().goodbye()
            self.world.advance(5)
        assert len(self.prover.proofs) == 2
        owner = self.newcomer(OWNER)
        self.lives()
        self.world.advance(10)
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]

    def test_a_proof_of_a_newcomer_counts_for_nothing_later(self) -> None:
        """It may have been somebody else's, through the holder that it displaced."""
        *_, owner = self.sides()
        self.asked(owner).asked.proved()
        self.newcomer(STRANGER)
        self.lives(owner)
        assert owner.heard[-1]["type"] == "client-connected"

    def test_two_servers_with_one_certificate_are_said_once_a_day(self) -> None:
        def displaced() -> None:
            newcomer = self.newcomer(f"203.0.113.{len(self.world.events)}")
            self.lives()
            self.world.advance(10)
            self.asked(newcomer).asked.proved()
            assert not self.home.is_there
            self.home = newcomer

        displaced()
        assert Event.CERTIFICATE_SHARED not in self.world.reported()
        displaced()
        displaced()
        assert self.world.reported().count(Event.CERTIFICATE_SHARED) == 1
        self.world.advance(24 * 3600)
        displaced()
        assert self.world.reported().count(Event.CERTIFICATE_SHARED) == 2


class EntangledTest(ProvableTestCase):
    """Two homes that want each other's Remote ID."""

    def test_refusing_the_last_newcomer_gives_the_holder_what_it_wants(self) -> None:
        other = self.world.home("B" * 26, STRANGER)
        other.say("register-server", remoteId=PROVABLE)
        self.home.say("register-server", remoteId="B" * 26)
        other.pong()
        self.world.advance(10)
        proof = next(proof for proof in self.prover.proofs if proof.asked is other.connection.asking)
        assert proof.remote_id == PROVABLE
        proof.asked.failed("another certificate")
        self.assert_refused(other)
        assert self.home.heard[-1] == {"type": "registered", "remoteId": "B" * 26}
        assert self.world.hub.counts()["servers"] == 1
        assert not self.world.hub.registry.contests.by_remote_id
