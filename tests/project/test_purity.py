"""The core, and what nodes of a cluster think, know nothing of sockets: importing them imports no Twisted."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.server_process import child_environment

CODE = """
import sys
import ma_signaling.cluster.node
import ma_signaling.core.hub
forbidden = {"twisted", "autobahn", "txaio", "zope", "nats", "asyncio"}
print([name for name in sys.modules if name.partition(".")[0] in forbidden])
"""


class PurityTest(SynchronousTestCase):
    """The rule that keeps the core testable with plain objects."""

    def test_no_twisted(self) -> None:
        command = [sys.executable, "-c", CODE]
        done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
