"""A browser, a server and homes of all kinds, for the tests of the pages."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from unittest import SkipTest

import aiortc
from playwright.sync_api import Locator, WebSocketRoute
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import Home, Message, eventually
from tests.support.browser_thread import CHROMIUM, BrowserThread, HomeThread, Visit
from tests.support.server_process import ServerProcess
from tests.support.stun_server import start_stun
from tests.support.web_app import MusicAssistant

T = TypeVar("T")

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
STEPS = [
    "id",
    "server",
    "online",
    "ready",
    "ice",
    "answer",
    "identity",
    "path",
    "secure",
    "channel",
    "api",
    "speed",
]


class Outcome(NamedTuple):
    """The result of a check on the page; ``steps`` and ``stations`` have the status of each."""

    state: str
    headline: str
    text: str
    steps: dict[str, str]
    stations: dict[str, str]


def hang_up(home: Home) -> asyncio.Future[list[None]]:
    """End all WebRTC connections of a home properly."""
    return asyncio.gather(*(connection.close() for connection in home.sessions.values()))


class SilentHome(Home):
    """Is connected, and sends nothing."""

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


class ServingHome(MusicAssistant):
    """Also answers requests for files, as the home's own web server does: in two parts, as a gateway sends big ones."""

    requests = 0

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        request = json.loads(text)
        if request.get("type") != "http-proxy-request":
            super()._command(channel, text)
            return
        self.requests += 1
        reply = {"type": "http-proxy-response", "id": request["id"], "status": 200, "headers": {}}
        whole = base64.b64encode(json.dumps({**reply, "body": "00" * 20_000}).encode()).decode()
        for number, part in enumerate((whole[:32_000], whole[32_000:])):
            frame = {"type": "__chunk__", "id": self.requests, "seq": number, "count": 2, "b64": part}
            channel.send(json.dumps(frame))


class HollowHome(MusicAssistant):
    """Its Music Assistant is down: the agent beside it opens the channel, and closes it."""

    def _greet(self, channel: aiortc.RTCDataChannel) -> None:
        channel.close()


class HangingUpHome(MusicAssistant):
    """Opens the channel, and immediately ends the whole connection."""

    def _greet(self, channel: aiortc.RTCDataChannel) -> None:
        self.closing = hang_up(self)


class ClosingHome(MusicAssistant):
    """Its Music Assistant goes down while the speed is measured."""

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        channel.close()


class GoingHome(MusicAssistant):
    """Its machine goes down while the speed is measured."""

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        self.closing = hang_up(self)


class SparingHome(MusicAssistant):
    """Answers one request for a file, and no more."""

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        if not self.commands:
            channel.send(
                json.dumps({"type": "http-proxy-response", "id": json.loads(text)["id"], "body": ""})
            )
        self.commands.append(json.loads(text))


class NewHome(MusicAssistant):
    """Was never set up."""

    def _greet(self, channel: aiortc.RTCDataChannel) -> None:
        super()._greet(channel)
        channel.send(json.dumps({"message_id": "connection", "error_code": 503, "details": "Setup required"}))


def stop_as_if_the_home_had_left(code: int, socket: WebSocketRoute) -> None:
    """Tell the client that the home has left, as a stopping server does, and close."""
    left = {"type": "error", "error": "Server disconnected", "code": "server-disconnected"}
    socket.send(json.dumps(left))
    socket.close(code=code)


class HomesTestCase(SynchronousTestCase):
    """A server, and homes."""

    server: ServerProcess
    homes: HomeThread

    def setUp(self) -> None:
        self.server = self.enterContext(ServerProcess("--ready-timeout", "0.5", "--start-grace", "0"))
        self.homes = self.enterContext(HomeThread())

    def home(self, kind: type[Home] = Home, **options: Any) -> Home:
        """Return a home that is online."""
        home = kind(self.server.url, **options)
        self.homes.run(home.start())
        self.addCleanup(lambda: self.homes.run(home.stop()))
        return home


