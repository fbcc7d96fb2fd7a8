"""What holds for both pages in a real browser. Screenshots go to ``build/screenshots``."""

from __future__ import annotations

import re
from functools import partial

from tests import ROOT
from tests.support.browser_cases import DESKTOP, DoctorTestCase
from tests.support.browser_thread import Visit

SCREENSHOTS = ROOT / "build" / "screenshots"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
NARROW = {"viewport": {"width": 320, "height": 640}}
MOST_BYTES = 60 * 1024


class LooksTests(DoctorTestCase):
    """What holds for any page: small, readable, operable, at any width, in any light."""

    def pages(self) -> list[str]:
        """The addresses of both pages; the doctor's begins a check that succeeds."""
        home = self.home(ice_servers=[{"urls": self.stun()}])
        return [self.server.http + "/", f"{self.server.http}/doctor#{home.remote_id}"]

    def open(self, visit: Visit, url: str) -> None:
        """Open a page, and wait until it is at rest."""
        visit.page.goto(url)
        if "#" in url:
            visit.page.get_by_role("button", name="Copy report").wait_for()

    def test_every_control_has_a_name(self) -> None:
        def play(visit: Visit) -> None:
            for url in self.pages():
                self.open(visit, url)
                for control in visit.page.locator("input, button, textarea, a").all():
                    tree = control.aria_snapshot() if control.is_visible() else '- hidden "x"'
                    assert re.match(r'- \w+ "[^"]+"', tree), (url, tree)
                assert visit.page.locator("html").get_attribute("lang") == "en"
                assert visit.page.title()
                assert visit.page.locator("h1").count() == 1

        self.visit(play)

    def test_by_keyboard(self) -> None:
        """Every control is reached by Tab, with an outline that shows where one is."""

        def play(visit: Visit) -> None:
            for url in self.pages():
                self.open(visit, url)
                visit.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
                wanted = visit.page.locator("input:visible, button:enabled:visible, a:visible").count()
                reached = set()
                for _ in range(wanted):
                    visit.page.keyboard.press("Tab")
                    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    assert outline == "solid", url
                    reached.add(visit.page.evaluate("document.activeElement.outerHTML"))
                assert len(reached) == wanted, (url, reached)

        self.visit(play)

    def test_contrast(self) -> None:
        """All text has a contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3), in both lights."""
        for scheme in ("light", "dark"):
            self.visit(self.assert_contrast, color_scheme=scheme)

    def assert_contrast(self, visit: Visit) -> None:
        """Both pages, in the light that the visit has."""
        for url in self.pages():
            self.open(visit, url)
            found = visit.page.evaluate(CONTRAST)
            assert not found["below"], (url, found)
            assert found["seen"] > 5, found

    def test_narrow(self) -> None:
        """320 px wide, nothing needs scrolling sideways."""

        def play(visit: Visit) -> None:
            for url in self.pages():
                self.open(visit, url)
                assert visit.page.evaluate("document.documentElement.scrollWidth") <= 320, url

        self.visit(play, **NARROW)

    def test_size(self) -> None:
        """All that is transferred for a page and its check, headers included, is below 60 KiB."""

        def play(visit: Visit) -> None:
            session = visit.page.context.new_cdp_session(visit.page)
            session.send("Network.enable")
            sizes: list[float] = []
            session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
            for url in self.pages():
                sizes.clear()
                self.open(visit, url)
                visit.page.wait_for_load_state("networkidle")
                assert 1024 < sum(sizes) < MOST_BYTES, (url, sizes)

        self.visit(play)

    def test_screenshots(self) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for device, options in (("phone", PHONE), ("desktop", DESKTOP)):
            for scheme in ("light", "dark"):
                take = partial(self.take_screenshots, f"{device}-{scheme}")
                self.visit(take, color_scheme=scheme, **options)

    def take_screenshots(self, name: str, visit: Visit) -> None:
        """Both pages at rest, and the doctor after a failure."""

        def take(page: str) -> None:
            path = SCREENSHOTS / f"{page}-{name}.png"
            visit.page.screenshot(path=path, full_page=True, animations="disabled")

        for page, url in zip(("root", "doctor"), self.pages(), strict=True):
            self.open(visit, url)
            take(page)
        self.check(visit, "A" * 26)
        self.outcome(visit)
        take("offline")


CONTRAST = """() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = channels(color).map((each) => each / 255)
            .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (channels(color)[3] !== 0) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const shown = [...document.querySelectorAll("body *")].filter((element) =>
        element.checkVisibility() && !element.disabled
        && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    const ratios = shown.map((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
        return [element.outerHTML.slice(0, 80), (a + 0.05) / (b + 0.05)];
    });
    return { seen: ratios.length, below: ratios.filter(([, ratio]) => ratio < 4.5) };
}"""
