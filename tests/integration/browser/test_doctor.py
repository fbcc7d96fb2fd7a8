"""The connection check in a real browser, against the real server and real homes: what works, and what follows."""

from __future__ import annotations

import json
import re
import socket
import time
from unittest import SkipTest, mock

from playwright.sync_api import Route

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from tests.support.browser_cases import (
    DeafHome,
    DoctorTestCase,
    Outcome,
    ServingHome,
)
from tests.support.browser_thread import Visit
from tests.support.coturn_process import allocate, coturn
from tests.support.server_process import ServerProcess
from tests.support.stun_server import PUBLIC_ADDRESS
from tests.support.web_app import MusicAssistant


class CheckTests(DoctorTestCase):
    """A check that works, and what a person does with it."""

    def test_all_good(self) -> None:
        home = self.home(ServingHome, ice_servers=[{"urls": self.stun()}, {"urls": ["stun:127.0.0.1:9"]}])

        def play(visit: Visit) -> tuple[Outcome, str, str]:
            visit.page.add_init_script("navigator.share = async (data) => { window.shared = data; }")
            self.check(visit, f" {home.remote_id.lower()} ")
            found = self.outcome(visit)
            visit.page.get_by_role("button", name="Share result").click()
            shared = visit.page.evaluate("window.shared")
            assert shared["text"].startswith("It works. This device reaches"), shared
            assert re.fullmatch(rf"{self.server.http}/sessions/\w+", shared["url"]), shared
            assert visit.page.title().startswith("It works")
            assert not visit.page.locator("#open").is_visible(), "the public web app can't use this server"
            visit.page.get_by_text("Details").click()
            lines = visit.page.locator("#step-ice li").all_inner_texts()
            assert [line.split(": ")[1].split(",")[0] for line in lines] == [
                "reachable",
                "unreachable from here",
            ]
            # Other addresses may be found after the two have connected.
            assert re.search(r"offered here: \d+ host", visit.page.locator("#step-path").inner_text())
            visit.page.get_by_role("button", name="Copy report").click()
            report = visit.page.get_by_label("Report").input_value()
            visit.page.get_by_role("link", name="What the server saw").click()
            visit.page.get_by_text("asks for the home").wait_for()
            return found, report, visit.page.locator("#trace").inner_text()

        found, report, trace = self.visit(play)
        assert {step for step, status in found.steps.items() if status != "ok"} == {"ice"}, found
        assert found.steps["ice"] == "warn", "nobody is at the second STUN server"
        assert set(found.stations.values()) == {"ok"}, found
        assert (found.state, found.headline) == ("ok", "It works")
        assert "reaches Music Assistant 2.10.0 at your home directly." in found.text, found
        self.assert_nothing_is_left(home)
        assert home.remote_id not in report
        assert home.remote_id[:4] + "…" in report
        checked = report.partition("\nhttp")[0]
        assert not re.search(f"127.0.0.1|{PUBLIC_ADDRESS}", checked)
        assert "a=" not in report
        assert "unreachable: stun:127.0.x.x:9" in report, report
        assert re.search(r"offered-here: \d+ host", report), report
        assert isinstance(home, ServingHome)
        assert home.requests > 4, "it was asked again after each reply"
        assert re.search(r"speed \(.*\) rtt=.* ms rate=[0-9]", report), report
        seen = json.loads(checked.rpartition("\n")[2])
        assert seen["home"]["answer"] > 0
        assert seen["ready"] is True
        assert "answer" in trace
        assert re.search(r"\bleaves\b", trace), trace
        assert "client-left" not in trace
        assert "host/udp/ipv4" in trace
        assert "127.0.0.1" not in trace

    def test_a_path_before_any_candidate(self) -> None:
        """As on a busy machine: the home has heard of no address, and has found one by itself."""
        home = self.home(MusicAssistant)

        def play(visit: Visit) -> str:
            visit.page.add_init_script(
                """
                const { prototype } = RTCPeerConnection, add = prototype.addEventListener;
                prototype.addEventListener = function (type, hear, ...rest) {
                  const late = (event) => setTimeout(hear, 700, event);
                  add.call(this, type, type === "icecandidate" ? late : hear, ...rest);
                };
                """
            )
            self.check(visit, home.remote_id)
            self.outcome(visit)
            path: str = str(visit.page.locator("#step-path").text_content())
            return path

        self.assertRegex(self.visit(play), r"offered here: \d+ host")

    def test_link(self) -> None:
        """/doctor#R begins at once, also when the fragment changes, and a broken one does no harm."""
        home = self.home(MusicAssistant)

        def play(visit: Visit) -> str:
            visit.page.goto(f"{self.server.http}/doctor#{home.remote_id}")
            assert self.outcome(visit).headline == "It works", self.outcome(visit)
            visit.page.evaluate("location.hash = 'NOBODY'")
            visit.page.get_by_role("heading", name="Your home isn't connected").wait_for()
            visit.page.evaluate("location.hash = '%E0%A4%A'")
            visit.page.get_by_role("heading", name="This is not a Remote ID").wait_for()
            return self.outcome(visit).headline

        self.visit(play)
        self.assert_nothing_is_left(home)

    def test_from_the_front_page(self) -> None:
        def play(visit: Visit) -> None:
            visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            visit.page.goto(self.server.http)
            visit.page.get_by_role("button", name="Copy").click()
            assert not visit.page.locator("#open").is_visible(), "the public web app can't use this server"
            visit.page.get_by_role("button", name="Copied").wait_for()
            assert visit.page.evaluate("navigator.clipboard.readText()") == self.server.url
            visit.page.get_by_label("Remote ID of your home").fill("MA-X7K9-P2M4")
            visit.page.keyboard.press("Enter")
            self.outcome(visit)
            assert visit.page.url.endswith("/doctor#MA-X7K9-P2M4")

        self.visit(play)

    def test_before_its_scripts(self) -> None:
        """Until they have come, over a slow network, the button shows that nothing would come of it."""
        home = self.home(MusicAssistant)

        def play(visit: Visit) -> None:
            held: list[Route] = []

            def hold(route: Route) -> None:
                held.append(route)

            visit.page.route("**/doctor/main.js", hold)
            with visit.page.expect_request("**/doctor/main.js"):
                visit.page.goto(self.server.http + "/doctor", wait_until="commit")
            visit.page.get_by_label("Remote ID of your home").fill(home.remote_id)
            button = visit.page.get_by_role("button", name="Check", exact=True)
            assert button.is_disabled()
            held[0].continue_()
            # Playwright waits until it is enabled.
            button.click()
            assert self.outcome(visit).headline == "It works", self.outcome(visit)

        self.visit(play)

    def test_without_a_remote_id(self) -> None:
        """The browser says, in its own words, that the box is empty."""

        def play(visit: Visit) -> None:
            for typed in ("", "  "):
                self.check(visit, typed)
                assert visit.page.evaluate("document.activeElement.matches('#remote-id:user-invalid')"), typed
                assert visit.page.locator("main").get_attribute("data-state") == "idle", typed

        self.visit(play)

    def test_home_comes_back(self) -> None:
        """The server holds the request for a home that it has just lost; the page counts down."""
        home = self.home(MusicAssistant)
        self.homes.run(home.cut())

        def play(visit: Visit) -> Outcome:
            self.check(visit, home.remote_id)
            visit.page.get_by_text("lost its connection a moment ago").wait_for()
            self.homes.run(home.start())
            return self.outcome(visit)

        found = self.visit(play)
        assert found.headline == "It works", found

    def test_older_remote_id(self) -> None:
        """It cannot be checked against a certificate, and says so."""
        found = self.outcome_of(self.home(MusicAssistant, remote_id="MA-X7K9-P2M4").remote_id)
        assert found.headline == "It works", found
        assert found.steps["id"] == "warn", found
        assert "nobody can tell whether the right home answers" in found.text, found

    def test_by_ipv6_alone(self) -> None:
        """Candidates of the other family are neither sent nor taken."""
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                raise SkipTest("this machine has no IPv6") from None

        def play(visit: Visit) -> tuple[Outcome, str]:
            self.check(visit, home.remote_id, only="IPv6")
            return self.outcome(visit), str(visit.page.locator("#step-path").text_content())

        with mock.patch("aioice.ice.get_host_addresses", return_value=["127.0.0.1", "::1"]):
            home = self.home(MusicAssistant)
            found, path = self.visit(play)
        assert found.headline == "It works", found
        assert set(found.stations.values()) == {"ok"}, found
        assert "home: host/udp/ipv6" in path, path
        assert "ipv4" not in path, path
        self.assert_nothing_is_left(home)

    def test_stop_and_try_again(self) -> None:
        """The same button does both, so that the focus stays where it was."""
        home = self.home(DeafHome)

        def play(visit: Visit) -> Outcome:
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for(state="attached")
            assert visit.page.evaluate("document.activeElement.id") == "start"
            visit.page.get_by_role("button", name="Stop").click()
            found = self.outcome(visit)
            visit.page.keyboard.press("Enter")
            visit.page.get_by_role("button", name="Stop").wait_for()
            # A browser complains of a WebSocket that is closed before it is open.
            visit.page.locator("#step-answer[data-status=run]").wait_for(state="attached")
            assert visit.page.evaluate("document.activeElement.id") == "again"
            visit.page.keyboard.press("Enter")
            assert self.outcome(visit).headline == found.headline
            return found

        found = self.visit(play)
        assert (found.state, found.headline) == ("stop", "Stopped"), found
        assert found.steps["answer"] == "stop", found
        self.assert_nothing_is_left(home)


