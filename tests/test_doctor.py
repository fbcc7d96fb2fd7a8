"""The pages in a real browser, against the real server and real homes.

Screenshots of both pages go to ``build/screenshots``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.settings import Settings
from ma_signaling.turn import IceServers
from tests.browser import CHROMIUM, BrowserThread, HomeThread, Visit
from tests.server_process import ServerProcess
from tests.stun_server import PUBLIC_ADDRESS, start_stun
from tests.test_turn import allocate, coturn
from tests.webrtc_peers import Home, Message, eventually, remote_id_from_fingerprint

T = TypeVar("T")

SCREENSHOTS = Path(__file__).parent.parent / "build" / "screenshots"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP = {"viewport": {"width": 1200, "height": 850}}
NARROW = {"viewport": {"width": 320, "height": 640}}
MOST_BYTES = 60 * 1024
DOCTOR = Path(__file__).parent.parent / "ma_signaling" / "pages" / "doctor"
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


class DoctorTestCase(SynchronousTestCase):
    """A browser, a server, and homes."""

    def setUp(self) -> None:
        if not CHROMIUM.exists():
            raise SkipTest(f"no {CHROMIUM}: apt-get install chromium")
        self.browser = BrowserThread()
        self.addCleanup(self.browser.stop)
        self.browser.start()
        self.server = ServerProcess("--ready-timeout", "0.5")
        self.addCleanup(self.server.close)
        self.server.start()
        self.homes = HomeThread()
        self.homes.__enter__()
        self.addCleanup(self.homes.__exit__, None, None, None)

    def home(self, kind: type[Home] = Home, **options: Any) -> Home:
        """A home that is online."""
        home = kind(self.server.url, **options)
        self.homes.run(home.start())
        self.addCleanup(lambda: self.homes.run(home.stop()))
        return home

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


class CheckTests(DoctorTestCase):
    """Every way that a check may go."""

    def test_all_good(self) -> None:
        home = self.home(ice_servers=[{"urls": self.stun()}, {"urls": ["stun:127.0.0.1:9"]}])

        def play(visit: Visit) -> tuple[tuple[str, dict[str, str]], str]:
            self.check(visit, f" {home.remote_id.lower()} ")
            found = self.outcome(visit)
            lines = visit.page.locator("#step-ice li").all_inner_texts()
            assert [line.split(": ")[1].split(",")[0] for line in lines] == [
                "reachable",
                "unreachable from here",
            ]
            assert "1 public (STUN), IPv4" in visit.page.locator("#step-path").inner_text()
            visit.page.get_by_role("button", name="Copy report").click()
            return found, visit.page.get_by_label("Report").input_value()

        (summary, statuses), report = self.visit(play)
        assert {step for step, status in statuses.items() if status != "ok"} == {"ice"}, statuses
        assert statuses["ice"] == "warn", "nobody is at the second STUN server"
        assert summary.startswith("It works. This browser reaches your home directly."), summary
        self.assert_nothing_is_left(home)
        assert home.remote_id not in report
        assert home.remote_id[:4] + "…" in report
        assert not re.search(f"127.0.0.1|{PUBLIC_ADDRESS}", report)
        assert "a=" not in report
        story = json.loads(report.rpartition("\n")[2])
        assert story["home"]["answer"] > 0
        assert story["ready"] is True

    def test_link(self) -> None:
        """/doctor#R begins at once, also when the fragment changes."""
        home = self.home()

        def play(visit: Visit) -> str:
            visit.page.goto(f"{self.server.http}/doctor#{home.remote_id}")
            assert self.outcome(visit)[0].startswith("It works."), self.outcome(visit)
            visit.page.evaluate("location.hash = 'NOBODY'")
            visit.page.get_by_text("It stops at").wait_for()
            return self.outcome(visit)[0]

        assert "It stops at: Home online." in self.visit(play)
        self.assert_nothing_is_left(home)

    def test_from_the_front_page(self) -> None:
        def play(visit: Visit) -> None:
            visit.page.goto(self.server.http)
            visit.page.get_by_label("Remote ID of your home").fill("MA-X7K9-P2M4")
            visit.page.keyboard.press("Enter")
            visit.page.get_by_role("button", name="Copy report").wait_for()
            assert visit.page.url.endswith("/doctor#MA-X7K9-P2M4")

        self.visit(play)

    def test_home_offline(self) -> None:
        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, "A" * 26)
            return self.outcome(visit)

        self.assert_stops_at("online", self.visit(play), "No home with this Remote ID", "Remote Access")

    def test_bad_ids(self) -> None:
        cases = [("B" * 26, "mistyped"), ("A" * 25 + "0", "mistyped"), ("ÄÖÜ", "no Remote ID")]

        def play(visit: Visit) -> None:
            for remote_id, phrase in cases:
                self.check(visit, remote_id)
                self.assert_stops_at("id", self.outcome(visit), phrase)

        self.visit(play)

    def test_silent_home(self) -> None:
        home = self.home(SilentHome)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for()
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        found = self.visit(play)
        self.assert_stops_at("answer", found, "says nothing", "Remote Access")
        assert found[1]["ready"] == "warn", found

    def test_deaf_home(self) -> None:
        home = self.home(DeafHome)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for()
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        found = self.visit(play)
        self.assert_stops_at("answer", found, "did not answer the offer")
        assert found[1]["ready"] == "ok", found
        self.assert_nothing_is_left(home)

    def test_home_lost_in_between(self) -> None:
        home = self.home(BreakingHome)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for()
            visit.page.clock.fast_forward(5_000)
            visit.page.get_by_text("waiting for its return").wait_for()
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        self.assert_stops_at("answer", self.visit(play), "broke in the middle")

    def test_home_leaves_in_between(self) -> None:
        home = self.home(LeavingHome)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id)
            return self.outcome(visit)

        self.assert_stops_at("answer", self.visit(play), "ended its connection")

    def test_wrong_fingerprint(self) -> None:
        genuine = Home(self.server.url)
        impostor = self.home(remote_id=genuine.remote_id)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, genuine.remote_id)
            return self.outcome(visit)

        self.assert_stops_at("identity", self.visit(play), "It is not your home", "Do not log in")
        self.assert_nothing_is_left(impostor)

    def test_older_remote_id(self) -> None:
        """It cannot be checked against a certificate, and says so."""
        home = self.home(remote_id="MA-X7K9-P2M4")

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id)
            return self.outcome(visit)

        summary, statuses = self.visit(play)
        assert summary.startswith("It works."), summary
        assert statuses["identity"] == statuses["id"] == "warn", statuses

    def test_no_common_candidate(self) -> None:
        """Relays only, and the home has none."""
        home = self.home()

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id, relay_only=True)
            return self.outcome(visit)

        self.assert_stops_at("path", self.visit(play), "the home has named none")
        self.assert_nothing_is_left(home)

    def test_dead_relay(self) -> None:
        """Relays only, and nobody is where the home says its relay is."""
        relay = {"urls": ["turn:127.0.0.1:9"], "username": "u", "credential": "c"}
        home = self.home(ice_servers=[{"urls": self.stun()}, relay])

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id, relay_only=True)
            return self.outcome(visit)

        found = self.visit(play)
        self.assert_stops_at("path", found, "none of the home's relays")
        assert found[1]["ice"] == "warn", found

    def test_useless_ice_servers(self) -> None:
        home = self.home(ice_servers=[{"urls": "http://relay.example"}])

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id)
            return self.outcome(visit)

        self.assert_stops_at("answer", self.visit(play), "refuses the home's list")

    def test_stop(self) -> None:
        home = self.home(DeafHome)

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for()
            visit.page.get_by_role("button", name="Stop").click()
            return self.outcome(visit)

        summary, statuses = self.visit(play)
        assert summary.startswith("Stopped."), summary
        assert statuses["answer"] == "stop", statuses
        self.assert_nothing_is_left(home)

    def test_server_gone(self) -> None:
        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            visit.page.goto(self.server.http + "/doctor")
            self.server.stop()
            visit.page.get_by_label("Remote ID of your home").fill("MA-X7K9-P2M4")
            visit.page.keyboard.press("Enter")
            found = self.outcome(visit)
            # The browser itself says that it found nobody.
            visit.complaints = [each for each in visit.complaints if "ERR_CONNECTION_REFUSED" not in each]
            return found

        self.assert_stops_at("server", self.visit(play), "could not open a WebSocket")


