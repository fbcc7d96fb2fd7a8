"""How many messages came, and how many bytes: plain numbers, for this is counted for every message."""

from __future__ import annotations


class Tally:
    """Messages and bytes of one kind."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0


class Traffic:
    """What came of one type, by who sent it: homes, or everybody else."""

    __slots__ = ("from_clients", "from_homes")

    def __init__(self) -> None:
        self.from_homes = Tally()
        self.from_clients = Tally()

    def count(self, is_home: bool, size: int) -> None:
        """Count a message of ``size`` bytes."""
        tally = self.from_homes if is_home else self.from_clients
        tally.messages += 1
        tally.bytes += size
