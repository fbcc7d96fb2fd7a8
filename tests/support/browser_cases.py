"""A browser, a server and homes of all kinds, for the tests of the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.browser_thread import CHROMIUM, BrowserThread, HomeThread, Visit
from tests.support.server_process import ServerProcess
from tests.support.stun_server import start_stun
from tests.support.webrtc_peers import Home, Message, eventually

T = TypeVar("T")

DESKTOP = {"viewport": {"width": 1200, "height": 850}}
STEPS = ["server", "id", "online", "ready", "ice", "answer", "identity", "path", "secure", "channel", "rtt"]


class SilentHome(Home):
    """Is connected, and says nothing."""

    async def _handle(self, message: Message) -> None: ...


class DeafHome(Home):
    """Gets ready, and answers no offer."""

    async def _accept(self, session_id: str, offer: Message) -> None: ...


class BreakingHome(Home):
    """Its connection breaks when it should answer."""

    async def _accept(self, session_id: str, offer: Message) -> None:
        self._socket.get_extra_info("socket").shutdown(2)


class LeavingHome(Home):
    """Is stopped when it should answer."""

    async def _accept(self, session_id: str, offer: Message) -> None:
        await self._socket.close()


class HomesTestCase(SynchronousTestCase):
    """A server, and homes."""

    def setUp(self) -> None:
        self.server = self.enterContext(ServerProcess("--ready-timeout", "0.5", "--start-grace", "0"))
        self.homes = HomeThread()
        self.homes.__enter__()
        self.addCleanup(self.homes.__exit__, None, None, None)

    def home(self, kind: type[Home] = Home, **options: Any) -> Home:
        """A home that is online."""
        home = kind(self.server.url, **options)
        self.homes.run(home.start())
        self.addCleanup(lambda: self.homes.run(home.stop()))
        return home


class DoctorTestCase(HomesTestCase):
    """And a browser, which the tests of a class share: each visit has a fresh profile."""

    browser: BrowserThread

    @classmethod
    def setUpClass(cls) -> None:
        if not CHROMIUM.exists():
            raise SkipTest(f"no {CHROMIUM}: apt-get install chromium")
        super().setUpClass()
        cls.browser = BrowserThread()
        cls.addClassCleanup(cls.browser.stop)
        cls.browser.start()

    def stun(self) -> str:
        """The address of a STUN server that works."""
        url, close = self.homes.run(start_stun())
        self.addCleanup(lambda: self.homes.run(close()))
        return url

    def visit(self, play: Callable[[Visit], T], **options: Any) -> T:
        """Visit the server with a browser; whatever it complains of fails the test, and so does a foreign request."""

        def watched(visit: Visit) -> T:
            result = play(visit)
            assert not visit.complaints, visit.complaints
            host = self.server.http.partition("//")[2]
            foreign = [url for url in visit.requests if url.split("/")[2] != host]
            assert not foreign, foreign
            return result

        try:
            return self.browser.visit(watched, **{**DESKTOP, **options})
        except Exception as error:
            raise self.failureException(f"{error}\n--- the server's log ---\n{self.server.log()}") from error

    def check(self, visit: Visit, remote_id: str, *, relay_only: bool = False) -> None:
        """Open the doctor, and begin a check."""
        visit.page.goto(self.server.http + "/doctor")
        visit.page.get_by_label("Remote ID of your home").fill(remote_id)
        if relay_only:
            visit.page.get_by_label("Use relays").check()
        visit.page.get_by_role("button", name="Check").click()

    def outcome(self, visit: Visit) -> tuple[str, dict[str, str]]:
        """Wait for the end of a check: its summary, and the status of each step."""
        visit.page.get_by_role("button", name="Copy report").wait_for()
        items = visit.page.locator("#steps > li").all()
        statuses = {str(item.get_attribute("id")): str(item.get_attribute("data-status")) for item in items}
        return visit.page.get_by_role("status").inner_text(), {
            name.removeprefix("step-"): status for name, status in statuses.items()
        }

    def assert_stops_at(self, step: str, found: tuple[str, dict[str, str]], *phrases: str) -> None:
        """The check went well until `step`, failed there, and said why; what follows was not tried."""
        summary, statuses = found
        at = STEPS.index(step)
        assert statuses[step] == "fail", found
        assert all(statuses[each] in ("ok", "warn") for each in STEPS[:at]), found
        assert all(statuses[each] == "wait" for each in STEPS[at + 1 :]), found
        for phrase in phrases:
            assert phrase in summary, summary

    def assert_nothing_is_left(self, home: Home) -> None:
        """The home has heard a goodbye for each session, and has none left."""

        async def gone() -> None:
            await eventually(
                lambda: len(home.heard("client-connected")) == len(home.heard("client-disconnected")),
                "goodbyes",
            )
            await eventually(lambda: not home.sessions, "no sessions at the home")

        self.homes.run(gone())
