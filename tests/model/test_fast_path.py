"""The fast path does what Autobahn does: the same bytes, cut anywhere, have the same effect on either."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.fast_path import AutobahnPath, FastPath, with_fast_path
from tests.model.fuzz_input import PROFILE, STREAMS, Cuts
from tests.support.field_requests import Recorder
from tests.support.memory_server import UPGRADE, Server


def _play(is_fast: bool, data: bytes, cuts: Cuts, **settings: Any) -> list[object]:
    """Return all visible effects of a connection that receives ``data``."""
    server = Server(fast_path=is_fast, **settings)
    server.factory.protocol = with_fast_path(Recorder, server.factory) if is_fast else Recorder
    socket = server.accept()
    seen: list[object] = []
    for start, end in pairwise(sorted({0, *(cut % len(data) for cut in cuts if data), len(data)})):
        if not socket.transport.disconnecting:
            socket.send(data[start:end])
            protocol = socket.transport.protocol
            if isinstance(protocol, AutobahnPath):
                assert isinstance(protocol, FastPath) == is_fast
                seen.append(list(getattr(protocol, "events", [])))
                seen.append(protocol.state)
    seen.append(re.sub(rb"\r\nDate: [^\r]*", b"", socket.transport.value()))
    seen += [socket.transport.disconnecting, socket.transport.aborted]
    socket.lose()
    seen.append(getattr(protocol, "events", None))
    return [*seen, server.counts(), server.clock.getDelayedCalls() == []]


class SameTest(SynchronousTestCase):
    """The fast path and Autobahn, compared."""

    def test_frames(self) -> None:
        @settings(PROFILE)
        @given(STREAMS)
        def explore(value: tuple[bytes, Cuts]) -> None:
            stream, cuts = value
            data = UPGRADE + b"\r\n" + stream
            cuts = [len(UPGRADE) + 2 + cut for cut in cuts]
            self.assertEqual(
                _play(True, data, cuts, max_message_bytes=1024),
                _play(False, data, cuts, max_message_bytes=1024),
            )

        explore()
