"""Proofs of possession that this node asks its connections for, and how many (docs/protocol.md, *Takeover*).

The budgets are shared by address. There is none for a Remote ID, or strangers would spend its owner's.
"""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.config.settings import Settings
from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.connection import Connection
from ma_signaling.core.events import Event, Report
from ma_signaling.core.peer import Clock
from ma_signaling.core.proof import MAX_AT_ONCE, Prover
from ma_signaling.core.proof_session import Asking, Stage
from ma_signaling.core.remote_id import is_fingerprint
from ma_signaling.core.shared_window import SharedWindow
from ma_signaling.core.shares import Path, Shares
from ma_signaling.core.sliding_window import MINUTE
from ma_signaling.core.token_bucket import Allowance

ALLOWANCE = Allowance(20, 200, 64 * 1024, 512 * 1024)
"""What a connection may send in the session that asks it for proof."""


class Proofs:
    """Asks connections for proof, one at a time of each."""

    def __init__(self, settings: Settings, clock: Clock, report: Report, prover: Prover) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._prover = prover
        self._begun = SharedWindow(MINUTE)
        self._under_way: Shares[Asking] = Shares(MAX_AT_ONCE)

    def can_be_had(self, remote_id: str) -> bool:
        """Return whether a Remote ID can be proved, here and now."""
        return is_fingerprint(remote_id) and self._prover.obstacle is None

    def ask(
        self,
        connection: Connection,
        remote_id: str,
        payer: str,
        seconds: float,
        ended: Callable[[str | None], None],
    ) -> Asking | None:
        """Ask for proof of a Remote ID, on account of the address ``payer``; return None if it can't be asked now.

        ``ended`` is called as ``Asking`` has it. A connection that is being asked for another one has failed there.
        """
        if not self.can_be_had(remote_id):
            return None
        blocks = blocks_of(payer)
        if not self._admit(blocks):
            self._report(Event.LIMIT_HIT, limit="proofs")
            return None
        if connection.asking is not None:
            connection.asking.fail("it wants another Remote ID")
        connection.asking = Asking(
            remote_id, connection.peer, self._prover, self._clock, ALLOWANCE, seconds, ended
        )
        connection.asking.place = self._under_way.take(blocks, connection.asking)
        return connection.asking

    def _admit(self, blocks: Path) -> bool:
        """Count a proof on account of an address, for which another one may make way; False: it may ask for none."""
        now, most = self._clock.seconds(), self._settings.proofs_per_minute
        # First, so that nobody makes way for one who is refused.
        if self._begun.wait(blocks, now, most, 2 * most) > 0:
            return False
        if not self._under_way.has_room():
            other = self._under_way.make_way(blocks)
            if other is None:
                return False
            other.fail("it made way for a proof of another address")
        self._begun.add(blocks, now)
        return True

    @staticmethod
    def is_asking(connection: Connection) -> bool:
        """Return whether a connection is being asked."""
        return connection.asking is not None and connection.asking.stage is not Stage.ENDED
