"""The memory that all clients together may take, and each session's fair share of it.

Half of the bytes are for whoever comes first. Of the other half each session has an equal share, so that sessions that
take little never wait for those that take much. Readers of sessions beyond both pause reading from Music Assistant. One
reader, the one that has waited longest, is favoured and goes on all the same: a message is passed on only when it is
complete, and if all readers paused within one, none would ever finish. So in all at most the bound and one message are
held.

Paused readers whose sessions fit again go on, the one that has waited longest first. Each reads what is there before
the next one goes on: if all went on together, they would read more than fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def after_reading(call: Callable[[], None]) -> None:
    """Call ``call`` once readers that resume now have read what is there: a loop reads once per turn."""
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, call)


class Memory:
    """The bytes that all sessions hold."""

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
        """Return the share of a new session."""
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
        """Return whether this reader goes on even beyond the bounds."""
        return reader is self._favoured

    def wait(self, reader: Reader) -> None:
        """Resume a paused reader when it may go on."""
        self._waiting.setdefault(reader)
        self.wake()

    def pass_over(self, reader: Reader) -> None:
        """Stop favouring a reader; the next ``wake`` chooses another one."""
        if reader is self._favoured:
            self._favoured = None

    def forget(self, reader: Reader) -> None:
        """Forget a reader."""
        self.pass_over(reader)
        self._waiting.pop(reader, None)
        self.wake()

    def leave(self) -> None:
        """Remove a session from the count."""
        self._sessions -= 1
        self.wake()

    def wake(self) -> None:
        """Resume a reader that may go on, and later the next one, since the first may have nothing to read."""
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
    """The bytes that one session holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._is_open = True
        self.held = 0
        self.received = 0
        """The part of ``held`` that has come from the client, which can't be made to wait."""

    @property
    def fits(self) -> bool:
        """Whether the session may take more."""
        return self._memory.fits(self)

    def admits(self, size: int) -> bool:
        """Return whether ``size`` more bytes from the client are within its fair share, or fit anyway."""
        return self.received + size <= self._memory.fair or self.fits

    def add_received(self, size: int) -> None:
        """Hold ``size`` more bytes from the client, or less if it is negative."""
        self.received += size
        self.add(size)

    def add(self, size: int) -> None:
        """Hold ``size`` more bytes, or less if it is negative. Does nothing once the session has ended."""
        if not self._is_open:
            return
        self.held += size
        self._memory.used += size
        if size <= 0:
            self._memory.wake()

    def reader(self, pause: Callable[[], None], resume: Callable[[], None]) -> Reader:
        """Return a reader for this session; ``pause`` and ``resume`` are called to stop and to continue its reading."""
        return Reader(self, self._memory, pause, resume)

    def close(self) -> None:
        """Hold nothing from now on; a second call does nothing."""
        if self._is_open:
            self.add(-self.held)
            self._is_open = False
            self._memory.leave()


class Reader:
    """Reads from Music Assistant for a session, and can be paused."""

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
        """Hold ``size`` bytes that have been read; pause if that is too much."""
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
        """Release ``size`` bytes, at most all that are held, since a message or a part of a body has been passed on."""
        size = min(size, self._held)
        self._held -= size
        self._memory.pass_over(self)
        self.share.add(-size)

    def close(self) -> None:
        """Release everything and never pause again: what is still read isn't kept."""
        self._is_open = False
        self._memory.forget(self)
        self.release(self._held)
        self.resume()