class RelayTests(DoctorTestCase):
    """With real relays (coturn), and a browser that uses nothing else."""

    def setUp(self) -> None:
        port, self.secret = self.enterContext(coturn())
        self.relay = f"turn:127.0.0.1:{port}?transport=udp"
        credentials = IceServers(Settings(turn_urls=("turn:x",)), self.secret.read_bytes().strip())
        servers = credentials.extend(None, time.time(), with_relay=True)
        assert servers is not None
        self.homes.run(allocate(port, json.loads(servers)[0]))

    def test_by_a_relay(self) -> None:
        """The relay is this server's own."""
        self.server = self.enterContext(
            ServerProcess("--turn-urls", self.relay, "--turn-secret-file", str(self.secret))
        )
        home = self.home(MusicAssistant)

        def play(visit: Visit) -> tuple[Outcome, str, str]:
            self.check(visit, home.remote_id, only="Relays")
            found = self.outcome(visit)
            ice, path = visit.page.locator("#step-ice"), visit.page.locator("#step-path")
            return found, str(ice.text_content()), str(path.text_content())

        found, servers, path = self.visit(play)
        assert found.headline == "It works", (found, servers)
        assert "at your home, through a relay." in found.text, found
        assert "All relays of your home need UDP." in found.text, found
        assert {step for step, status in found.steps.items() if status != "ok"} == {"ice"}, found
        assert "reachable" in servers, servers
        assert "Through a relay." in path, path
        assert "here: relay/udp/ipv4, local, relay by udp" in path, path
        self.assert_nothing_is_left(home)

    def test_wrong_credentials(self) -> None:
        """The relay is the home's own."""
        home = self.home(ice_servers=[{"urls": [self.relay], "username": "9999999999:x", "credential": "no"}])

        def play(visit: Visit) -> tuple[Outcome, str]:
            self.check(visit, home.remote_id, only="Relays")
            return self.outcome(visit), str(visit.page.locator("#step-ice").text_content())

        found, servers = self.visit(play)
        self.assert_stops_at("path", "path", found, "The relay refuses", "user and password of the relays")
        assert "refused: wrong or expired credentials" in servers, servers
