"""The outcome that a game in a cluster must have: who holds what, which calls go on, and that nothing is left."""

from __future__ import annotations

from itertools import pairwise

from ma_signaling.cluster.bus import ALL_NODES, node_subject
from ma_signaling.core.suspended_sessions import WAIT_SECONDS
from tests.model.cluster_moves import Match
from tests.model.cluster_referee import GRACE, QUIET_SETTLING, RIPPLE, SETTLING
from tests.support.memory_hub import address

ASKER = address("203.0.113.200")


class JudgedMatch(Match):
    """A match whose outcome is judged, after a while without faults and at its end."""

    def judge_peace(self) -> None:
        """Assert, after a while without faults, that every node agrees with every home, and calls go on."""
        is_quiet = self.last_fault == float("-inf")
        if not is_quiet:
            self.mend_everything()
        self.advance(QUIET_SETTLING if is_quiet else SETTLING)
        remote_ids = {player.remote_id for player in self.players if player.remote_id}
        for remote_id in sorted(remote_ids):
            self._judge_holder(remote_id)
        self._judge_letters()
        self._judge_calls()

    def _judge_holder(self, remote_id: str) -> None:
        homes = self.homes(remote_id)
        assert len(homes) <= 1, f"{homes} hold {remote_id}"
        holders = [number for number in self.cluster.holders(remote_id) if number in self.live()]
        assert holders == [home.node for home in homes], f"{holders} hold {remote_id}, and not {homes}"
        for node in self.live():
            known = self.cluster.worlds[node].hub.registry.find(remote_id)
            if homes and known is not None and node != homes[0].node:
                there = f"{homes[0].connection.id}@n{homes[0].node}"
                assert known.connection is not None and known.connection.id == there, f"n{node} errs"
        told: list[object] = []
        for node in self.live():
            self.cluster.worlds[node].hub.lookups.ask_online(ASKER, remote_id, told.append)
        self.advance(RIPPLE)
        assert told == [bool(homes)] * len(self.live()), f"not every node finds {remote_id}"

    def _judge_letters(self) -> None:
        """Assert that without faults no letter got lost, except those on their way while a home came or went."""
        for letter in self.letters if self.last_fault == float("-inf") else ():
            call = letter.call
            homes = self.homes(call.remote_id)
            events = [event for event in self.events if event.remote_id == call.remote_id]
            times = [event.at for event in events if event.at >= call.at]
            gaps = [later - sooner for sooner, later in pairwise(times)]
            is_orderly = all(event.is_orderly for event in events) and min(gaps, default=RIPPLE) >= RIPPLE
            if call.over or not homes or not is_orderly:
                continue
            if (
                letter.is_owed
                and letter.sender.is_there
                and all(abs(letter.at - at) >= RIPPLE for at in times)
            ):
                assert letter.arrived, f"{letter} got lost"

    def _judge_calls(self) -> None:
        """Assert that a call goes on unless it was without its home for the grace time."""
        for call in list(self.calls.values()):
            homes = self.homes(call.remote_id)
            events = [event for event in self.events if event.remote_id == call.remote_id]
            is_orderly = all(event.is_orderly for event in events if event.at >= call.at)
            # A home that has yet to answer may have missed the call's announcement.
            is_known = bool(call.told) if call.answered else any(home in call.told for home in homes)
            is_up = bool(homes) and is_known and call.is_open and not call.over
            if is_up and is_orderly and self.outage <= GRACE:
                letters = [
                    self.home_says(homes[0], call, "ice-candidate"),
                    self.client_says(call.client, "ice-candidate"),
                ]
                self.advance(RIPPLE)
                for letter in letters:
                    assert letter.arrived, f"{letter} of {call} got lost"

    def judge_end(self) -> None:
        """Assert that nothing is left, after everybody has left and the grace time is over."""
        self.mend_everything()
        for number, player in enumerate(self.players):
            if player.is_there:
                self.leave(player, goodbye=number % 2 == 0)
        is_waiting = any(
            len(self.cluster.worlds[node].hub.registry.grace._suspension) for node in self.live()
        )
        self.advance(SETTLING + (WAIT_SECONDS if is_waiting else self.cluster.worlds[0].settings.grace))
        for number in self.live():
            world, node = self.cluster.worlds[number], self.cluster.lines[number].node
            registry, directory = world.hub.registry, node._directory
            left = {
                "homes": registry._homes,
                "contests": registry.contests.by_remote_id,
                "newcomers": registry.contests.newcomers,
                "suspended": registry.grace._suspension._waits,
                "sessions": world.hub.sessions._by_id,
                "connections": world.hub._connections,
                "silent": world.hub._silent._by_key,
                "claims": node._claims._claims,
                "claims by question": node._claims._by_question,
                "claims of others": node._judge._newcomers,
                "questions": node._context._questions,
                "registrations": directory.registrations._registrations,
                "repeats": directory.registrations._announced_at,
                "remote homes": directory._remote_homes,
                "terms": directory._terms._latest,
                "previous terms": directory.registrations._previous_terms,
                "watched": directory._watched,
                "announced": node._relay._announced,
            }
            for name, what in left.items():
                assert not what, f"n{number} keeps {name}: {what}"
            assert self.cluster.lines[number].wanted == {ALL_NODES, node_subject(node.name, "*")}
            assert registry.online == world.hub.sessions.opening.open == 0
            assert set(node._members._members) == {f"n{n}" for n in self.live()} - {node.name}
        ticks = [timer for timer in self.cluster.clock.timers if "arrive" not in timer._name]
        assert len(ticks) == len(self.live()), ticks
