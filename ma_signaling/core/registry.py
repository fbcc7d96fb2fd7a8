"""Who holds which Remote ID; contests between holders and newcomers are in ``takeover``.

Never two holders, and never a newcomer without an answer. The rules are those of *Takeover* in docs/protocol.md.
"""

from __future__ import annotations

from functools import partial

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.access import Access
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.contest import WonBy
from ma_signaling.core.ending import NOT_ALLOWED_HERE, RESTART, Closer, Meaning
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.expected_homes import ExpectedHomes
from ma_signaling.core.grace import Grace
from ma_signaling.core.held_bytes import MAX_BYTES_IN_ALL, Forget, HomeBytes
from ma_signaling.core.home import Home, HomeState, kept
from ma_signaling.core.other_nodes import Announcements, Claims
from ma_signaling.core.peer import Clock
from ma_signaling.core.proofs import Proofs
from ma_signaling.core.prover import Prover
from ma_signaling.core.session_trace import End
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.shares import Shares
from ma_signaling.core.takeover import Contests


class Registry:
    """The homes by Remote ID: those that are connected, and those that are expected back."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        access: Access,
        sessions: Sessions,
        closer: Closer,
        announcements: Announcements,
        claims: Claims,
        prover: Prover,
    ) -> None:
        self._settings = settings
        self._access = access
        self._report = report
        self._closer = closer
        self._announcements = announcements
        self._claims = claims
        self._clock = clock
        self._homes: dict[str, Home] = {}
        self._proofs = Proofs(settings, clock, report, prover)
        self.contests = Contests(settings, clock, report, closer, self, sessions, self._proofs, claims)
        self.grace = Grace(
            settings,
            clock,
            report,
            sessions,
            closer,
            self._proofs,
            announcements,
            self.contests.ask_holder,
            self._drop,
        )
        self._held_bytes: Shares[Forget] = Shares(MAX_BYTES_IN_ALL)
        self._make_held_bytes = partial(HomeBytes, self._held_bytes, sessions.evicted)
        self.expected = ExpectedHomes()
        self.online = 0
        """How many homes are connected to this node."""

    def find(self, remote_id: str) -> Home | None:
        """Return the home with this Remote ID, connected or expected back."""
        return self._homes.get(remote_id)

    def homes(self) -> list[Home]:
        """Return all homes: connected here or elsewhere, and away."""
        return list(self._homes.values())

    def held_by(self, connection: Connection) -> Home | None:
        """Return the home whose Remote ID this connection holds."""
        return None if connection.remote_id is None else self._homes[connection.remote_id]

    def register(self, connection: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Make ``connection`` the holder of ``remote_id``, immediately or if a contest decides so, and answer it.

        A connection waits for one verdict at a time: registering another Remote ID withdraws the earlier claim.
        """
        if self._closer.is_draining:
            self._closer.end(connection, RESTART)
            return
        if not self._access.may_register(remote_id):
            self._report(
                Event.HOME_NOT_ALLOWED,
                connection=connection.id,
                address=connection.address,
                remote_id=remote_id,
            )
            self._closer.end(connection, NOT_ALLOWED_HERE)
            return
        if connection.claim not in (None, remote_id):
            self.contests.withdraw(connection)
        connection.take_role(Role.HOME)
        has_list = ice_servers is not None
        # Bounded, since many newcomers may wait for long.
        ice_servers = kept(ice_servers)
        home = self._homes.get(remote_id)
        if home is not None and home.connection is connection:
            if has_list:
                home.keep_ice_servers(ice_servers)
                self._announcements.refreshed(home)
            connection.peer.send(messages.registered(connection.spelling or remote_id))
        elif connection.claim is not None:
            if has_list:
                self.contests.newcomers[connection].ice_servers = ice_servers
        elif self._claims.is_reachable and (home is None or home.state is not HomeState.LOCAL):
            self.contests.claim(connection, remote_id, ice_servers)
        else:
            self.contend(connection, remote_id, ice_servers)

    def contend(self, newcomer: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Grant ``newcomer`` a Remote ID that nobody holds here, or let it contend with the holder."""
        home = self._homes.get(remote_id)
        if home is None or home.connection is None:
            self.grant(newcomer, remote_id, ice_servers)
        else:
            self.contests.challenge(home, home.connection, newcomer, ice_servers)

    # What other nodes say

    def add(self, remote_id: str) -> Home:
        """Add and return a home that was unknown here: its clients wait while other nodes are asked."""
        home = self._homes[remote_id] = Home(remote_id, self._make_held_bytes)
        return home

    def await_first(self, remote_id: str, seconds: float) -> Home:
        """Wait ``seconds`` for a home that hasn't come since this server started, or whose node is missing."""
        home = self._homes.get(remote_id) or self.add(remote_id)
        self.grace.await_first(home, seconds)
        return home

    def award(self, newcomer: Connection, how: WonBy | None) -> None:
        """Give ``newcomer`` what it has claimed; ``how`` it won that from another holder, None if there was none."""
        assert newcomer.claim is not None
        home = self._homes.get(newcomer.claim)
        if home is not None and home.state is HomeState.LOCAL and home.connection is not newcomer:
            self.contend(newcomer, home.remote_id, self.contests.release(newcomer))
        elif how is not None:
            self.contests.newcomers[newcomer].win(how)
        else:
            self.grant(newcomer, newcomer.claim, self.contests.release(newcomer))

    def forget(self, home: Home) -> None:
        """Forget a home that is elsewhere or away, and has no session here."""
        if home.connection is not None:
            self.dispossess(home)
        self.grace.cancel(home)
        self._drop(home)

    # What connections do

    def connection_gone(self, connection: Connection, meaning: Meaning) -> None:
        """Withdraw the claim of a connection that has ended, and vacate the home that it held."""
        try:
            self.contests.withdraw(connection)
        finally:
            home = self.held_by(connection)
            if home is not None:
                self._vacate(home, meaning)

    def enforce_access(self, home: Home) -> None:
        """Forget a home that is away and may no longer register; the hub closes those that are connected."""
        is_away = home.connection is None and self._homes.get(home.remote_id) is home
        if is_away and not self._access.may_register(home.remote_id):
            self.grace.disallow(home)

    def drain(self) -> None:
        """Freeze all homes, since this server is going down: none is registered, and none loses its Remote ID.

        No grace time ends, since no home can come back to this server, and no contest reaches a verdict.
        """
        for home in self._homes.values():
            self.grace.cancel(home)
        self.contests.drain()

    # Granting

    def grant(
        self, connection: Connection, remote_id: str, ice_servers: bytes | None, how: WonBy | None = None
    ) -> Home:
        """Make ``connection``, here or elsewhere, the holder of a Remote ID that no other connection here holds.

        ``how`` it won that from another holder, None if there was none.
        """
        held, has_proved = self.held_by(connection), how is WonBy.PROOF
        if held is not None and held.remote_id == remote_id:
            self._confirm(held, has_proved)
            return held
        if held is not None:
            self._vacate(held, Meaning.GOODBYE)
            if not has_proved:
                # What it has proved was the Remote ID that it held before.
                connection.proof = None
        self.expected.discard(remote_id)
        home = self._homes.get(remote_id) or self.add(remote_id)
        is_first = home.state is HomeState.LOOKED_UP
        event = Event.HOME_REGISTERED if home.timer is None else Event.HOME_RETURNED
        if home.connection is not None:
            self.dispossess(home)
        home.connect(connection)
        home.keep_ice_servers(ice_servers)
        if not connection.is_remote:
            self.online += 1
            about = {"connection": connection.id, "address": connection.address, "remote_id": remote_id}
            self._report(event, **about, told=how is not None)
        connection.peer.send(messages.registered(connection.spelling or remote_id))
        self._announcements.granted(home, is_new=is_first)
        self.grace.returned(home, is_first=is_first, has_proved=has_proved)
        return home

    def _confirm(self, home: Home, has_proved: bool) -> None:
        """Let a holder keep its Remote ID, though another node's holder took precedence."""
        assert home.connection is not None
        if not has_proved:
            # Before the nodes met, the other holder may have given that proof in its place.
            home.connection.proof = None
        self._announcements.confirmed(home)
        if has_proved:
            self.resume(home.connection)

    def resume(self, connection: Connection) -> None:
        """Resume the sessions that waited for this holder's proof."""
        home = self.held_by(connection)
        assert home is not None
        self.grace.proved(home, connection)
        if not connection.is_remote:
            self._announcements.refreshed(home)

    # Loss

    def _vacate(self, home: Home, meaning: Meaning) -> None:
        """Take the Remote ID from a holder that is gone, or holds another one now."""
        holder = self.dispossess(home)
        self.contests.review_offers(home)
        if meaning is Meaning.RESTART:
            self._announcements.vacated(home, holder, goodbye=False)
            return
        try:
            self._leave(home, holder, meaning)
        finally:
            if not holder.is_remote:
                self.contests.vacated(home.remote_id)

    def _leave(self, home: Home, holder: Connection, meaning: Meaning) -> None:
        """Report that a home has lost its holder, and let its sessions wait or end."""
        over = meaning is Meaning.GOODBYE or self._settings.grace == 0
        try:
            if not holder.is_remote:
                event = Event.HOME_LEFT if over else Event.HOME_LOST
                self._report(
                    event,
                    connection=holder.id,
                    remote_id=home.remote_id,
                    lasted=self._clock.seconds() - holder.since,
                    why=holder.why if holder.gone else "registers another Remote ID",
                )
                self._announcements.vacated(home, holder, goodbye=over)
        finally:
            if meaning is Meaning.GOODBYE:
                self.grace.dissolve(home, End.HOME_LEFT)
            elif over:
                self.grace.over(home, ends_parked=True)
            else:
                self.grace.begin(home, is_elsewhere=holder.is_remote)
                if not holder.is_remote:
                    self._expect_back(home.remote_id, holder.address.key)

    def _expect_back(self, remote_id: str, key: str) -> None:
        """Expect a home back; if there are too many, end the grace time of one of the address with most."""
        loser = self.expected.add(remote_id, key)
        if loser is not None:
            self._report(Event.LIMIT_HIT, limit=Limit.HOMES_AWAY)
            self.grace.end_early(self._homes[loser])

    def _drop(self, home: Home) -> None:
        self.expected.discard(home.remote_id)
        del self._homes[home.remote_id]
        self._announcements.dropped(home)

    def dispossess(self, home: Home) -> Connection:
        """Take a Remote ID from its holder, and return the holder."""
        holder = home.disconnect()
        if not holder.is_remote:
            self.online -= 1
        if holder.asking is not None:
            holder.asking.cancel()
        return holder
