"""A home on libdatachannel, as Music Assistant's since 2.10: it answers at once, and trickles its candidates.

Run as a program, it is the home's WebRTC alone, in lines of JSON, on a Python that has aiolibdatachannel: it says its
fingerprint, and takes one offer. As a module, it starts that program.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Self
from unittest import SkipTest

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / "build" / "libdatachannel" / "bin" / "python"
WITHIN = 20.0


def python() -> str:
    """Return a Python that has aiolibdatachannel. Raises SkipTest where there is none."""
    if importlib.util.find_spec("aiolibdatachannel") is not None:
        return sys.executable
    if ENVIRONMENT.exists():
        return str(ENVIRONMENT)
    raise SkipTest("no aiolibdatachannel: make build/libdatachannel, with Python 3.12 or later")


class LibdatachannelHome:
    """The program, as a context."""

    def __init__(self) -> None:
        self.fingerprint = ""
        self.channels: list[str] = []
        """The labels of the data channels that were announced to it."""
        self.candidates: asyncio.Queue[str] = asyncio.Queue()
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._process: Process
        self._listener: asyncio.Task[None]

    async def answer(self, offer: str) -> str:
        """Answer an offer, without candidates."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(offer).encode() + b"\n")
        async with asyncio.timeout(WITHIN):
            return await self._answers.get()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(python(), __file__, stdin=PIPE, stdout=PIPE)
        assert self._process.stdout is not None
        self.fingerprint = json.loads(await self._process.stdout.readline())
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._process.kill()
        await self._process.wait()
        await self._listener

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match json.loads(line):
                case {"answer": sdp}:
                    self._answers.put_nowait(sdp)
                case {"candidate": candidate}:
                    self.candidates.put_nowait(candidate)
                case {"channel": label}:
                    self.channels.append(label)


async def main() -> None:
    """Answer one offer."""
    rtc: Any = importlib.import_module("aiolibdatachannel")
    peer = rtc.PeerConnection(rtc.RTCConfiguration())
    # It makes a certificate of its own, and shows it in an offer, which the one that comes then replaces.
    await peer.create_data_channel("none")
    described = await peer.set_local_description("offer")
    say(re.findall(r"a=fingerprint:sha-256 (\S+)", described.sdp)[0])
    loop = asyncio.get_running_loop()
    offer = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    await peer.set_remote_description(offer, "offer")
    answer = await peer.set_local_description("answer")
    candidates = re.findall(r"a=(candidate:.*?)\r?\n", peer.local_description.sdp)
    say({"answer": re.sub(r"a=(candidate:.*|end-of-candidates)\r?\n", "", answer.sdp)})
    for candidate in candidates:
        say({"candidate": candidate})
    async for event in peer.events():
        if isinstance(event, rtc.LocalCandidateEvent) and event.candidate.candidate not in candidates:
            say({"candidate": event.candidate.candidate})
        elif isinstance(event, rtc.DataChannelEvent):
            say({"channel": event.channel.label})


def say(message: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
