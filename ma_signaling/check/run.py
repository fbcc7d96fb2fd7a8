"""The steps of a check, in order."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ma_signaling.check.handshake_answers import explain_failure
from ma_signaling.check.outcome import OtherProtocol, Status, Step, Stop, Tell, critical, printable, unknown
from ma_signaling.check.signaling import Message, Signaling
from ma_signaling.core import remote_id
from ma_signaling.core.errors import Refused

FALLBACK_SECONDS = 9.5
"""A server answers in place of a silent home after 10 seconds at the earliest."""

_SILENCE = {
    "Home": "the server says nothing of the home",
    "Answer": "the home does not answer",
    "Data channel": "no way to the home is found",
}
"""The sentence for a step that timed out."""


@dataclass
class Check:
    """A check, with the steps that were taken so far."""

    urls: Sequence[str]
    """The server's address; several if it was ambiguous."""
    remote_id: str
    timeout: float
    """Seconds for each step."""
    warn_after: float
    """Seconds to ``connected`` above which a home counts as slow."""
    webrtc: bool
    trust: ssl.SSLContext
    """Decides which certificates are accepted."""
    tell: Tell
    address: str = ""
    """The IP address of the server to use; "" for any."""
    steps: list[Step] = field(default_factory=list)
    connected: Message = field(default_factory=dict)
    url: str = ""
    """The address that was tried last."""

    def __post_init__(self) -> None:
        self.url = self.urls[0]

    @property
    def status(self) -> Status:
        """The worst status of the steps."""
        return max((step.status for step in self.steps), default=Status.UNKNOWN)

    @property
    def headline(self) -> str:
        """The sentence of the worst step, of several the last."""
        return max(enumerate(self.steps), key=lambda each: (each[1].status, each[0]))[1].text

    async def run(self) -> None:
        """Take the steps until one fails."""
        self._signaling = Signaling()
        try:
            await self._take("Server", self._open)
            await self._take("Home", self._request)
            if self.webrtc:
                await self._call(self._signaling)
        except Stop:
            pass
        finally:
            await self._signaling.close()

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
            # The first step has a timeout for each address that it tries.
            status, text = await asyncio.wait_for(act(), None if name == "Server" else self.timeout)
        except Stop as problem:
            stop = problem
        except TimeoutError:
            what = _SILENCE.get(name, f"{name}: nothing happens")
            stop = Stop(Status.CRITICAL, f"{what} within {self.timeout:g} seconds")
        if stop is not None:
            status, text = stop.status, stop.text
        step = Step(name, status, time.monotonic() - began, printable(text))
        self.steps.append(step)
        self.tell.ends(step)
        if stop is not None:
            raise stop

    async def _open(self) -> tuple[Status, str]:
        try:
            self.remote_id = remote_id.wanted(self.remote_id)
        except Refused:
            unknown(f"{self.remote_id!r} is not a Remote ID: it has letters and digits, such as MA-X7K9-P2M4")
        failures: dict[str, str] = {}
        seconds = self.timeout / len(self.urls)
        for url in self.urls:
            self.url = url
            try:
                async with asyncio.timeout(seconds):
                    await self._signaling.open(url, self.trust, self.address)
            except TimeoutError:
                verb = "finish its answer" if self._signaling.is_answering else "answer"
                failures[url] = f"the server does not {verb} within {seconds:g} seconds"
            except OSError as problem:
                failures[url] = explain_failure(url, problem)
            except OtherProtocol as problem:
                failures[url] = str(problem)
            else:
                return Status.OK, "the server answers" + (f" at {url}" if len(self.urls) > 1 else "")
            await self._signaling.close()
            self._signaling = Signaling()
        texts = set(failures.values())
        if len(failures) == 1:
            unknown(*texts)
        if len(texts) == 1:
            unknown(f"{' and '.join(failures)}: {texts.pop()}")
        return unknown("; ".join(f"{url}: {text}" for url, text in failures.items()))

    async def _request(self) -> tuple[Status, str]:
        began = time.monotonic()
        # Earlier messages aren't answers.
        self._signaling.forget()
        self._signaling.send("connect-request", remoteId=self.remote_id)
        self.connected = await self._signaling.first("connected")
        seconds = time.monotonic() - began
        session_id = self.connected.get("sessionId")
        if not isinstance(session_id, str) or not session_id:
            critical("the server's answer names no session: no app could use it")
        named = self.connected.get("remoteId", self.remote_id)
        if named != self.remote_id:
            critical(f"the server's answer is about another home: {named}")
        self._signaling.verify()
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
