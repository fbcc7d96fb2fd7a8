"""The child process that asks for proofs, controlled as the server does it; and a home that answers it."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import Any, Self

import aiortc

from ma_signaling.testing import Message, eventually, remote_id_of, split_candidates
from ma_signaling.testing.home import CERTIFICATES
from ma_signaling.webrtc.means import Means
from tests.support.server_process import child_environment

LOOPBACK = Means((ip_network("127.0.0.1/32"),))
"""Only one address of loopback: all others are as forbidden as any other address."""

WITHIN = 25.0


class ProofChild:
    """The process, as a context manager."""

    def __init__(self, *command: str) -> None:
        """``command`` replaces the process's own, for a process that goes wrong."""
        self._command = command or ("-P", "-m", "ma_signaling.webrtc.child")
        self._numbers = itertools.count(1)
        self._process: Process
        self._listener: asyncio.Task[None]
        self.said: defaultdict[int, list[Message]] = defaultdict(list)
        """Its messages, by proof."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def say(self, **message: object) -> None:
        """Send it one message."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def ask(self, remote_id: str, means: Means = LOOPBACK) -> int:
        """Begin a proof, and return its number."""
        number = next(self._numbers)
        self.say(ask=number, remoteId=remote_id, means=means.as_json())
        return number

    async def offer(self, number: int) -> str:
        """Wait for its offer."""
        return str((await self._heard(number, "offer"))["sdp"])

    async def ended(self, number: int) -> None:
        """Wait for the end of a proof."""
        await self._heard(number, "ended")

    async def outcome(self, number: int) -> str:
        """Wait for the end of a proof; return `proved`, or why it failed."""
        await self.ended(number)
        (verdict,) = (message for message in self.said[number] if {"proved", "failed"} & set(message))
        return "proved" if "proved" in verdict else str(verdict["reason"])

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit status."""
        async with asyncio.timeout(WITHIN):
            return await self._process.wait()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=child_environment()
        )
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await self.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise AssertionError("it does not end with its input") from None
        finally:
            await self._listener

    async def _heard(self, number: int, kind: str) -> Message:
        def find() -> Message | None:
            return next((message for message in self.said[number] if kind in message), None)

        return await eventually(find, f"{kind!r} of proof {number}, not only {self.said[number]}", WITHIN)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            (number,) = (message[kind] for kind in ("offer", "proved", "failed", "ended") if kind in message)
            self.said[number].append(message)


class AskedHome:
    """A home that answers one offer; a context manager that closes the connection."""

    def __init__(
        self,
        certificate: aiortc.RTCCertificate | None = None,
        ice_servers: Sequence[aiortc.RTCIceServer] = (),
    ) -> None:
        """Use a certificate, or make one."""
        self.certificate = certificate or aiortc.RTCCertificate.generateCertificate()
        self.remote_id = remote_id_of(self.certificate)
        self.channels: list[aiortc.RTCDataChannel] = []
        self.peer: Any = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(list(ice_servers)))
        setattr(self.peer, CERTIFICATES, [self.certificate])
        self.peer.add_listener("datachannel", self.channels.append)

    async def answer(self, offer: str) -> str:
        """Answer an offer, with all candidates."""
        await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return str(self.peer.localDescription.sdp)

    async def trickled(self, offer: str) -> tuple[str, list[str]]:
        """Answer an offer without candidates; return the answer and the candidates."""
        sdp, candidates = split_candidates(await self.answer(offer))
        return sdp, [candidate["candidate"] for candidate in candidates]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.peer.close(), WITHIN)
