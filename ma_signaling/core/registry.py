"""Who holds which Remote ID: registering, loss and grace; ``takeover`` has those who want what another one holds.

Never two holders, and never a newcomer without an answer. The rules are those of *Takeover* and *Loss and grace* in
docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.access import Access
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.elsewhere import Announcements, Claims
from ma_signaling.core.ending import RESTART, Closer, Meaning, closed
from ma_signaling.core.errors import NOT_ALLOWED, RESTARTING, CloseCode
from ma_signaling.core.events import Event, Report
from ma_signaling.core.evicted import Evicted
from ma_signaling.core.expected_homes import ExpectedHomes
from ma_signaling.core.home import Held, Home, HomeState
from ma_signaling.core.peer import ClientAddress, Clock
from ma_signaling.core.seniority import TENURE, Seniority
from ma_signaling.core.session_trace import End
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.takeover import Takeovers


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
    ) -> None:
        self._settings = settings
        self._access = access
        self._clock = clock
        self._report = report
        self._sessions = sessions
        self._closer = closer
        self._announcements = announcements
        self._claims = claims
        self._homes: dict[str, Home] = {}
        self.evicted = Evicted(sessions)
        """Homes whose sessions wait for the return of somebody who lost the Remote ID."""
        self.takeovers = Takeovers(settings, clock, report, closer, self)
        self.seniority = Seniority(settings.remembered_addresses)
        self._held = Held()
        self.expected = ExpectedHomes()
        self.online = 0
        """How many homes are connected to this node."""

    def find(self, remote_id: str) -> Home | None:
        """The home with this Remote ID, connected or expected back."""
        return self._homes.get(remote_id)

    def held_by(self, connection: Connection) -> Home | None:
        """Return the home whose Remote ID this connection holds."""
        return None if connection.remote_id is None else self._homes[connection.remote_id]

    def register(self, connection: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Make ``connection`` the holder of ``remote_id``, at once or when a check allows it; it is answered.

        It waits for one verdict at a time: asking for another Remote ID withdraws what it asked for before.
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
            self._closer.end(connection, closed(CloseCode.POLICY, NOT_ALLOWED.text, NOT_ALLOWED))
            return
        if connection.claim not in (None, remote_id):
            self._withdraw(connection)
        connection.take_role(Role.HOME)
        home = self._homes.get(remote_id)
        if home is not None and home.connection is connection:
            if ice_servers is not None:
                home.keep_ice_servers(ice_servers)
                self._announcements.refreshed(home)
            connection.peer.send(messages.registered(remote_id))
        elif self._claims.is_reachable and (home is None or home.state is not HomeState.LOCAL):
            self.takeovers.wait(connection, remote_id, ice_servers)
            self._claims.claim(remote_id, connection)
        else:
            self.contend(connection, remote_id, ice_servers)

    def contend(self, newcomer: Connection, remote_id: str, ice_servers: bytes | None) -> None:
        """Give ``newcomer``, here or elsewhere, what nobody or another one holds here, if it may have it."""
        home = self._homes.get(remote_id)
        if home is None or home.connection is None:
            self.grant(newcomer, remote_id, ice_servers)
        elif (right := self._right(newcomer, home)) is not None:
            self._replace(home, newcomer, ice_servers, right)
        else:
            self.takeovers.challenge(home, home.connection, newcomer, ice_servers)

    # What other nodes say

    def expect(self, remote_id: str, asker: ClientAddress) -> Home:
        """A home that is unknown here, for its clients to wait until the other nodes have been asked."""
        home = self._homes[remote_id] = Home(remote_id, asker, self._clock.seconds(), self._held)
        return home

    def award(self, newcomer: Connection, *, evicting: bool = False) -> None:
        """No other node holds what ``newcomer`` waits for: it gets it.

        ``evicting``: its holder elsewhere gave no sign of life, so that its sessions wait for its return.
        """
        assert newcomer.claim is not None
        remote_id = newcomer.claim
        home = self._homes.get(remote_id)
        if home is not None and evicting and home.state is not HomeState.LOOKED_UP:
            self.evict(home)
        ice_servers = self.takeovers.release(newcomer)
        self.grant(newcomer, remote_id, ice_servers, evicting=evicting)

    def moved(
        self, holder: Connection, remote_id: str, ice_servers: bytes | None, *, evicting: bool = False
    ) -> Home:
        """``holder``, on another node, holds a Remote ID; the sessions here go on with it, unless ``evicting``."""
        home = self._homes.get(remote_id)
        if home is not None and home.state is HomeState.LOCAL:
            self._surrender(home)
        if home is not None and evicting and home.state is not HomeState.LOOKED_UP:
            self.evict(home)
        self.grant(holder, remote_id, ice_servers)
        return self._homes[remote_id]

    def _surrender(self, home: Home) -> None:
        """Close the holder here, for a better one elsewhere; not with 4000, for it may well be the owner."""
        self.takeovers.settle(home.remote_id)
        holder = self._detach(home)
        self._closer.end(holder, closed(CloseCode.RESTARTING, RESTARTING.text))

    def forget(self, home: Home) -> None:
        """Know nothing of a home that is elsewhere or away, and has no session here."""
        if home.connection is not None:
            self._detach(home)
        home.stop_timer()
        self._drop(home)

    def homes(self) -> Iterator[Home]:
        """All homes: here, elsewhere, and away."""
        return iter(list(self._homes.values()))

    # What connections do

    def connection_gone(self, connection: Connection, meaning: Meaning) -> None:
        """A connection has ended: withdraw its claim, and vacate the home that it held."""
        try:
            self._withdraw(connection)
        finally:
            home = self.held_by(connection)
            if home is not None:
                self._vacate(home, meaning)

    def _withdraw(self, connection: Connection) -> None:
        remote_id = connection.claim
        self.takeovers.withdraw(connection)
        if remote_id is not None and not connection.is_remote:
            self._claims.withdraw(remote_id, connection)

    def enforce_access(self) -> None:
        """Forget the homes that are away and may not come back; who is connected is closed by the hub."""
        for home in list(self._homes.values()):
            if home.connection is None and not self._access.may_register(home.remote_id):
                home.stop_timer()
                self._dissolve(home, End.HOME_LOST)
        for home in self.evicted:
            if not self._access.may_register(home.remote_id):
                self.evicted.expire(home)

    def drain(self) -> None:
        """This server is going down: nobody registers any more, nor loses a Remote ID.

        Whoever is away can't come back to this server, so no grace time ends; no check comes to a verdict.
        """
        for home in chain(self._homes.values(), self.evicted):
            home.stop_timer()
        for remote_id, newcomer in self.takeovers.drain():
            if not newcomer.is_remote:
                self._claims.withdraw(remote_id, newcomer)

    def snapshot(self, wall: float) -> bytes:
        """Who is senior, the present holders included, for ``restore`` after a restart."""
        now = self._clock.seconds()
        for home in self._homes.values():
            if home.state is HomeState.LOCAL:
                self.seniority.note(home.remote_id, home.owner, home.held_since, now)
        return self.seniority.snapshot(now, wall)

    def restore(self, data: bytes, wall: float) -> None:
        """Remember who was senior. Raises ValueError."""
        self.seniority.restore(data, self._clock.seconds(), wall)

    # Granting

    def _right(self, newcomer: Connection, home: Home) -> str | None:
        """By what right ``newcomer`` gets it without a check: an owner who restarts, or the senior who returns."""
        if newcomer.address.is_surely(home.owner):
            return "address"
        now = self._clock.seconds()
        is_young = now - home.held_since < TENURE
        if is_young and self.seniority.is_senior(home.remote_id, newcomer.address, now):
            return "seniority"
        return None

    def grant(
        self,
        connection: Connection,
        remote_id: str,
        ice_servers: bytes | None,
        *,
        evicting: bool = False,
        replacing: bool = False,
    ) -> None:
        """Make ``connection`` the holder of a Remote ID that no other connection holds.

        ``evicting``: it was taken from another holder; ``replacing``: together with the sessions, which is reported.
        """
        held = self.held_by(connection)
        if held is not None:
            self._vacate(held, Meaning.GOODBYE)
        self.expected.discard(remote_id)
        home = self._homes.get(remote_id) or self.expect(remote_id, connection.address)
        was_known = home.state is not HomeState.LOOKED_UP
        if home.connection is not None:
            self._detach(home)
        if not was_known or not connection.address.is_surely(home.owner):
            home.owner, home.held_since = connection.address, self._clock.seconds()
        home.connect(connection)
        home.keep_ice_servers(ice_servers)
        if not connection.is_remote:
            self.online += 1
            if not replacing:
                event = Event.HOME_RETURNED if was_known else Event.HOME_REGISTERED
                self._report(event, connection=connection.id, address=connection.address, remote_id=remote_id)
        connection.peer.send(messages.registered(remote_id))
        buffered = self.evicted.adopt(home) + home.take_held()
        self._announcements.granted(home, evicting=evicting, is_new=not was_known)
        for session in self._sessions.of(home):
            self._sessions.home_connected(session, is_first=not was_known)
        for message in buffered:
            home.forward(*message)

    # Takeover

    def _replace(self, home: Home, newcomer: Connection, ice_servers: bytes | None, right: str) -> None:
        """Give a held Remote ID, with its sessions, to ``newcomer`` at once."""
        holder = self._detach(home)
        self._report(Event.HOME_REPLACED, connection=newcomer.id, remote_id=home.remote_id, right=right)
        self._closer.end(holder, closed(CloseCode.REPLACED, "Replaced by new connection"))
        self.takeovers.withdraw(newcomer)
        self.grant(newcomer, home.remote_id, ice_servers, replacing=True)
        self.takeovers.settle(home.remote_id)

    def evict(self, home: Home) -> Connection | None:
        """Take a home from its holder, who is returned; its sessions wait for the holder's return."""
        holder = None if home.connection is None else self._detach(home)
        home.evict()
        self._drop(home)
        if self._sessions.of(home):
            self.evicted.add(home)
            self._await_return(home, self._evicted_expired)
        else:
            home.take_held()
        return holder

    # Loss and grace

    def _vacate(self, home: Home, meaning: Meaning) -> None:
        """The holder is gone, or holds another Remote ID now."""
        holder = self._detach(home)
        if meaning is Meaning.RESTART:
            self._announcements.vacated(home, holder, goodbye=False)
            return
        over = meaning is Meaning.GOODBYE or self._settings.grace == 0
        try:
            if not holder.is_remote:
                event = Event.HOME_LEFT if over else Event.HOME_LOST
                self._report(event, connection=holder.id, remote_id=home.remote_id)
                self._announcements.vacated(home, holder, goodbye=over)
        finally:
            if over:
                self._dissolve(home, End.HOME_LEFT if meaning is Meaning.GOODBYE else End.HOME_LOST)
            else:
                if not holder.is_remote:
                    self.expected.add(home.remote_id, holder.address.key)
                # How a grace ends is told by the node on which it was begun.
                self._await_return(home, self._lost_for_good if holder.is_remote else self._expired)
        if not holder.is_remote:
            self.takeovers.award(home.remote_id)

    def _await_return(self, home: Home, expired: Callable[[Home], None]) -> None:
        if not self._closer.is_draining:
            home.timer = self._clock.callLater(self._settings.grace, expired, home)
        for session in self._sessions.of(home):
            self._sessions.home_lost(session)

    def _expired(self, home: Home) -> None:
        self._report(Event.HOME_EXPIRED, remote_id=home.remote_id)
        self._lost_for_good(home)

    def _lost_for_good(self, home: Home) -> None:
        home.timer = None
        self._dissolve(home, End.HOME_LOST)

    def _dissolve(self, home: Home, end: End) -> None:
        """A home has said goodbye, or as good as."""
        try:
            self._drop(home)
        finally:
            for session in self._sessions.of(home):
                self._sessions.home_left(session, end)
            home.take_held()

    def _evicted_expired(self, home: Home) -> None:
        home.timer = None
        self.evicted.expire(home)

    def _drop(self, home: Home) -> None:
        self.expected.discard(home.remote_id)
        del self._homes[home.remote_id]
        self._announcements.dropped(home)

    def _detach(self, home: Home) -> Connection:
        """Take a home's connection away from it."""
        holder = home.disconnect()
        if not holder.is_remote:
            self.online -= 1
            now = self._clock.seconds()
            if self.seniority.note(home.remote_id, home.owner, home.held_since, now):
                self._announcements.senior(home.remote_id, home.owner)
        return holder
