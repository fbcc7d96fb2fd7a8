"""The steps of a check, in order."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ma_signaling.check.outcome import Status, Step, Stop, Tell, unknown
from ma_signaling.check.signaling import Message, Signaling
from ma_signaling.core import remote_id
from ma_signaling.core.errors import Refused

FALLBACK_SECONDS = 9.5
"""A server answers in a home's place after 10 seconds at the earliest."""


@dataclass
class Check:
    """What to check, and what was found so far."""

    url: str
    remote_id: str
    timeout: float
    """Seconds for each step."""
    warn_after: float
    """Seconds until ``connected`` after which a home counts as slow."""
    webrtc: bool
    tell: Tell
    steps: list[Step] = field(default_factory=list)
    connected: Message = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """What it comes down to."""
        return max((step.status for step in self.steps), default=Status.UNKNOWN)

    @property
    def headline(self) -> str:
        """The sentence of the step that matters most: the worst, and of those the last."""
        return max(enumerate(self.steps), key=lambda each: (each[1].status, each[0]))[1].text

    async def run(self) -> None:
        """Go as far as it goes."""
        signaling = Signaling()
        try:
            await self._take("Server", lambda: self._open(signaling))
            await self._take("Home", lambda: self._request(signaling))
            if self.webrtc:
                await self._call(signaling)
        except Stop:
            pass
        finally:
            await signaling.close()

    async def _call(self, signaling: Signaling) -> None:
        try:
            from ma_signaling.check import webrtc  # noqa: PLC0415 - it needs an extra
        except ImportError:
            await self._take("WebRTC", _missing)
            return
        call = webrtc.Call(signaling, self.remote_id, self.connected)
        try:
            for name, act in call.steps():
                await self._take(name, act)
        finally:
            await call.close()

    async def _take(self, name: str, act: Callable[[], Awaitable[tuple[Status, str]]]) -> None:
        self.tell.begins(name)
        began = time.monotonic()
        stop = None
        try:
            status, text = await asyncio.wait_for(act(), self.timeout)
        except Stop as problem:
            stop = problem
        except TimeoutError:
            where = Status.UNKNOWN if name == "Server" else Status.CRITICAL
            stop = Stop(where, f"{name}: nothing within {self.timeout:g} seconds")
        if stop is not None:
            status, text = stop.status, stop.text
        step = Step(name, status, time.monotonic() - began, text)
        self.steps.append(step)
        self.tell.is_over(step)
        if stop is not None:
            raise stop

    async def _open(self, signaling: Signaling) -> tuple[Status, str]:
        try:
            self.remote_id = remote_id.wanted(self.remote_id)
        except Refused as refused:
            unknown(refused.error.text)
        try:
            await signaling.open(self.url)
        except ssl.SSLError as problem:
            unknown(f"no trusted TLS at the server: {problem}")
        except OSError as problem:
            unknown(f"the server cannot be reached: {problem.strerror or problem}")
        return Status.OK, "the server answers"

    async def _request(self, signaling: Signaling) -> tuple[Status, str]:
        began = time.monotonic()
        signaling.send("connect-request", remoteId=self.remote_id)
        self.connected = await signaling.first("connected")
        seconds = time.monotonic() - began
        if seconds >= FALLBACK_SECONDS:
            return (
                Status.WARNING,
                f"the home is connected, but did not say that it is ready within {seconds:.0f} seconds",
            )
        if seconds >= self.warn_after:
            return Status.WARNING, f"the home is online, but took {seconds:.2f} seconds to get ready"
        return Status.OK, f"the home is online, and ready in {seconds:.2f} seconds"


async def _missing() -> tuple[Status, str]:
    unknown("--webrtc needs aiortc: pip install 'ma-signaling[check]'")
