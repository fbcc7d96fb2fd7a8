"""What a check finds: steps, and what they come down to, by the conventions for Nagios plugins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn, Protocol


class Status(IntEnum):
    """The exit status; the greater, the worse, but for ``UNKNOWN``: the check itself could not be made."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One step that is over: how it went, the ``seconds`` it took, and a sentence about it."""

    name: str
    status: Status
    seconds: float
    text: str

    @property
    def key(self) -> str:
        """The name as programs know it: in JSON, and as a label of performance data."""
        return self.name.lower().replace(" ", "_")


class Tell(Protocol):
    """Hears of the progress: of each step when it begins, and when it is over."""

    def begins(self, name: str) -> None: ...

    def ends(self, step: Step) -> None: ...


class Stop(Exception):
    """Why a check goes no further."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class OtherProtocol(Exception):
    """What answers speaks another protocol; the text is a sentence about it."""


MAX_CHARACTERS = 500
"""Of a sentence: other people's text may be as long as a message."""


def printable(text: str) -> str:
    """Return a sentence in which other people's text does no harm: on one line, and without Nagios's separator."""
    shown = "".join(each if each.isprintable() and each != "|" else "?" for each in text[:MAX_CHARACTERS])
    return shown + "..." * (len(text) > MAX_CHARACTERS)


def critical(text: str) -> NoReturn:
    """Stop: something is wrong with the home, or on the way to it."""
    raise Stop(Status.CRITICAL, text)


def unknown(text: str) -> NoReturn:
    """Stop: nothing can be said about the home."""
    raise Stop(Status.UNKNOWN, text)
