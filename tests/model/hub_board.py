"""The players, houses and calls of a game, from which moves choose."""

from __future__ import annotations

from tests.model.hub_game import Call, House, Player
from tests.model.hub_referee import Referee


class Board(Referee):
    """A game that can be looked at."""

    def gone(self) -> list[Player]:
        """Return players who have left, or whom the hub has closed or dropped."""
        return [player for player in self.players if not player.is_there]

    def homes(self) -> list[Player]:
        """Return players who hold a Remote ID."""
        return [player for player in self.there() if player.house is not None]

    def provable(self) -> list[Player]:
        """Return players who hold a Remote ID that can be proved."""
        return [player for player in self.homes() if player.house is not None and player.house.is_provable]

    def clients(self) -> list[Player]:
        """Return players who have, or had, a session."""
        return [player for player in self.there() if player.is_client]

    def away(self) -> list[House]:
        """Return houses that may still be taken over."""
        return [house for house in self.houses.values() if house.holder is None and not house.over]

    def all_calls(self) -> list[Call]:
        """Return all calls that there ever were."""
        return list(self.calls.values())

    def calls_to_meddle_in(self) -> list[Call]:
        """Return all calls, those that aren't over several times."""
        calls = self.all_calls()
        return calls + 3 * [call for call in calls if not call.over]

    def home_calls(self) -> list[tuple[Player, Call]]:
        """Return homes, each with one of its calls."""
        calls = [call for call in self.calls.values() if not call.over]
        return [(call.house.holder, call) for call in calls if call.house.holder is not None]

    def pongs(self) -> list[tuple[Player, bytes]]:
        """Return players, each with a pong that it may send: in time, late, or to no ping."""
        answers = [(player, payload) for player in self.players for payload in player.pings]
        return answers + [(challenge.holder, b"") for challenge in self.challenges.values()]

    def asked(self) -> list[Player]:
        """Return players who are asked for proof."""
        return [player for player in self.there() if player.asking is not None]
