"""The server goes down in the middle of any game of the model."""

from __future__ import annotations

from ma_signaling.core.answering import ANSWER_SECONDS
from tests.model.hub_game import Call, Player
from tests.model.hub_machine import HubMachine
from tests.model.hub_moves import Match
from tests.support.memory_hub import Message

NEWS = {"connected", "registered", "client-connected", "peer-disconnected", "client-disconnected"}
"""The types of messages that nobody may be sent any more."""


class Witness:
    """Sees what players are sent after the referee's part is over."""

    def __init__(self, match: Match) -> None:
        self.match = match

    def heard(self, player: Player, message: Message) -> None:
        type, call = message["type"], self.match.calls.get(message.get("sessionId", ""))
        if type == "offer" and call is not None:
            # The offer was held back until now.
            call.answer_due = self.match.now + ANSWER_SECONDS
        elif type == "client-disconnected" and (call is None or call.over):
            # A session of a proof ends for the home, which would keep it otherwise; or that of a client that had left
            # before, and this may have waited behind an offer that was held back.
            pass
        elif type == "peer-disconnected" and player.call is not None and self._is_unanswered(player.call):
            self.match.hang_up(player.call, tell=True)
        else:
            assert type not in NEWS, f"{player} hears {message}"

    def _is_unanswered(self, call: Call) -> bool:
        """Return whether a home that is still connected has had its time to answer."""
        holder, due = call.house.holder, call.answer_due
        is_there = holder is not None and holder.is_there
        return is_there and not call.answered and due is not None and self.match.now >= due

    def closed(self, player: Player, code: int) -> None:
        assert code == 1012, f"{player} is closed with {code}"

    def dropped(self, player: Player) -> None:
        raise AssertionError(f"{player} is dropped")


class LeavingMachine(HubMachine):
    """Any game, and then the server goes down."""

    def teardown(self) -> None:
        if hasattr(self, "match") and self.match.is_sound:
            self._leave()

    def _leave(self) -> None:
        world, players = self.match.world, self.match.there()
        for player in players:
            player.watcher = Witness(self.match)
            player.forget()
        waiting = [player for player in players if player.call is not None and not player.call.is_open]
        newcomers = [player for player in players if self.match.is_newcomer(player)]
        world.hub.drain(0)
        for player in players:
            codes = [message["code"] for message in player.forget() if message["type"] == "error"]
            assert codes == (["server-disconnected"] if player in waiting else [])
            assert player.is_there != (player in newcomers)
        is_more = True
        while is_more:
            is_more = world.hub.drain(1)
            for number, player in enumerate(players):
                if player.is_there and player.call is not None and player.call.is_open:
                    player.say("ice-candidate", data=number)
                elif player.is_there and player.house is None:
                    player.say("connect-request", remoteId="ONE")
                    assert player.forget()[-1]["code"] in {"server-disconnected", "server-not-found"}
            if homes := [player for player in players if player.is_there and player.house is not None]:
                homes[-1].say("register-server", remoteId="TWO")
            world.advance(1)
        assert all(player.closed is not None for player in players)
        assert {world.hub.counts()[name] for name in ("servers", "clients", "pendingClients")} == {0}
        for player in players:
            player.breaks()
        world.advance(3600)
        assert not world.clock.timers, f"left behind: {world.clock.timers}"
