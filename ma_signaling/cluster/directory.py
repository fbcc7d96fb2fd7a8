"""Which node holds which Remote ID: this node's registrations, and the homes of other nodes that matter here.

Nothing is stored: a node subscribes to the subject of each home that it holds. A node that asks there for a home that
no node holds learns from NATS immediately that there is no subscriber.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ma_signaling.cluster.bus import home_subject, watch_subject
from ma_signaling.cluster.claim_states import Heard, OwnClaims
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.messages.registrations import (
    Arrived,
    Away,
    Held,
    Holder,
    Left,
    LookUp,
    Lost,
    Outdated,
    Registered,
    Registration,
    WaitForProof,
)
from ma_signaling.cluster.questions import HolderQuestions, OnlineTold
from ma_signaling.cluster.registrations import (
    REPEAT_SECONDS,
    LatestTerms,
    Registrations,
)
from ma_signaling.cluster.remote_home import Messages, RemoteHome
from ma_signaling.core.contest import WonBy
from ma_signaling.core.ending import BREAK, GOODBYE
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.run_all import run_all

VERIFY_SECONDS = REPEAT_SECONDS + 5.0
"""After so many seconds without news about a home of another node, that node is asked whether it still holds it."""


class Directory:
    """The homes of this node, and those elsewhere that matter here (implements ``other_nodes.Directory``)."""

    is_clustered = True

    def __init__(self, context: Context, unsure_for: Callable[[], float]) -> None:
        self._context = context
        self.unsure_for = unsure_for
        self._remote_homes: dict[str, RemoteHome] = {}
        self._terms = LatestTerms()
        self.registrations = Registrations(context, self._terms)
        self._questions = HolderQuestions(context, self._unknown, unsure_for)
        self._watched: set[str] = set()
        """Remote IDs of the homes in the registry that are elsewhere or away."""
        self.messages: Messages
        self.claims: OwnClaims
        context.on(LookUp, self._on_look_up)
        context.on_bodies(Holder, self._on_holder)
        context.on(Away, self._on_away)
        context.on_bodies(Registered, self._on_registered)
        context.on(Arrived, self._on_arrived)
        context.on(WaitForProof, self._on_wait_for_proof)
        context.on(Lost, self._on_gone)
        context.on(Left, self._on_gone)

    # Questions

    def look_up(self, remote_id: str) -> None:
        """Implements ``other_nodes.Directory.look_up``."""
        self.ask_online(remote_id, None)

    def ask_online(self, remote_id: str, told: OnlineTold | None) -> None:
        """Implements ``other_nodes.Directory.ask_online``."""
        # Even if nobody can be asked now: ``tend`` asks again later, or forgets the home.
        self.sync(remote_id)
        self._questions.ask(remote_id, told)

    def _unknown(self, remote_id: str) -> None:
        if remote_id not in self.claims:
            self._context.hub.lookups.not_found(remote_id)

    def _on_look_up(self, message: LookUp) -> None:
        remote_id = message.remote_id
        home = self._context.hub.registry.find(remote_id)
        if home is not None and home.state is HomeState.LOCAL:
            self.registrations.answer(message.sender, message.question, home)
        elif remote_id not in self.claims:
            self._context.send(message.sender, Away(question=message.question))
        else:
            # No answer, since a node that claims a Remote ID doesn't know who holds it. The holder's node answers.
            self.claims.asked_for(remote_id)

    def _on_away(self, message: Away) -> None:
        remote_id = self._questions.answered(message.question, connected=False)
        if remote_id is not None:
            self._context.hub.lookups.found_away(remote_id)

    def _on_holder(self, message: Holder, bodies: list[bytes]) -> None:
        self._questions.answered(message.question, connected=True)
        self._note_holder(message, bodies)

    # Homes of this node

    def granted(self, home: Home) -> None:
        """Announce that a connection here holds a Remote ID: later, with others, if no node has asked for it."""
        self.registrations.begin(home)
        self._remote_homes.pop(home.remote_id, None)
        self.sync(home.remote_id)
        if self.claims.is_unheard(home.remote_id):
            self.registrations.announce_later(home.remote_id)
        else:
            self.registrations.announce(home)

    def wait_for_proof(self, home: Home) -> None:
        """Implements ``other_nodes.Announcements.wait_for_proof``."""
        holder = self._remote_homes.get(home.remote_id)
        if holder is not None:
            self._context.send(holder.node, WaitForProof(remote_id=home.remote_id))

    def _on_wait_for_proof(self, message: WaitForProof) -> None:
        home = self._context.hub.registry.find(message.remote_id)
        if home is None or home.state is not HomeState.LOCAL:
            return
        assert home.connection is not None
        if home.connection.proof is not None:
            self.registrations.announce(home)
        else:
            self._context.hub.registry.grace.ask(home)

    # Homes of other nodes

    def remote_home(self, remote_id: str) -> RemoteHome | None:
        """Return the connection of another node that holds a Remote ID, or None."""
        return self._remote_homes.get(remote_id)

    def remote_homes(self) -> list[RemoteHome]:
        """Return all connections of other nodes that hold Remote IDs."""
        return list(self._remote_homes.values())

    def make_remote_home(
        self, remote_id: str, node: str, connection: str, address: ClientAddress
    ) -> RemoteHome:
        """Return a new ``RemoteHome`` for the connection of ``node`` that is called ``connection`` there."""
        return RemoteHome(remote_id, node, connection, address, self.messages)

    def granted_elsewhere(self, holder: RemoteHome) -> None:
        """Note that this node's registry now has a connection of another node as the holder of a Remote ID."""
        self.registrations.end(holder.home_id)
        self._remote_homes[holder.home_id] = holder
        holder.heard_at = self._context.clock.seconds()
        self.sync(holder.home_id)

    def _on_registered(self, message: Registered, bodies: list[bytes]) -> None:
        self.claims.tell(message.registration.remote_id, Heard.RIVAL_CAME)
        self._note_holder(message, bodies)

    def _on_arrived(self, message: Arrived) -> None:
        is_known = self._context.hub.registry.find
        for remote_id in message.remote_ids:
            if remote_id in self.claims:
                self.claims.tell(remote_id, Heard.RIVAL_CAME)
            if is_known(remote_id):
                self.look_up(remote_id)

    def _note_holder(self, message: Held, bodies: list[bytes]) -> None:
        theirs, remote_id = message.registration, message.registration.remote_id
        home, known = self._context.hub.registry.find(remote_id), self._remote_homes.get(remote_id)
        if home is None:
            return
        if known is not None and not known.is_of(theirs.node, theirs.connection):
            known = None
        if home.state is HomeState.LOCAL:
            self._settle_conflict(home, theirs)
        elif known is not None and home.connection is not None:
            self._confirm_holder(known, home, message, bodies)
        elif theirs.term >= self._terms.of(remote_id):
            self._adopt_holder(known, message, bodies)
        else:
            # Old news, or a rival that lost has announced a later term: only the sender knows whether it still holds.
            term = self._terms.of(remote_id)
            outdated = Outdated(remote_id=remote_id, connection=theirs.connection, term=term)
            self._context.send(theirs.node, outdated)

    def _confirm_holder(self, known: RemoteHome, home: Home, message: Held, bodies: list[bytes]) -> None:
        known.heard_at = self._context.clock.seconds()
        self._terms.note(home.remote_id, message.registration.term)
        if message.tells_ice:
            home.keep_ice_servers(next(iter(bodies), None))
        if message.has_proved and home.suspended:
            self._context.hub.registry.resume(known)
        # Its node may have given this node up, and forgotten the sessions here.
        self.messages.attach(known)

    def _adopt_holder(self, known: RemoteHome | None, message: Held, bodies: list[bytes]) -> None:
        registration = message.registration
        remote_id = registration.remote_id
        holder = known or self.make_remote_home(
            remote_id, registration.node, registration.connection, registration.client_address
        )
        self._terms.note(remote_id, registration.term)
        how = WonBy.PROOF if message.has_proved else None
        self._context.hub.lookups.found(remote_id)
        self._context.hub.registry.grant(holder, remote_id, next(iter(bodies), None), how)
        if not message.tells_ice:
            self.look_up(remote_id)

    def _settle_conflict(self, home: Home, theirs: Registration) -> None:
        """Two nodes hold a Remote ID: that of the elder registration decides, as if the younger holder came now."""
        mine = self.registrations.get(home.remote_id)
        assert mine is not None
        if theirs.is_elder_than(mine):
            assert home.connection is not None
            self._context.hub.registry.contests.dispute(home, home.connection)
        elif not home.is_disputed and not self._context.hub.is_draining:
            # A disputed holder must not insist: of several holders, the younger ones would raise the term without end.
            self.registrations.insist(home, theirs.term)

    def _on_gone(self, message: Lost | Left) -> None:
        holder = self._remote_homes.get(message.remote_id)
        if holder is not None and holder.is_of(message.sender, message.connection):
            self.lose(holder, goodbye=isinstance(message, Left))

    def lose(self, holder: RemoteHome, *, goodbye: bool = False) -> None:
        """End a connection of another node here; the grace time of its home begins, except after a goodbye."""
        if self._remote_homes.get(holder.home_id) is holder:
            del self._remote_homes[holder.home_id]
        self._context.hub.end(holder, GOODBYE if goodbye else BREAK)

    def lose_node(self, node: str | None) -> None:
        """End all connections of a node that is gone, or (None) of all nodes."""
        lost = [holder for holder in self.remote_homes() if node in (None, holder.node)]
        run_all(partial(self.lose, holder) for holder in lost)

    # Upkeep

    def dropped(self, home: Home) -> None:
        """Forget a home that the registry has forgotten."""
        # Later, since within the same call the home may be registered again, or enter the registry in another state.
        self._context.clock.callLater(0, self._forget, home.remote_id)

    def _forget(self, remote_id: str) -> None:
        if self._context.hub.registry.find(remote_id) is None:
            self.registrations.forget(remote_id)
            self._terms.forget(remote_id)
            self._remote_homes.pop(remote_id, None)
        self.sync(remote_id)

    def sync(self, remote_id: str) -> None:
        """Subscribe to the subjects of a Remote ID that its state calls for, and unsubscribe from the others."""
        registry = self._context.hub.registry
        home = registry.find(remote_id)
        is_here = home is not None and home.state is HomeState.LOCAL
        is_expected = home is not None and home.state is HomeState.AWAY
        self._context.subscribe(home_subject(remote_id), is_here or is_expected or remote_id in self.claims)
        is_watched = not is_here and home is not None
        self._context.subscribe(watch_subject(remote_id), is_watched)
        if is_watched:
            self._watched.add(remote_id)
        else:
            self._watched.discard(remote_id)

    def tend(self) -> None:
        """Look up homes again that are away, and forget those elsewhere without sessions here."""
        run_all(partial(self._tend_to, remote_id) for remote_id in list(self._watched))

    def _tend_to(self, remote_id: str) -> None:
        home = self._context.hub.registry.find(remote_id)
        if home is None:
            self.sync(remote_id)
        elif self._is_idle(home):
            self._context.hub.registry.forget(home)
        elif not self._context.bus.is_up:
            return
        elif home.connection is None and self._has_sessions(home) and remote_id not in self.claims:
            self.look_up(remote_id)
        else:
            self._verify(remote_id)

    def _verify(self, remote_id: str) -> None:
        """Ask another node whether it still holds a home: the news that the home has left may have been lost."""
        holder, now = self._remote_homes.get(remote_id), self._context.clock.seconds()
        if holder is not None and now - holder.heard_at >= VERIFY_SECONDS:
            holder.heard_at = now
            self.messages.attach(holder, always=True)

    def _is_idle(self, home: Home) -> bool:
        is_elsewhere = home.state in (HomeState.REMOTE, HomeState.LOOKED_UP, HomeState.AWAY_ELSEWHERE)
        return is_elsewhere and not self._has_sessions(home)

    def _has_sessions(self, home: Home) -> bool:
        return bool(self._context.hub.sessions.of(home))

    def down(self) -> None:
        """Give up all questions and all holders on other nodes, since the bus is down."""
        run_all((self._questions.give_up, partial(self.lose_node, None)))
