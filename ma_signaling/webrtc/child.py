"""The process that asks for proofs, and the only one that parses what hostile peers send by UDP.

It talks to the server in lines of JSON: requests come by standard input, and results go to standard output. Secrets
come by standard input, too, not by environment or arguments. The process ends when standard input does.

Input: ``{"ask": N, "remoteId": R, "means": {…}}``, then for this proof ``{"answer": N, "sdp": S}``,
``{"candidate": N, "text": S}`` and ``{"cancel": N}``. Output: ``{"offer": N, "sdp": S}``, then ``{"proved": N}`` or
``{"failed": N, "reason": S}``, unless the proof was cancelled, and ``{"ended": N}`` once it has released everything.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import traceback
from contextlib import suppress

import orjson

from ma_signaling.webrtc.guard import GuardedLoop
from ma_signaling.webrtc.means import Means
from ma_signaling.webrtc.proof import NotProved, Proof, gather_for_proofs

MAX_LINE = 512 * 1024
"""The longest line in bytes. The server's own bounds on what peers send are far lower."""

MAX_DATA = 256 * 1024 * 1024
"""The most writable memory in bytes; aiortc takes 40 MiB, and a proof 60 KiB, or 360 under attack."""

MAX_FILES = 2048
"""The most open files, if the hard limit permits; a proof takes one for each source address, and one for a relay."""

MAX_TURN = 5.0
"""Seconds of processor time for which the loop may be blocked before the kernel kills the process."""


class Child:
    """All proofs under way."""

    def __init__(self) -> None:
        self._proofs: dict[int, tuple[Proof, asyncio.Task[None]]] = {}

    def take(self, line: bytes) -> None:
        """Handle one line of the server."""
        match orjson.loads(line):
            case {"ask": int(number), "remoteId": str(remote_id), "means": dict(means)}:
                proof = Proof(remote_id, Means.from_json(means), lambda sdp: _say(offer=number, sdp=sdp))
                task = asyncio.create_task(_prove(number, proof))
                self._proofs[number] = proof, task
                # Not in the task itself, which may be cancelled before it begins.
                task.add_done_callback(lambda _: self._ended(number))
            case {"cancel": int(number)} if number in self._proofs:
                self._proofs[number][1].cancel()
            case {"answer": int(number), "sdp": str(sdp)} if number in self._proofs:
                self._proofs[number][0].answer(sdp)
            case {"candidate": int(number), "text": str(text)} if number in self._proofs:
                self._proofs[number][0].candidate(text)

    def _ended(self, number: int) -> None:
        del self._proofs[number]
        _say(ended=number)


async def _prove(number: int, proof: Proof) -> None:
    try:
        await proof.run()
        _say(proved=number)
    except NotProved as reason:
        _say(failed=number, reason=str(reason))
    except Exception:  # noqa: BLE001 - whatever a peer makes of aiortc, other proofs go on
        traceback.print_exc()
        _say(failed=number, reason="internal error")
    finally:
        with suppress(Exception):
            await proof.close()


def _say(**message: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


async def _serve() -> None:
    """Handle the server's lines until it closes the pipe."""
    loop = asyncio.get_running_loop()
    # A packet that causes an exception in aiortc's callbacks only fails its proof; nobody would read about it.
    loop.set_exception_handler(lambda *_: None)
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    child = Child()
    watching = asyncio.create_task(_watch())
    while line := await reader.readline():
        child.take(line)
    watching.cancel()


async def _watch() -> None:
    """Let the kernel kill the process if input from a peer blocks the loop."""
    while True:
        signal.setitimer(signal.ITIMER_PROF, MAX_TURN)
        await asyncio.sleep(1)


def main() -> None:
    """Serve until standard input ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    files = min(MAX_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gather_for_proofs()
    # A terminal and systemd signal all processes of the server, but this one must go on until the server ends it.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=GuardedLoop) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()
