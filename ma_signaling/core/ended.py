"""Sessions that ended lately: what still comes for one is expected, and ignored."""

from __future__ import annotations

from collections import OrderedDict

from ma_signaling.core.peer import Clock

REMEMBERED_END = 60.0
"""Seconds for which a session's end is remembered."""


class Ended:
    """Session IDs, and whose sessions they were."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # It finds its oldest at once; a dict searches for it among those that were deleted.
        self._ended: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, session_id: str, remote_id: str) -> None:
        """A session of this home has ended."""
        self._forget_old()
        self._ended[session_id] = (remote_id, self._clock.seconds())

    def discard(self, session_id: str) -> None:
        """It hasn't ended after all."""
        self._ended.pop(session_id, None)

    def lately(self, session_id: str | None, remote_id: str | None = None) -> bool:
        """Whether this session (of the home ``remote_id``, if given) ended within the last minute."""
        if session_id is None:
            return False
        self._forget_old()
        remembered = self._ended.get(session_id)
        return remembered is not None and remote_id in (None, remembered[0])

    def _forget_old(self) -> None:
        oldest = self._clock.seconds() - REMEMBERED_END
        while self._ended:
            session_id, (_, ended_at) = next(iter(self._ended.items()))
            if ended_at > oldest:
                break
            del self._ended[session_id]
