"""How many proofs are asked for, and who makes way for whom."""

from __future__ import annotations

from unittest import TestCase

from ma_signaling.core.asking_for_proof import Asking
from ma_signaling.core.proofs import Proofs
from ma_signaling.core.prover import MAX_AT_ONCE
from tests.support.fake_prover import FakeProver
from tests.support.memory_hub import World

MUCH = "198.51.100.1"


class ProofsTest(TestCase):
    """Places and starts are shared by address."""

    def setUp(self) -> None:
        self.world = World(proofs_per_minute=300)
        self.prover = FakeProver()
        self.proofs = Proofs(self.world.settings, self.world.clock, self.world.hub._report, self.prover)
        self.failed: list[str] = []

    def ask(self, key: str) -> Asking | None:
        """Ask a new connection, on account of this address, which is named in `failed` if it gives no proof."""
        connection = self.world.connect(key).connection
        return self.proofs.ask(connection, "A" * 26, key, 15, lambda _: self.failed.append(key))

    def fill(self, *keys: str) -> None:
        """Let these addresses, one after the other, take all places."""
        for number in range(MAX_AT_ONCE):
            assert self.ask(keys[number % len(keys)]) is not None

    def test_the_newest_of_the_address_with_most_makes_way(self) -> None:
        self.fill(MUCH)
        assert self.ask("192.0.2.1") is not None
        self.world.advance(0)
        assert self.failed == [MUCH]

    def test_nobody_makes_way_for_one_who_is_refused(self) -> None:
        for _ in range(self.world.settings.proofs_per_minute):
            asking = self.ask(MUCH)
            assert asking is not None
            asking.cancel()
        self.fill(*(f"203.0.{number}.1" for number in range(MAX_AT_ONCE // 2)))
        assert self.ask(MUCH) is None
        self.world.advance(0)
        assert self.failed == []
