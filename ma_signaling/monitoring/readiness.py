"""Whether this server would serve a newcomer now: what a load balancer asks before it sends one here."""

from __future__ import annotations

from collections.abc import Callable


class Readiness:
    """Named checks; the name of the first that fails is the reason why not. Each must be quick and never raise."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, Callable[[], bool]]] = []

    def add(self, reason: str, holds: Callable[[], bool]) -> None:
        """Be ready only while ``holds()`` is true; else ``reason``, a short fixed word, says why not."""
        self._checks.append((reason, holds))

    def obstacle(self) -> str | None:
        """Why this server isn't ready, None where it is."""
        return next((reason for reason, holds in self._checks if not holds()), None)
