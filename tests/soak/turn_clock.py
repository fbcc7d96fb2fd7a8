"""``python -m tests.soak.turn_clock FILE SCRIPT …``: runs a Python script, such as twistd, and measures its turns.

It notes in FILE how long the longest turn of Twisted's epoll reactor took since another process last set that to 0
(``Longest``). A turn is the work between two waits.
"""

from __future__ import annotations

import runpy
import struct
import sys
import time
from mmap import mmap
from pathlib import Path
from typing import Any

_FORM = struct.Struct("=dd")


class Longest:
    """The longest turn so far, in seconds of the clock and of the processor; shared by two processes."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_FORM.size))
        with path.open("r+b") as file:
            self._memory = mmap(file.fileno(), _FORM.size)

    def read(self) -> tuple[float, float]:
        """Return both."""
        clock, processor = _FORM.unpack_from(self._memory)
        return clock, processor

    def write(self, clock: float, processor: float) -> None:
        """Set both."""
        _FORM.pack_into(self._memory, 0, clock, processor)


class TimedPoller:
    """Waits as the poller that it replaces, and measures the turns between two waits."""

    def __init__(self, poller: Any, longest: Longest) -> None:
        self._poller = poller
        self._longest = longest
        self._began = time.perf_counter(), time.thread_time()

    def poll(self, timeout: float, max_events: int) -> list[tuple[int, int]]:
        """Wait."""
        clock, processor = self._longest.read()
        began, began_processor = self._began
        now, now_processor = time.perf_counter(), time.thread_time()
        self._longest.write(max(clock, now - began), max(processor, now_processor - began_processor))
        events: list[tuple[int, int]] = self._poller.poll(timeout, max_events)
        self._began = time.perf_counter(), time.thread_time()
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)


def main() -> None:
    """Run the script."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    _, path, script, *arguments = sys.argv
    running: Any = reactor
    running._poller = TimedPoller(running._poller, Longest(Path(path)))
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
