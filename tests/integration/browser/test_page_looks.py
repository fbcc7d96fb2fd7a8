"""What holds for every page in a real browser, in each state. Screenshots go to ``build/screenshots``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python

from tests import ROOT
from tests.support.browser_cases import DESKTOP, DoctorTestCase, ServingHome
from tests.support.browser_thread import Visit

SCREENSHOTS = ROOT / "build" / "screenshots"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
PHONE = {"viewport": {"width": 360, "height": 740}}
NARROW = {"viewport": {"width": 320, "height": 640}}
MAX_BYTES = 80 * 1024

REMARKS = [{"code": code, "values": {"step": "answer"}} for code in ("relays-udp-only", "slow-start")]
GOOD = {"remarks": [], "relayed": False, "version": "2.10.0", "ms": 1400}
VERDICTS: dict[str, dict[str, Any]] = {
    "ok": GOOD,
    "remarks": {**GOOD, "relayed": True, "remarks": REMARKS, "ms": 9100},
    "stopped": {"failure": {"step": "path", "code": "stopped"}, "remarks": []},
    "offline": {"failure": {"step": "online", "code": "home-offline"}, "remarks": []},
    "blocked": {"failure": {"step": "path", "code": "relays-unreachable"}, "remarks": []},
    "danger": {"failure": {"step": "identity", "code": "fingerprint-wrong"}, "remarks": []},
}
"""What a run may return, for each kind of verdict."""

UNANSWERED = {
    "announced": 0,
    "connected": 10_002,
    "ready": False,
    "homeLost": 20_000,
    "homeReturned": 30_000,
    "ended": 45_000,
    "endedBy": "server",
    "end": "unanswered",
    "client": {"offer": 10_100, "trickled": {"host/udp/ipv4": 2}, "inSdp": {}},
    "home": {"trickled": {}, "inSdp": {}},
    "verdict": {"code": "home-silent", "text": ""},
}
"""The trace of a session that this server has ended."""

SHOW = """async ({ result, steps }) => {
    const view = await import("/assets/doctor/view.js");
    const { STEPS } = await import("/assets/doctor/run.js");
    const at = STEPS.findIndex(([id]) => id === (result.failure?.step ?? "none"));
    const told = STEPS.map(([id], index) => [id, { status: at < 0 || index < at ? "ok" : "wait" }]);
    const { code } = result.failure ?? {};
    if (at >= 0) told[at][1] = { status: code === "stopped" ? "stop" : "fail", failure: code };
    view.showStations(new Map(told));
    view.showVerdict(result);
}"""

ENLARGE = """() => {
    document.documentElement.style.fontSize = "200%";
    return document.documentElement.scrollWidth;
}"""

PROGRESS = """async (news) => {
    const view = await import("/assets/doctor/view.js");
    const { STEPS } = await import("/assets/doctor/run.js");
    const status = (index) => ["ok", "ok", "run"][index] ?? "wait";
    view.showStations(new Map(STEPS.map(([id], index) => [id, { status: status(index) }])));
    view.showProgress("online", news);
}"""


def watch_sizes(visit: Visit) -> list[float]:
    """A list to which the bytes of each transfer are added, headers included."""
    session = visit.page.context.new_cdp_session(visit.page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    return sizes


class LooksTests(DoctorTestCase):
    """What holds for any page: small, readable, operable, at any width, in any light."""

    checked_bytes: float
    session_id: str

    def states(self, visit: Visit) -> Iterator[str]:
        """The names of all pages and states, each after it is shown."""
        page = visit.page
        page.goto(self.server.http)
        page.locator("#address[value^=ws], #tls:visible, #no-tls:visible").first.wait_for()
        yield "front-page"
        page.goto(self.server.http + "/nowhere")
        # A browser complains of each 404.
        visit.complaints.clear()
        yield "missing"
        page.goto(f"{self.server.http}/sessions/{self.session_id}")
        page.locator("#events tr").last.wait_for()
        yield "session"
        page.route("**/api/sessions/*", lambda route: route.fulfill(json=UNANSWERED))
        page.reload()
        page.get_by_text("45.0 s, Server: no longer waits for an answer").wait_for()
        page.unroute("**/api/sessions/*")
        yield "session-unanswered"
        page.goto(f"{self.server.http}/sessions/nobody-knows-it")
        page.get_by_role("heading", name="Nothing is known about this session").wait_for()
        visit.complaints.clear()
        yield "session-unknown"
        self.open(visit)
        yield "doctor"
        for name, news in (("running", {}), ("away", {"away": 17})):
            page.evaluate(PROGRESS, news)
            yield name
        for name, result in VERDICTS.items():
            page.evaluate(SHOW, {"result": result})
            yield name
        page.get_by_text("Details").click()
        yield "details"

    @classmethod
    def setUpClass(cls) -> None:
        """Make a check whose session's trace can be looked at, and note what is transferred for it."""
        super().setUpClass()
        home = ServingHome(cls.server.url)
        cls.homes.run(home.start())
        cls.addClassCleanup(lambda: cls.homes.run(home.stop()))

        def play(visit: Visit) -> tuple[float, str]:
            sizes = watch_sizes(visit)
            visit.page.goto(f"{cls.server.http}/doctor#{home.remote_id}")
            visit.page.locator("[data-state=ok]").wait_for()
            return sum(sizes), str(visit.page.locator("#trace").get_attribute("href"))

        cls.checked_bytes, link = cls.browser.visit(play, **DESKTOP)
        cls.session_id = link.rpartition("/")[2]

    def test_every_state(self) -> None:
        """axe-core finds nothing (WCAG 2.2 AA, best practice), and the headline needs no scrolling."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)

        def play(visit: Visit) -> None:
            visit.page.add_init_script(AXE)
            for state in self.states(visit):
                shot = SCREENSHOTS / f"{state}-{device}-{scheme}.png"
                visit.page.screenshot(path=shot, full_page=state != "danger", animations="disabled")
                found = visit.page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
                assert not found, (state, device, scheme, json.dumps(found, indent=1)[:3000])
                headline = visit.page.locator("#headline:visible, h1").last.bounding_box()
                assert headline is not None
                if state in VERDICTS:
                    told = [visit.page.locator(each).is_visible() for each in ("#try-box", "#remarks-box")]
                    wanted = state in ("offline", "blocked", "danger"), state == "remarks"
                    assert told == [*wanted], state
                if state == "remarks":
                    # A step is called by its station.
                    assert "Most of it went into: Your home." in visit.page.locator("#remarks").inner_text()
                assert headline["y"] + headline["height"] <= visit.page.viewport_size["height"], state  # type: ignore[index]

        for device, options in (("phone", PHONE), ("desktop", DESKTOP)):  # noqa: B007
            for scheme in ("light", "dark"):
                self.visit(play, color_scheme=scheme, reduced_motion="reduce", **options)

    def test_every_language(self) -> None:
        """On a small phone each headline is in view, and nothing needs scrolling sideways."""

        def play(visit: Visit) -> None:
            self.open(visit)
            wide = visit.page.evaluate(
                """async (show) => {
                    const { FAILURES } = await import("/assets/doctor/advice.js");
                    const view = await import("/assets/doctor/view.js");
                    return Object.keys(FAILURES).filter((code) => {
                        const details = { seconds: 30, code: 4029, text: "x".repeat(200) };
                        view.showVerdict({ failure: { step: "path", code, details }, remarks: [] });
                        const { bottom } = document.getElementById("headline").getBoundingClientRect();
                        return bottom > innerHeight || document.documentElement.scrollWidth > innerWidth;
                    });
                }"""
            )
            assert not wide, (language, wide)
            visit.page.screenshot(path=SCREENSHOTS / f"verdict-{language}.png")
            for path in ("/", "/nowhere", f"/sessions/{self.session_id}"):
                visit.page.goto(self.server.http + path)
                width = visit.page.evaluate("document.documentElement.scrollWidth")
                assert width <= NARROW["viewport"]["width"], (language, path)
                assert visit.page.evaluate(ENLARGE) <= NARROW["viewport"]["width"], (language, path, "200 %")
            visit.complaints.clear()

        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for language in ("en", "de", "nl", "fr"):
            self.visit(play, locale=language, **NARROW)

    def test_large_text(self) -> None:
        """At 200 % of the usual size, on a small phone, nothing needs scrolling sideways (WCAG 1.4.4)."""

        def play(visit: Visit) -> None:
            for state in self.states(visit):
                assert visit.page.evaluate(ENLARGE) <= NARROW["viewport"]["width"], state

        self.visit(play, **NARROW)

    def test_without_javascript(self) -> None:
        """Each page says what needs it, and shows nothing that does."""

        def play(visit: Visit) -> None:
            for path, useless in (
                ("/", "#form, #where"),
                ("/doctor", "#stations"),
                ("/sessions/x", "#verdict"),
            ):
                visit.page.goto(self.server.http + path)
                said = visit.page.locator("noscript p")
                assert said.count() == 1, path
                assert "needs JavaScript" in str(said.text_content()), path
                assert said.is_visible(), path
                for each in visit.page.locator(useless).all():
                    assert not each.is_visible(), path

        self.visit(play, java_script_enabled=False)

    def test_by_keyboard(self) -> None:
        """Every control is reached by Tab, with an outline that shows where one is."""

        def play(visit: Visit) -> None:
            for state in self.states(visit):
                if state not in ("front-page", "session", "doctor", "remarks", "danger"):
                    continue
                visit.page.locator("h1").evaluate("(top) => { top.tabIndex = -1; top.focus(); }")
                controls = "input:visible, button:enabled:visible, a[href]:visible, summary:visible"
                wanted = visit.page.locator(controls).count()
                reached = set()
                for _ in range(wanted):
                    visit.page.keyboard.press("Tab")
                    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    assert outline == "solid", state
                    reached.add(visit.page.evaluate("document.activeElement.outerHTML"))
                assert len(reached) == wanted, (state, reached)

        self.visit(play)

    def test_size(self) -> None:
        """All that is transferred for a page and its check, headers included, is below 80 KiB."""
        assert 10_000 < self.checked_bytes < MAX_BYTES, self.checked_bytes

        def play(visit: Visit) -> None:
            sizes = watch_sizes(visit)
            for path in ("/", f"/sessions/{self.session_id}"):
                sizes.clear()
                visit.requests.clear()
                visit.page.goto(self.server.http + path)
                visit.page.wait_for_load_state("networkidle")
                assert 1024 < sum(sizes) < MAX_BYTES, (path, sizes)

        self.visit(play)
