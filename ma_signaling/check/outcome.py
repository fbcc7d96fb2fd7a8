"""The outcome of a check: its steps and its status, by the conventions for Nagios plugins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn, Protocol


class Status(IntEnum):
    """The exit status; a greater one is worse. ``UNKNOWN``: the check itself could not be made."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step: its status, the ``seconds`` it took, and a sentence about it."""

    name: str
    status: Status
    seconds: float
    text: str

    @property
    def key(self) -> str:
        """The name in JSON, and as a label of performance data."""
        return self.name.lower().replace(" ", "_")


class Tell(Protocol):
    """Is told when each step begins and ends."""

    def begins(self, name: str) -> None: ...

    def ends(self, step: Step) -> None: ...


class Stop(Exception):
    """Raised to end a check; has its status, and a sentence why."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class OtherProtocol(Exception):
    """Raised if the server speaks another protocol; the text is a sentence about that."""


MAX_CHARACTERS = 500
"""The most characters of a sentence: text from a server may be as long as a message."""


def printable(text: str) -> str:
    """Return a sentence with foreign text made harmless: on one line, and without Nagios's separator."""
    shown = "".join(each if each.isprintable() and each != "|" else "?" for each in text[:MAX_CHARACTERS])
    return shown + "..." * (len(text) > MAX_CHARACTERS)


def critical(text: str) -> NoReturn:
    """Raise ``Stop``: something is wrong with the home, or on the way to it."""
    raise Stop(Status.CRITICAL, text)


def unknown(text: str) -> NoReturn:
    """Raise ``Stop``: nothing can be said about the home."""
    raise Stop(Status.UNKNOWN, text)