class RelayTests(DoctorTestCase):
    """With real relays (coturn), and a browser that uses nothing else."""

    def setUp(self) -> None:
        super().setUp()
        relay = coturn()
        port, self.secret = relay.__enter__()
        self.addCleanup(relay.__exit__, None, None, None)
        self.relay = f"turn:127.0.0.1:{port}?transport=udp"
        credentials = IceServers(Settings(turn_urls=("turn:x",)), self.secret.read_bytes().strip())
        servers = credentials.extend(None, time.time(), with_relay=True)
        assert servers is not None
        self.homes.run(allocate(port, json.loads(servers)[0]))

    def test_by_a_relay(self) -> None:
        """The relay is this server's own."""
        self.server.stop()
        self.server = ServerProcess("--turn-urls", self.relay, "--turn-secret-file", str(self.secret))
        self.addCleanup(self.server.close)
        self.server.start()
        home = self.home()

        def play(visit: Visit) -> tuple[tuple[str, dict[str, str]], str, str]:
            self.check(visit, home.remote_id, relay_only=True)
            ice, path = visit.page.locator("#step-ice"), visit.page.locator("#step-path")
            return self.outcome(visit), ice.inner_text(), path.inner_text()

        (summary, statuses), servers, path = self.visit(play)
        assert summary.startswith("It works. This browser reaches your home by a relay."), (summary, servers)
        assert set(statuses.values()) == {"ok"}, statuses
        assert "reachable" in servers, servers
        assert "By a relay." in path, path
        assert "Your end: relayed (TURN), IPv4, UDP" in path, path
        self.assert_nothing_is_left(home)

    def test_wrong_credentials(self) -> None:
        """The relay is the home's own."""
        home = self.home(ice_servers=[{"urls": [self.relay], "username": "9999999999:x", "credential": "no"}])

        def play(visit: Visit) -> tuple[tuple[str, dict[str, str]], str]:
            self.check(visit, home.remote_id, relay_only=True)
            return self.outcome(visit), visit.page.locator("#step-ice").inner_text()

        found, servers = self.visit(play)
        self.assert_stops_at("path", found, "none of the home's relays")
        assert "refused: wrong or expired credentials" in servers, servers


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


