"""A proxy on the same machine forwards everybody and names nobody, so that all of them seem to be local."""

from __future__ import annotations

import asyncio
from urllib.error import HTTPError

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.attacks.base import attacked
from tests.support.attackers import Link
from tests.support.server_process import OPENER


class CarelessProxyTest(SynchronousTestCase):
    """The main port tells nobody what is for the operator alone, and the log says what is wrong."""

    def test_metrics(self) -> None:
        async def connect() -> None:
            async with Link(server) as link:
                await link.open()

        with attacked() as (server, process):
            with self.assertRaises(HTTPError) as refused:
                OPENER.open(f"http://127.0.0.1:{server.port}/metrics", timeout=5)
            self.assertIn(refused.exception.code, (403, 404))
            asyncio.run(connect())
            self.assertIn("no header names its client", process.log())
