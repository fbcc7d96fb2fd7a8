"""A reactor that never waits, and records the readers and writers that do."""

from __future__ import annotations


class WaitingReactor:
    """Records who waits for what."""

    def __init__(self) -> None:
        self.readers: list[object] = []
        self.writers: list[object] = []
        self.soon: list[object] = []

    def callLater(self, delay: float, function: object, *arguments: object) -> None:
        self.soon.append(function)

    def addReader(self, reader: object) -> None:
        self.readers.append(reader)

    def addWriter(self, writer: object) -> None:
        self.writers.append(writer)

    def removeReader(self, reader: object) -> None:
        self.readers = [each for each in self.readers if each is not reader]

    def removeWriter(self, writer: object) -> None:
        self.writers = [each for each in self.writers if each is not writer]