class LogicTests(DoctorTestCase):
    """The modules that know nothing of the page."""

    def call(self, module: str, code: str, *arguments: object) -> Any:
        """Evaluate an expression of `m`, a module of the doctor, and `a`, the arguments."""

        def play(visit: Visit) -> Any:
            visit.page.goto(self.server.http + "/doctor")
            script = f"async (a) => {{ const m = await import('/assets/doctor/{module}'); return {code}; }}"
            return visit.page.evaluate(script, list(arguments))

        return self.visit(play)

    def test_remote_ids(self) -> None:
        """As the homes make them."""
        for number in (0, 1, 255):
            fingerprint = ":".join(f"{(number * each + each) % 256:02X}" for each in range(32))
            made = self.call("remote_id.js", "m.fromFingerprint(a[0])", fingerprint)
            assert made == remote_id_from_fingerprint(fingerprint), fingerprint

    def test_typed_remote_ids(self) -> None:
        cases = {
            " maik7 dnl3 ": "MAIK7DNL3",
            "ma-x7k9-p2m4": "MA-X7K9-P2M4",
            "AAAAAAAA-AAAAAAAA-AAAAAAAAAA": "A" * 26,
            "https://app.example/?remote_id=" + "a" * 26 + "&x=y": "A" * 26,
        }
        assert self.call("remote_id.js", "a[0].map(m.tidy)", list(cases)) == list(cases.values())

    def test_fingerprints_that_cannot_be_checked(self) -> None:
        """All that count must be SHA-256, at session level and below: a browser may prefer any of them."""
        right, wrong = ":".join(["AB"] * 32), ":".join(["CD"] * 32)
        lines = [("sha-512", wrong), ("SHA-256", right), ("sha-256", wrong)]
        sdp = "\r\n".join(["v=0", *(f"a=fingerprint:{hash} {value}" for hash, value in lines), "m=x"])
        found = self.call("remote_id.js", "m.inDescription(a[0])", sdp)
        assert found == [remote_id_from_fingerprint(each) for each in (right, wrong)]
        assert "sha-512" not in self.call("remote_id.js", "m.withoutOtherFingerprints(a[0])", sdp)

    def test_why_no_path(self) -> None:
        cases: list[tuple[str, str, str, bool, str]] = [
            ("", "host", "", False, "no-local-candidates"),
            ("", "host", "", True, "no-relay-given"),
            ("", "host", "relay", True, "relays-unreachable"),
            ("host", "", "", False, "no-remote-candidates"),
            ("host", "host", "", False, "only-local"),
            ("host", "host srflx", "", False, "no-public-here"),
            ("host srflx", "host", "", False, "no-public-there"),
            ("host srflx", "host srflx", "", False, "no-relay"),
            ("host srflx", "host srflx", "relay", False, "relays-unreachable"),
            ("host srflx relay", "host srflx", "relay", False, "relay-in-vain"),
            ("host srflx", "host srflx relay", "", False, "relay-in-vain"),
        ]
        given = [
            {
                "local": [{"type": each} for each in local.split()],
                "remote": [{"type": each} for each in remote.split()],
                "probes": [{"kind": each} for each in probes.split()],
                "relayOnly": relay_only,
            }
            for local, remote, probes, relay_only, _ in cases
        ]
        assert self.call("verdicts.js", "a[0].map(m.whyNoPath)", given) == [code for *_, code in cases]

    def test_every_code_has_its_sentences(self) -> None:
        sources = "".join(path.read_text() for path in DOCTOR.glob("*.js") if path.name != "sentences.js")
        codes = set(re.findall(r'new Stop\("([a-z-]+)"', sources))
        codes |= set(re.findall(r'_WITHIN, "([a-z-]+)"', sources))
        codes |= set(
            re.findall(
                r'(?:return|[?:]) "((?:no|only|relays?)-[a-z-]+)"', (DOCTOR / "verdicts.js").read_text()
            )
        )
        codes |= {"id-bad", "id-mistyped", "home-lost", "home-silent", "no-answer"}
        # The one that findPath turns into those of verdicts.js.
        codes -= {"no-path"}
        assert len(codes) > 25, codes
        details = {"seconds": 7, "code": 1012, "text": "Why."}
        said = self.call("sentences.js", "a[0].map((code) => m.explain(code, a[1]))", sorted(codes), details)
        for code, each in zip(sorted(codes), said, strict=True):
            assert code == "unexpected" or not each["text"].startswith("The check itself failed"), code
            assert each["text"].endswith("."), each
            assert each["advice"].endswith(".") or code == "stopped", each
            assert "undefined" not in str(each), each

    def test_shortened(self) -> None:
        cases = {
            "from 203.0.113.77:4000": "from 203.0.x.x:4000",
            "turn:[2001:db8:1::77]:3478": "turn:[2001:db8:…]:3478",
            "fe80::fc:ff:fe00:1 and ::1": "fe80::… and ::1",
            "home ABCDEFGH": "home ABCD…",
            "2026-11-23T12:34:56Z": "2026-11-23T12:34:56Z",
        }
        found = self.call("report.js", "a[0].map((text) => m.shorten(text, 'ABCDEFGH'))", list(cases))
        assert dict(zip(cases, found, strict=True)) == cases


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
