"""The memory that all clients together may take, and each session's fair share of it.

Half of the bytes are for whoever comes first. Of the other half each session has an equal share: so who takes little
never waits for who takes much. Who is beyond both reads no more of Music Assistant until others have got theirs. One
reader goes on all the same, the one that has waited longest: a message is passed on whole, and if everybody waited with
a part of one, nobody would ever end. So all take the bound and one message at most.

All that fit go on, who has waited longest first. Each reads what is there for it before the next is looked at: if all
went on at once, all would read a part more than fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def after_reading(call: Callable[[], None]) -> None:
    """Call something once those who read on from now have read what is there: a loop reads once a turn."""
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, call)


class Memory:
    """What all sessions hold, in bytes."""

    def __init__(
        self, capacity: int, after_reading: Callable[[Callable[[], None]], object] = after_reading
    ) -> None:
        self._after_reading = after_reading
        self._is_waking = False
        self._common = capacity // 2
        self._divided = capacity - self._common
        self._sessions = 0
        self._waiting: dict[Reader, None] = {}
        self._favoured: Reader | None = None
        self.used = 0

    def share(self) -> Share:
        """Return the share of one more session."""
        self._sessions += 1
        return Share(self)

    def fits(self, share: Share) -> bool:
        """Return whether a session may take more."""
        return self.used <= self._common or share.held <= self.fair

    @property
    def fair(self) -> int:
        """The bytes that each session may hold, whatever the others do."""
        return self._divided // max(1, self._sessions)

    def is_favoured(self, reader: Reader) -> bool:
        """Return whether this reader goes on, whatever all take."""
        return reader is self._favoured

    def wait(self, reader: Reader) -> None:
        """Have a reader told when it may go on."""
        self._waiting.setdefault(reader)
        self.wake()

    def pass_over(self, reader: Reader) -> None:
        """Favour a reader no longer; the next ``wake`` chooses another one."""
        if reader is self._favoured:
            self._favoured = None

    def forget(self, reader: Reader) -> None:
        """Know a reader no longer."""
        self.pass_over(reader)
        self._waiting.pop(reader, None)
        self.wake()

    def leave(self) -> None:
        """Count one session less."""
        self._sessions -= 1
        self.wake()

    def wake(self) -> None:
        """Have one go on that may, and then the next: there may be nothing to read for the first."""
        chosen = next((each for each in self._waiting if self.fits(each.share)), None)
        if chosen is None and self._favoured is None:
            chosen = self._favoured = next(iter(self._waiting), None)
        if chosen is not None:
            del self._waiting[chosen]
            chosen.resume()
            if self._waiting and not self._is_waking:
                self._is_waking = True
                self._after_reading(self._wake_next)

    def _wake_next(self) -> None:
        self._is_waking = False
        self.wake()


class Share:
    """What one session holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._is_open = True
        self.held = 0
        self.received = 0
        """What has come from the client, of what is held; a client can't be made to wait."""

    @property
    def fits(self) -> bool:
        """Whether the session may take more."""
        return self._memory.fits(self)

    def admits(self, size: int) -> bool:
        """Return whether ``size`` bytes more from the client are within its share, or fit all the same."""
        return self.received + size <= self._memory.fair or self.fits

    def add_received(self, size: int) -> None:
        """Hold ``size`` bytes more that have come from the client, or less."""
        self.received += size
        self.add(size)

    def add(self, size: int) -> None:
        """Hold ``size`` bytes more, or less where it is negative; nothing once the session has ended."""
        if not self._is_open:
            return
        self.held += size
        self._memory.used += size
        if size <= 0:
            self._memory.wake()

    def reader(self, pause: Callable[[], None], resume: Callable[[], None]) -> Reader:
        """Return one that reads for this session; ``pause`` and ``resume`` are called where it must, and may go on."""
        return Reader(self, self._memory, pause, resume)

    def close(self) -> None:
        """Hold nothing any more; a second call does nothing."""
        if self._is_open:
            self.add(-self.held)
            self._is_open = False
            self._memory.leave()


class Reader:
    """What reads of Music Assistant for a session, and can be made to wait."""

    def __init__(
        self, share: Share, memory: Memory, pause: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        self.share = share
        self.resume = resume
        self._memory = memory
        self._pause = pause
        self._held = 0
        self._is_open = True

    def take(self, size: int) -> None:
        """Hold ``size`` bytes that have been read."""
        if not self._is_open:
            return
        self._held += size
        self.share.add(size)
        if self._memory.fits(self.share):
            self._memory.wake()
        elif not self._memory.is_favoured(self):
            self._pause()
            self._memory.wait(self)

    def release(self, size: int) -> None:
        """Hold ``size`` bytes less, or all that are held: a message, or a part of a body, has been passed on."""
        size = min(size, self._held)
        self._held -= size
        self._memory.pass_over(self)
        self.share.add(-size)

    def close(self) -> None:
        """Hold nothing, and wait for nothing: what still comes is read and not kept."""
        self._is_open = False
        self._memory.forget(self)
        self.release(self._held)
        self.resume()
