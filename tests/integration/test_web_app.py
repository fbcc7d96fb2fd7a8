"""The web app as this server has it, in a real browser: it reaches a home's API, up to its login form."""

from __future__ import annotations

import asyncio
from unittest import TestCase

from ma_signaling.testing import Message
from tests.support.browser_thread import BrowserThread, HomeThread, Visit
from tests.support.server_process import ServerProcess
from tests.support.web_app import MusicAssistant

AWAY_SECONDS = 3.0
"""The gateway comes back after ten; the web app gives up after thirty."""


class BlinkingHome(MusicAssistant):
    """A home whose connection to the server breaks when it gets its first offer, before it answers."""

    breaks = 1

    async def _accept(self, session_id: str, offer: Message) -> None:
        if not self.breaks:
            await super()._accept(session_id, offer)
            return
        self.breaks -= 1
        # Not from within the loop that reads its connection.
        self.returning = asyncio.create_task(self._come_back())

    async def _come_back(self) -> None:
        await self.cut()
        await asyncio.sleep(AWAY_SECONDS)
        await self.start()


class WebAppTest(TestCase):
    """What a person sees who opens a link with a Remote ID."""

    browser: BrowserThread

    @classmethod
    def setUpClass(cls) -> None:
        cls.browser = BrowserThread()
        cls.browser.start()
        cls.addClassCleanup(cls.browser.stop)

    def arrive(self, kind: type[MusicAssistant]) -> MusicAssistant:
        """Open the web app with the Remote ID of a new home, and return the home when the login form is there."""

        async def start(url: str) -> MusicAssistant:
            home = kind(url)
            await home.start()
            return home

        def log_in(visit: Visit) -> None:
            visit.page.goto(f"{server.http}/app/?remote_id={home.remote_id}")
            visit.page.get_by_role("button", name="Sign In").wait_for()
            self.assertIn(home.remote_id, visit.page.inner_text("body"))

        with ServerProcess("--web-app", "on") as server, HomeThread() as homes:
            home = homes.run(start(server.url))
            try:
                self.browser.visit(log_in)
            finally:
                homes.run(home.stop())
        return home

    def test_login(self) -> None:
        home = self.arrive(MusicAssistant)
        self.assertIn("auth/providers", [command.get("command") for command in home.commands])

    def test_home_breaks_between_offer_and_answer(self) -> None:
        home = self.arrive(BlinkingHome)
        self.assertEqual(len(home.heard("offer")), 2)
