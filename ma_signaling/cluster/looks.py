"""Looking for homes: questions to whoever holds one, or expects it back."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.wire import Fields
from ma_signaling.core.peer import Timer

ANSWER_SECONDS = 1.5
"""How long another node may take to say anything: what it is asked costs it no more than a turn of its loop."""

Told = Callable[[bool | None], None]


class Looks:
    """Those that are open."""

    def __init__(self, here: Here, unknown: Callable[[str], None], is_whole: Callable[[], bool]) -> None:
        """``unknown`` is called with a home that nobody knows, where nobody in particular wanted to be told.

        ``is_whole`` says whether all other nodes can be heard, as far as is known.
        """
        self._here = here
        self._unknown = unknown
        self._is_whole = is_whole
        self._open: dict[int, tuple[str, Told | None, Timer]] = {}

    def begin(self, remote_id: str, told: Told | None = None) -> None:
        """Ask who holds a Remote ID; ``told`` hears whether it is connected, None if nobody knows it."""
        if not self._here.bus.is_up:
            if told is not None:
                told(False)
            return
        ask = self._here.next_ask()
        timer = self._here.clock.callLater(ANSWER_SECONDS, self._no_answer, ask)
        self._open[ask] = remote_id, told, timer
        self._here.tell_holder(remote_id, "look", ask)

    def nobody(self, ask: int) -> None:
        """Nobody hears a question: the home is unknown."""
        if ask in self._open:
            remote_id, told, timer = self._open.pop(ask)
            timer.cancel()
            if told is not None:
                told(None if self._is_whole() else False)
            else:
                self._unknown(remote_id)

    def answered(self, fields: Fields, *, connected: bool) -> None:
        """Somebody holds a home, or expects it back."""
        _, told, timer = self._open.pop(fields["ask"], (None, None, None))
        if timer is not None:
            timer.cancel()
        if told is not None:
            told(connected)

    def give_up(self) -> None:
        """Nobody can answer any more."""
        for ask in list(self._open):
            self._open[ask][2].cancel()
            self._no_answer(ask)

    def _no_answer(self, ask: int) -> None:
        _, told, _ = self._open.pop(ask)
        if told is not None:
            told(False)
        # Whoever waits for this home waits on; it is asked for again as for any that is away.
