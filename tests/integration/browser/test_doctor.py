"""The connection check in a real browser, against the real server and real homes: every way that it may go."""

from __future__ import annotations

import json
import re
import time
from functools import partial

from playwright.sync_api import Route, WebSocketRoute

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from tests.support.browser_cases import (
    BreakingHome,
    DeafHome,
    DoctorTestCase,
    LeavingHome,
    NewHome,
    Outcome,
    ServingHome,
    SilentHome,
)
from tests.support.browser_thread import Visit
from tests.support.coturn_process import allocate, coturn
from tests.support.free_ports import free_port
from tests.support.server_process import ServerProcess
from tests.support.stun_server import PUBLIC_ADDRESS
from tests.support.web_app import MusicAssistant
from tests.support.webrtc_peers import Home


class CheckTests(DoctorTestCase):
    """Every way that a check may go."""

    def outcome_of(self, remote_id: str, **options: str) -> Outcome:
        """How a check of this Remote ID ends."""

        def play(visit: Visit) -> Outcome:
            self.check(visit, remote_id, **options)
            return self.outcome(visit)

        return self.visit(play)

    def test_all_good(self) -> None:
        home = self.home(ServingHome, ice_servers=[{"urls": self.stun()}, {"urls": ["stun:127.0.0.1:9"]}])

        def play(visit: Visit) -> tuple[Outcome, str, str, str]:
            visit.page.add_init_script("navigator.share = async (data) => { window.shared = data; }")
            self.check(visit, f" {home.remote_id.lower()} ")
            found = self.outcome(visit)
            visit.page.get_by_role("button", name="Share result").click()
            shared = visit.page.evaluate("window.shared")
            assert shared["text"].startswith("It works. This device reaches"), shared
            assert re.fullmatch(rf"{self.server.http}/sessions/\w+", shared["url"]), shared
            assert visit.page.title().startswith("It works")
            link = str(visit.page.get_by_role("link", name="Open Music Assistant").get_attribute("href"))
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
            return found, link, report, visit.page.locator("#trace").inner_text()

        found, link, report, trace = self.visit(play)
        assert {step for step, status in found.steps.items() if status != "ok"} == {"ice"}, found
        assert found.steps["ice"] == "warn", "nobody is at the second STUN server"
        assert set(found.stations.values()) == {"ok"}, found
        assert (found.state, found.headline) == ("ok", "It works")
        assert "reaches Music Assistant 2.10.0 at your home directly." in found.text, found
        assert link == f"https://app.music-assistant.io/?remote_id={home.remote_id}"
        self.assert_nothing_is_left(home)
        assert home.remote_id not in report
        assert home.remote_id[:4] + "…" in report
        checked = report.partition("\nhttp")[0]
        assert not re.search(f"127.0.0.1|{PUBLIC_ADDRESS}", checked)
        assert "a=" not in report
        assert isinstance(home, ServingHome)
        assert home.requests > 4, "it was asked again after each reply"
        assert re.search(r"speed \(.*\) rtt=.* ms rate=[0-9]", report), report
        seen = json.loads(checked.rpartition("\n")[2])
        assert seen["home"]["answer"] > 0
        assert seen["ready"] is True
        assert "answer" in trace
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
            visit.page.get_by_role("heading", name="This is no Remote ID").wait_for()
            return self.outcome(visit).headline

        self.visit(play)
        self.assert_nothing_is_left(home)

    def test_from_the_front_page(self) -> None:
        def play(visit: Visit) -> None:
            visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            visit.page.goto(self.server.http)
            visit.page.get_by_role("button", name="Copy").click()
            visit.page.get_by_role("button", name="Copied").wait_for()
            assert visit.page.evaluate("navigator.clipboard.readText()") == self.server.url
            visit.page.get_by_label("Remote ID of your home").fill("MA-X7K9-P2M4")
            visit.page.keyboard.press("Enter")
            self.outcome(visit)
            assert visit.page.url.endswith("/doctor#MA-X7K9-P2M4")

        self.visit(play)

    def test_home_offline(self) -> None:
        found = self.outcome_of("A" * 26)
        self.assert_stops_at(
            "online", "home", found, "Your home isn't connected", "No home", "Remote Access is switched on"
        )

    def test_bad_ids(self) -> None:
        cases = {
            "B" * 26: "The Remote ID is mistyped",
            "A" * 25 + "0": "The Remote ID is mistyped",
            "ÄÖÜ": "This is no Remote ID",
        }

        def play(visit: Visit) -> None:
            for remote_id, headline in cases.items():
                self.check(visit, remote_id)
                self.assert_stops_at("id", "device", self.outcome(visit), headline)

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

    def test_home_stays_away(self) -> None:
        home = self.home()
        self.homes.run(home.cut())
        found = self.outcome_of(home.remote_id)
        self.assert_stops_at("online", "home", found, "Your home hasn't come back", "internet connection")

    def wait_in_vain(self, home: Home) -> Outcome:
        """The outcome of a check that this home leaves without an answer."""

        def play(visit: Visit) -> Outcome:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for(state="attached")
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        return self.visit(play)

    def test_silent_home(self) -> None:
        found = self.wait_in_vain(self.home(SilentHome))
        self.assert_stops_at(
            "answer", "home", found, "Your home doesn't react", "Remote Access at home off and on"
        )
        assert found.steps["ready"] == "warn", found

    def test_deaf_home(self) -> None:
        home = self.home(DeafHome)
        found = self.wait_in_vain(home)
        self.assert_stops_at("answer", "home", found, "Your home doesn't answer")
        assert found.steps["ready"] == "ok", found
        self.assert_nothing_is_left(home)

    def test_home_lost_in_between(self) -> None:
        home = self.home(BreakingHome)

        def play(visit: Visit) -> Outcome:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for(state="attached")
            visit.page.clock.fast_forward(5_000)
            visit.page.get_by_text("lost its connection a moment ago").wait_for()
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        self.assert_stops_at("answer", "home", self.visit(play), "Your home lost its connection")

    def test_home_leaves_in_between(self) -> None:
        found = self.outcome_of(self.home(LeavingHome).remote_id)
        self.assert_stops_at("answer", "home", found, "Your home has just left")

    def test_wrong_fingerprint(self) -> None:
        """The verdict comes first on the page, alone, and waits for nothing."""
        genuine = Home(self.server.url)
        impostor = self.home(remote_id=genuine.remote_id, ice_servers=[{"urls": "stun:127.0.0.1:9"}])

        def play(visit: Visit) -> tuple[Outcome, str]:
            self.check(visit, genuine.remote_id)
            found = self.outcome(visit)
            return found, visit.page.locator("main").inner_text()

        found, page = self.visit(play)
        assert found.state == "danger"
        self.assert_stops_at("identity", "home", found, "This is not your home!", "Don't log in")
        assert [line for line in page.split("\n") if line][1] == "This is not your home!", page
        assert "Try again" not in page
        assert found.steps["ice"] == "stop", found
        self.assert_nothing_is_left(impostor)

    def test_older_remote_id(self) -> None:
        """It cannot be checked against a certificate, and says so."""
        found = self.outcome_of(self.home(MusicAssistant, remote_id="MA-X7K9-P2M4").remote_id)
        assert found.headline == "It works", found
        assert found.steps["id"] == "warn", found
        assert "nobody can tell whether the right home answers" in found.text, found

    def test_network_works_but_music_assistant_is_silent(self) -> None:
        home = self.home()

        def play(visit: Visit) -> Outcome:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-api[data-status=run]").wait_for(state="attached")
            visit.page.clock.fast_forward(10_000)
            return self.outcome(visit)

        found = self.visit(play)
        self.assert_stops_at("api", "music", found, "Music Assistant doesn't answer", "The network works")
        assert [found.stations[each] for each in ("device", "server", "home", "path")] == ["ok"] * 4, found

    def test_music_assistant_was_never_set_up(self) -> None:
        found = self.outcome_of(self.home(NewHome).remote_id)
        self.assert_stops_at("speed", "music", found, "Music Assistant isn't set up yet")

    def test_no_common_candidate(self) -> None:
        """Relays only, or IPv6 only, and the home has none."""
        home = self.home()
        found = self.outcome_of(home.remote_id, only="Relays")
        self.assert_stops_at("path", "path", found, "Your home has no relay")

        def play(visit: Visit) -> Outcome:
            return self.wait_for_path_in_vain(visit, home, "IPv6", 10_000)

        self.assert_stops_at("path", "path", self.visit(play), "Your home has no IPv6")
        self.assert_nothing_is_left(home)

    def test_dead_relay(self) -> None:
        """Relays only, and nobody is where the home says its relay is."""
        relay = {"urls": ["turn:127.0.0.1:9"], "username": "u", "credential": "c"}
        home = self.home(ice_servers=[{"urls": self.stun()}, relay])

        def play(visit: Visit) -> Outcome:
            return self.wait_for_path_in_vain(visit, home, "Relays", 5_000)

        found = self.visit(play)
        self.assert_stops_at("path", "path", found, "Your network blocks it", "no relay of your home")
        assert found.steps["ice"] == "warn", found

    def wait_for_path_in_vain(self, visit: Visit, home: Home, only: str, milliseconds: int) -> Outcome:
        """The outcome of a check in which no path is found for so long."""
        visit.page.clock.install()
        self.check(visit, home.remote_id, only=only)
        visit.page.locator("#step-path[data-status=run]").wait_for(state="attached")
        visit.page.clock.fast_forward(milliseconds)
        return self.outcome(visit)

    def test_useless_ice_servers(self) -> None:
        found = self.outcome_of(self.home(ice_servers=[{"urls": "http://relay.example"}]).remote_id)
        self.assert_stops_at("answer", "home", found, "Your home's settings are wrong")

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
            assert visit.page.evaluate("document.activeElement.id") == "again"
            visit.page.keyboard.press("Enter")
            assert self.outcome(visit).headline == found.headline
            return found

        found = self.visit(play)
        assert (found.state, found.headline) == ("stop", "Stopped"), found
        assert found.steps["answer"] == "stop", found
        self.assert_nothing_is_left(home)

    def test_server_refuses(self) -> None:
        """A server that can't be reached, restarts, or makes this network wait; the home isn't said to be offline."""
        refusals: dict[str, tuple[int, dict[str, object]]] = {
            "blocked": (429, {"error": "Too many failed attempts. You have been temporarily blocked."}),
            "limited": (429, {"error": "Rate limited", "retryAfter": 33}),
            "not-allowed": (403, {"error": "Not allowed on this server"}),
        }

        def play(visit: Visit) -> dict[str, Outcome]:
            found: dict[str, Outcome] = {}
            for name, (status, body) in refusals.items():
                answer = partial(Route.fulfill, status=status, json=body)
                visit.page.route("**/api/check/*", answer)
                self.check(visit, "A" * 26)
                found[name] = self.outcome(visit)
                visit.page.unroute("**/api/check/*")
            for code in (1012, 4029):
                closing = partial(WebSocketRoute.close, code=code)
                visit.page.route_web_socket("**/ws", closing)
                self.check(visit, "A" * 26)
                found[str(code)] = self.outcome(visit)
            # The browser itself says what it was answered.
            visit.complaints.clear()
            return found

        found = self.visit(play)
        for name, phrase in (("blocked", "wrong Remote IDs"), ("limited", "Wait 33 seconds")):
            self.assert_stops_at("online", "server", found[name], "This network has to wait", phrase)
        self.assert_stops_at("online", "server", found["not-allowed"], "This network isn't allowed")
        assert found["1012"].headline == "The server is restarting", found["1012"]
        assert found["4029"].headline == "The server hung up", found["4029"]

    def test_server_gone(self) -> None:
        def play(visit: Visit) -> Outcome:
            visit.page.add_init_script(
                f"""
                const Real = WebSocket;
                WebSocket = class extends Real {{
                  constructor() {{ super("ws://127.0.0.1:{free_port()}/ws"); }}
                }};
                """
            )
            self.check(visit, "MA-X7K9-P2M4")
            found = self.outcome(visit)
            # The browser itself says that it found nobody.
            visit.complaints.clear()
            visit.requests.clear()
            return found

        self.assert_stops_at("server", "server", self.visit(play), "The server can't be reached")


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
        self.assert_stops_at("path", "path", found, "Your network blocks it", "no relay of your home")
        assert "refused: wrong or expired credentials" in servers, servers