class DoctorTestCase(HomesTestCase):
    """A server, homes and a browser, which the tests of a class share: each visit has a fresh profile."""

    browser: BrowserThread

    @classmethod
    def setUpClass(cls) -> None:
        if not CHROMIUM.exists():
            raise SkipTest(f"no {CHROMIUM}: apt-get install chromium")
        super().setUpClass()
        cls.server = cls.enterClassContext(
            ServerProcess("--ready-timeout", "0.5", "--start-grace", "0", "--park", "4")
        )
        cls.homes = cls.enterClassContext(HomeThread())
        cls.browser = BrowserThread()
        cls.addClassCleanup(cls.browser.stop)
        cls.browser.start()

    def setUp(self) -> None: ...

    def stun(self) -> str:
        """Return the address of a working STUN server."""
        url, close = self.homes.run(start_stun())
        self.addCleanup(lambda: self.homes.run(close()))
        return url

    def visit(self, play: Callable[[Visit], T], **options: Any) -> T:
        """Visit the server with a browser; any complaint and any request to a foreign host fail the test."""

        def watched(visit: Visit) -> T:
            result = play(visit)
            assert not visit.complaints, visit.complaints
            host = self.server.http.partition("//")[2]
            foreign = [url for url in visit.requests if url.split("/")[2] != host]
            assert not foreign, foreign
            return result

        try:
            return self.browser.visit(watched, **{**DESKTOP, "locale": "en-GB", **options})
        except Exception as error:
            raise self.failureException(f"{error}\n--- the server's log ---\n{self.server.log()}") from error

    def call(self, module: str, code: str, *arguments: object) -> Any:
        """Evaluate an expression of `m`, a module of the doctor, and `a`, the arguments."""

        def play(visit: Visit) -> Any:
            visit.page.goto(self.server.http)
            script = f"async (a) => {{ const m = await import('/assets/doctor/{module}'); return {code}; }}"
            return visit.page.evaluate(script, list(arguments))

        return self.visit(play)

    def open(self, visit: Visit) -> None:
        """Open the doctor, and wait until its scripts run."""
        visit.page.goto(self.server.http + "/doctor")
        visit.page.locator("#steps > li").last.wait_for(state="attached")

    def check(self, visit: Visit, remote_id: str, *, only: str = "") -> None:
        """Open the doctor, and begin a check."""
        self.open(visit)
        visit.page.get_by_label("Remote ID of your home").fill(remote_id)
        if only:
            visit.page.get_by_text("Test only a part").click()
            visit.page.get_by_label(only).check()
        visit.page.get_by_role("button", name="Check", exact=True).click()

    def outcome(self, visit: Visit) -> Outcome:
        """Wait for the end of a check, and return what the page says then."""
        visit.page.locator("main:not([data-state=run], [data-state=idle])").wait_for()
        items = visit.page.locator("#steps > li").all()
        stations = visit.page.locator("#stations > li").all()

        def statuses(items: list[Locator]) -> dict[str, str]:
            return {
                str(each.get_attribute("id")).partition("-")[2]: str(each.get_attribute("data-status"))
                for each in items
            }

        return Outcome(
            state=str(visit.page.locator("main").get_attribute("data-state")),
            headline=str(visit.page.locator("#headline").text_content()),
            text=visit.page.locator("#verdict").inner_text(),
            steps=statuses(items),
            stations=statuses(stations),
        )

    def outcome_of(self, remote_id: str, **options: str) -> Outcome:
        """Return how a check of this Remote ID ends."""

        def play(visit: Visit) -> Outcome:
            self.check(visit, remote_id, **options)
            return self.outcome(visit)

        return self.visit(play)

    def assert_stops_at(self, step: str, station: str, found: Outcome, headline: str, *phrases: str) -> None:
        """Assert that the check failed first at ``step``, showed it at ``station``, and tried nothing after it."""
        at = STEPS.index(step)
        assert found.state in ("fail", "danger"), found
        assert found.steps[step] == "fail", found
        assert all(found.steps[each] in ("ok", "warn") for each in STEPS[:at] if each != "ice"), found
        assert all(found.steps[each] == "wait" for each in STEPS[at + 1 :]), found
        assert found.stations[station] == "fail", found
        assert [*found.stations.values()].count("fail") == 1, found
        assert found.headline == headline, found
        for phrase in phrases:
            assert phrase in found.text, found.text

    def assert_nothing_is_left(self, home: Home) -> None:
        """Assert that the home has heard a goodbye for each session, and has none left."""

        async def gone() -> None:
            await eventually(
                lambda: len(home.heard("client-connected")) == len(home.heard("client-disconnected")),
                "goodbyes",
            )
            await eventually(lambda: not home.sessions, "no sessions at the home")

        self.homes.run(gone())
