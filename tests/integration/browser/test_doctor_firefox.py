"""The connection check in Firefox, on a small screen: against the real server and real homes."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import SkipTest

from ma_signaling.testing import Home
from tests.support.browser_cases import HangingUpHome, HollowHome, HomesTestCase, ServingHome
from tests.support.firefox_browser import FIREFOX, FirefoxBrowser

WITHIN = 55.0

OUTCOME = """new Promise((resolve) => {
    const main = document.getElementById("main");
    const look = () => {
        if (["idle", "run"].includes(main.dataset.state)) return;
        const headline = document.getElementById("headline");
        const step = (id) => document.getElementById(`step-${id}`);
        resolve({
            state: main.dataset.state,
            headline: headline.textContent,
            text: document.getElementById("verdict").innerText,
            bottom: headline.getBoundingClientRect().bottom,
            wide: document.documentElement.scrollWidth,
            path: step("path").textContent,
            speed: step("speed").dataset.status,
            trace: document.getElementById("trace").href,
        });
    };
    new MutationObserver(look).observe(main, { attributes: true });
    look();
})"""

TRACE = """new Promise((resolve) => {
    const rows = () => document.getElementById("events").innerText;
    const timer = setInterval(() => rows() && (clearInterval(timer), resolve(rows())), 20);
})"""


class FirefoxTests(HomesTestCase):
    """What Firefox does in a way of its own: candidates, statistics, styles, modules."""

    def setUp(self) -> None:
        if not FIREFOX:
            raise SkipTest("no firefox-esr: apt-get install firefox-esr")
        super().setUp()

    def test_states(self) -> None:
        """It works; somebody else answers; the home isn't there."""
        home = self.home(ServingHome)
        genuine = Home(self.server.url)
        self.home(remote_id=genuine.remote_id)

        async def play() -> tuple[list[dict[str, Any]], str]:
            outcomes = []
            async with asyncio.timeout(WITHIN), FirefoxBrowser(360, 740) as firefox:
                for remote_id in (home.remote_id, genuine.remote_id, "A" * 26):
                    # Another fragment alone would load nothing.
                    await firefox.open("about:blank")
                    await firefox.open(f"{self.server.http}/doctor#{remote_id}")
                    outcomes.append(await firefox.evaluate(OUTCOME))
                await firefox.open(outcomes[0]["trace"])
                trace = str(await firefox.evaluate(TRACE))
                assert not firefox.complaints, firefox.complaints
            return outcomes, trace

        (works, danger, offline), trace = self.homes.run(play())
        for found in (works, danger, offline):
            assert found["bottom"] <= 740, found
            assert found["wide"] <= 360, found
        assert (works["state"], works["headline"], works["speed"]) == ("ok", "It works", "ok"), works
        assert "reaches Music Assistant 2.10.0 at your home directly." in works["text"], works
        assert "host/udp/ipv4" in works["path"], works
        assert (danger["state"], danger["headline"]) == ("danger", "This is not your home!"), danger
        assert danger["text"].startswith("This is not your home!"), danger
        assert "Don't log in" in danger["text"], danger
        assert "Try again" not in danger["text"], danger
        assert (offline["state"], offline["headline"]) == ("fail", "Your home isn't connected"), offline
        assert "Check that Music Assistant is running at home." in offline["text"], offline
        assert "asks for the home" in trace, trace
        assert "leaves" in trace, trace

    def test_channel_and_connection(self) -> None:
        """Music Assistant is down where the channel ends alone, and not where the whole connection does."""
        homes = [self.home(HollowHome), self.home(HangingUpHome)]

        async def play() -> list[str]:
            headlines = []
            async with asyncio.timeout(WITHIN), FirefoxBrowser(360, 740) as firefox:
                for home in homes:
                    await firefox.open("about:blank")
                    await firefox.open(f"{self.server.http}/doctor#{home.remote_id}")
                    headlines.append(str((await firefox.evaluate(OUTCOME))["headline"]))
            return headlines

        assert self.homes.run(play()) == ["Music Assistant doesn't answer", "The connection was lost"]
