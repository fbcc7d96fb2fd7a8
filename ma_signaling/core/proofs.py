"""Asking this node's connections for proofs of possession, within budgets (docs/protocol.md, *Takeover*).

The budgets are shared between addresses. None is for a Remote ID, or strangers would spend its owner's.
"""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.config.settings import Settings
from ma_signaling.core.address_blocks import blocks_of, network_blocks_of
from ma_signaling.core.asking_for_proof import Asking, Stage
from ma_signaling.core.connection import Connection
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.peer import Clock
from ma_signaling.core.prover import MAX_AT_ONCE, Prover
from ma_signaling.core.remote_id import is_fingerprint
from ma_signaling.core.shared_window import SharedWindow
from ma_signaling.core.shares import Shares
from ma_signaling.core.sliding_window import MINUTE
from ma_signaling.core.token_bucket import Allowance

ALLOWANCE = Allowance(20, 200, 64 * 1024, 512 * 1024)
"""What a connection may send in a session that asks it for proof."""

CEILING = 10
"""Addresses below their share may together exceed the proofs per minute by this factor.

So hundreds of strangers can't keep an owner from being asked, and a few of them cost little."""


class _Budget:
    """A budget of proofs, shared between addresses."""

    def __init__(self) -> None:
        self._begun = SharedWindow(MINUTE)
        self.under_way: Shares[Asking] = Shares(MAX_AT_ONCE)

    def admit(self, payer: str, clock: Clock, per_minute: int) -> bool:
        """Charge a proof to the address ``payer``, for which another's may be evicted; return False to refuse it."""
        blocks, now = blocks_of(payer), clock.seconds()
        # Checked first, so that nothing is evicted for one that is refused.
        if self._begun.wait(blocks, now, per_minute, CEILING * per_minute) > 0:
            return False
        if not self.under_way.has_room():
            other = self.under_way.make_way(network_blocks_of(payer))
            if other is None:
                return False
            # Not now: its contest may be the caller.
            clock.callLater(0, other.fail, "it made way for a proof of another address")
        self._begun.add(blocks, now)
        return True


class Proofs:
    """Asks connections for proof, each for one at a time.

    Asking a holder is charged to the newcomer's address, but from another budget than asking the newcomer.
    """

    def __init__(self, settings: Settings, clock: Clock, report: Report, prover: Prover) -> None:
        self._settings = settings
        self._clock = clock
        self._report = report
        self._prover = prover
        self.of_newcomers = _Budget()
        self.of_holders = _Budget()

    def can_be_had(self, remote_id: str) -> bool:
        """Return whether this node can now ask for proof of a Remote ID."""
        return is_fingerprint(remote_id) and self._prover.obstacle is None

    def ask(
        self,
        connection: Connection,
        remote_id: str,
        payer: str,
        seconds: float,
        ended: Callable[[str | None], None],
    ) -> Asking | None:
        """Ask for proof of a Remote ID, charged to the address ``payer``; return None if that can't be done now.

        ``ended`` is called as in ``Asking``. If the connection is being asked for another Remote ID, that proof fails.
        """
        if not self.can_be_had(remote_id):
            return None
        budget = self.of_holders if connection.remote_id == remote_id else self.of_newcomers
        if not budget.admit(payer, self._clock, self._settings.proofs_per_minute):
            self._report(Event.LIMIT_HIT, limit=Limit.PROOFS)
            return None
        if connection.asking is not None:
            connection.asking.fail("it wants another Remote ID")
        connection.asking = Asking(
            remote_id, connection.peer, self._prover, self._clock, ALLOWANCE, seconds, ended
        )
        connection.asking.place = budget.under_way.take(network_blocks_of(payer), connection.asking)
        return connection.asking

    @staticmethod
    def is_asking(connection: Connection) -> bool:
        """Return whether a connection is being asked for proof."""
        return connection.asking is not None and connection.asking.stage is not Stage.ENDED
