"""A home on libdatachannel, as Music Assistant's since 2.10: it answers immediately, and trickles its candidates.

Run as a program, this file is only the home's WebRTC, controlled by lines of JSON, on a Python that has
aiolibdatachannel. libdatachannel makes a new certificate for each session and accepts no other, so the program prints
the fingerprint of the first one. As a module, this file starts that program.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from pathlib import Path
from typing import Any, Self
from unittest import SkipTest

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / "build" / "libdatachannel" / "bin" / "python"
WITHIN = 20.0
KNOWN = "--known"


def python() -> str:
    """Return a Python that has aiolibdatachannel. Raises SkipTest if there is none."""
    if importlib.util.find_spec("aiolibdatachannel") is not None:
        return sys.executable
    if ENVIRONMENT.exists():
        return str(ENVIRONMENT)
    raise SkipTest("no aiolibdatachannel: make build/libdatachannel, with Python 3.12 or later")


class LibdatachannelHome:
    """The program, as a context manager."""

    def __init__(self, *, is_known: bool = True) -> None:
        """``is_known``: its first session has the certificate whose ``fingerprint`` is known beforehand."""
        self.fingerprint = ""
        self._is_known = is_known
        self.channels: list[str] = []
        """The labels of the data channels that clients have opened."""
        self.candidates: defaultdict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        """Its candidates, by session."""
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._process: Process
        self._listener: asyncio.Task[None]

    async def answer(self, offer: str, session: str = "") -> str:
        """Answer an offer, without candidates; the session's earlier connection is closed."""
        self.candidates.pop(session, None)
        self._say(session=session, offer=offer)
        async with asyncio.timeout(WITHIN):
            return await self._answers.get()

    def add(self, candidate: str, session: str) -> None:
        """Take a client's candidate."""
        self._say(session=session, candidate=candidate)

    def close(self, session: str) -> None:
        """Close a session's connection."""
        self._say(session=session)

    def _say(self, **line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            python(), __file__, *([KNOWN] if self._is_known else []), stdin=PIPE, stdout=PIPE
        )
        if self._is_known:
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
                case {"session": session, "candidate": candidate}:
                    self.candidates[session].put_nowait(candidate)
                case {"channel": label}:
                    self.channels.append(label)


class Sessions:
    """The program's connections, by session."""

    def __init__(self, rtc: Any) -> None:
        self._rtc = rtc
        self._prepared: list[Any] = []
        self._peers: dict[str, Any] = {}

    async def prepare(self) -> None:
        """Make the first session's connection now, and print its fingerprint."""
        peer = new_peer(self._rtc)
        # It shows its certificate in an offer, which the one that comes then replaces. But it stays in the role of the
        # one who offers, so that a client which hears of two such connections is confused.
        await peer.create_data_channel("none")
        described = await peer.set_local_description("offer")
        say(re.findall(r"a=fingerprint:sha-256 (\S+)", described.sdp)[0])
        self._prepared.append(peer)

    async def handle(self, line: dict[str, str]) -> None:
        """Do what one line says."""
        match line:
            case {"session": session, "offer": offer}:
                await self._answer(session, offer)
            case {"session": session, "candidate": candidate} if session in self._peers:
                await self._peers[session].add_remote_candidate(candidate, "0")
            case {"session": session} if session in self._peers:
                self._peers.pop(session).close()

    async def _answer(self, session: str, offer: str) -> None:
        if session in self._peers:
            self._peers.pop(session).close()
        peer = self._prepared.pop() if self._prepared else new_peer(self._rtc)
        self._peers[session] = peer
        await peer.set_remote_description(offer, "offer")
        answer = await peer.set_local_description("answer")
        candidates = re.findall(r"a=(candidate:.*?)\r?\n", peer.local_description.sdp)
        say({"answer": re.sub(r"a=(candidate:.*|end-of-candidates)\r?\n", "", answer.sdp)})
        for candidate in candidates:
            say({"session": session, "candidate": candidate})
        peer.spawn_task(self._follow(session, peer, candidates))

    async def _follow(self, session: str, peer: Any, said: list[str]) -> None:
        async for event in peer.events():
            if isinstance(event, self._rtc.LocalCandidateEvent) and event.candidate.candidate not in said:
                say({"session": session, "candidate": event.candidate.candidate})
            elif isinstance(event, self._rtc.DataChannelEvent):
                say({"channel": event.channel.label})
                peer.spawn_task(self._echo(event.channel))

    async def _echo(self, channel: Any) -> None:
        async for text in channel:
            await channel.send(f"home heard: {text}")


def new_peer(rtc: Any) -> Any:
    """Return a connection, with a new certificate."""
    return rtc.PeerConnection(rtc.RTCConfiguration())


async def main() -> None:
    """Do what the lines of standard input say."""
    rtc: Any = importlib.import_module("aiolibdatachannel")
    sessions = Sessions(rtc)
    if KNOWN in sys.argv:
        await sessions.prepare()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await sessions.handle(json.loads(line))


def say(message: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
