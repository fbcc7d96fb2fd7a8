"""What an operator reads: a line for each event that matters, in words or in JSON, and no more of them than help."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.support.server_process import ServerProcess

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}"


class ProcessTest(SynchronousTestCase):
    """What the server itself writes."""

    def test_json(self) -> None:
        server = ServerProcess("--log-format", "json")
        with server:
            pass
        lines = [json.loads(line) for line in server.log().splitlines()]
        self.assertGreater(len(lines), 2)
        self.assertTrue(all({"time", "level", "message"} <= line.keys() for line in lines))

    def test_text(self) -> None:
        server = ServerProcess()
        with server:
            pass
        self.assertRegex(server.log(), rf"(?m)^{TIME} \[ma_signaling#info\] Listening on ")
        for line in server.log().splitlines():
            self.assertIn(
                " [ma_signaling#info] ", line, "nothing of Twisted's, such as 'SignalingFactory starting'"
            )
