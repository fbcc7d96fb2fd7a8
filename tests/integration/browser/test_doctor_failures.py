"""The connection check in a real browser: every failure, against the real server and homes that have it."""

from __future__ import annotations

from functools import partial

from playwright.sync_api import Route, WebSocketRoute

from ma_signaling.testing import Home
from tests.support.browser_cases import (
    BreakingHome,
    ClosingHome,
    DeafHome,
    DoctorTestCase,
    GoingHome,
    HangingUpHome,
    HollowHome,
    LeavingHome,
    NewHome,
    Outcome,
    SilentHome,
    SparingHome,
    stop_as_if_the_home_had_left,
)
from tests.support.browser_thread import Visit
from tests.support.free_ports import free_port
from tests.support.web_app import MusicAssistant


class FailureTests(DoctorTestCase):
    """Every way that a check may fail."""

    def test_home_offline(self) -> None:
        found = self.outcome_of("A" * 26)
        self.assert_stops_at(
            "online", "home", found, "Your home isn't connected", "No home", "Remote Access is switched on"
        )

    def test_bad_ids(self) -> None:
        cases = {
            "B" * 26: "The Remote ID is mistyped",
            "A" * 25 + "0": "The Remote ID is mistyped",
            "ÄÖÜ": "This is not a Remote ID",
        }

        def play(visit: Visit) -> None:
            for remote_id, headline in cases.items():
                self.check(visit, remote_id)
                self.assert_stops_at("id", "device", self.outcome(visit), headline)

        self.visit(play)

    def test_character_lost_or_doubled(self) -> None:
        """It is a typing error, unless a home has such an ID."""
        home = self.home(MusicAssistant, remote_id="C" * 25)

        def play(visit: Visit) -> None:
            for remote_id in ("A" * 25, "A" * 27, "AAAAAAA7-AAAAA-AAAAA-AAAAAAA"):
                self.check(visit, remote_id)
                found = self.outcome(visit)
                self.assert_stops_at("online", "device", found, "The Remote ID is mistyped", "there twice")
            self.check(visit, home.remote_id)
            assert self.outcome(visit).headline == "It works"

        self.visit(play)

    def test_home_stays_away(self) -> None:
        home = self.home()
        self.homes.run(home.cut())
        found = self.outcome_of(home.remote_id)
        self.assert_stops_at(
            "online", "home", found, "Your home isn't connected yet", "internet connection", "Compare"
        )

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

    def test_music_assistant_is_down(self) -> None:
        found = self.outcome_of(self.home(HollowHome).remote_id)
        self.assert_stops_at("api", "music", found, "Music Assistant doesn't answer", "running at home")
        assert found.stations["path"] == "ok", found

    def test_home_hangs_up(self) -> None:
        """Its channel ends first; that Music Assistant is down would be wrong."""
        found = self.outcome_of(self.home(HangingUpHome).remote_id)
        self.assert_stops_at("api", "path", found, "The connection was lost", "It worked for a moment")

    def test_end_while_the_speed_is_measured(self) -> None:
        found = self.outcome_of(self.home(ClosingHome).remote_id)
        self.assert_stops_at("speed", "music", found, "Music Assistant doesn't answer")
        found = self.outcome_of(self.home(GoingHome).remote_id)
        self.assert_stops_at("speed", "path", found, "The connection was lost")

    def test_rate_that_says_nothing(self) -> None:
        """No word of 0.0 Mbit/s."""
        found = self.outcome_of(self.home(SparingHome).remote_id)
        assert (found.headline, found.steps["speed"]) == ("It works", "ok"), found

    def test_music_assistant_was_never_set_up(self) -> None:
        found = self.outcome_of(self.home(NewHome).remote_id)
        self.assert_stops_at("speed", "music", found, "Music Assistant isn't set up yet")

    def test_no_common_candidate(self) -> None:
        """Relays only, or IPv6 only, and the home has none."""
        home = self.home()
        found = self.outcome_of(home.remote_id, only="Relays")
        self.assert_stops_at(
            "path", "path", found, "There is no relay", "was given none", "try again in an hour"
        )

        def play(visit: Visit) -> Outcome:
            return self.wait_for_path_in_vain(visit, home, "IPv6", 10_000)

        self.assert_stops_at("path", "path", self.visit(play), "Your home has no IPv6")
        self.assert_nothing_is_left(home)

    def test_addresses_that_the_page_does_not_hear_of(self) -> None:
        """As on a busy machine: the browser has named its addresses, and the page is told of them too late."""
        home = self.home()

        def play(visit: Visit) -> Outcome:
            visit.page.add_init_script(
                """
                const { prototype } = RTCPeerConnection, add = prototype.addEventListener;
                prototype.addEventListener = function (type, hear, ...rest) {
                  add.call(this, type, type === "icecandidate" ? () => {} : hear, ...rest);
                };
                """
            )
            return self.wait_for_path_in_vain(visit, home, "IPv6", 10_000)

        self.assert_stops_at("path", "path", self.visit(play), "Your home has no IPv6")

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
            gateway = partial(
                Route.fulfill, status=502, body="<h1>Bad Gateway</h1>", content_type="text/html"
            )
            visit.page.route("**/api/check/*", gateway)
            self.check(visit, "A" * 26)
            found["gateway"] = self.outcome(visit)
            visit.page.unroute("**/api/check/*")
            for code in (1012, 4029):
                closing = partial(WebSocketRoute.close, code=code)
                visit.page.route_web_socket("**/ws", closing)
                self.check(visit, "A" * 26)
                found[str(code)] = self.outcome(visit)
            for code in (1012, 1000):
                visit.page.route_web_socket("**/ws", partial(stop_as_if_the_home_had_left, code))
                self.check(visit, "A" * 26)
                found[f"left, {code}"] = self.outcome(visit)
            # The browser itself says what it was answered.
            visit.complaints.clear()
            return found

        found = self.visit(play)
        for name, phrase in (("blocked", "wrong Remote IDs"), ("limited", "Wait 33 seconds")):
            self.assert_stops_at("online", "server", found[name], "This network has to wait", phrase)
        self.assert_stops_at("online", "server", found["not-allowed"], "This network isn't allowed")
        self.assert_stops_at(
            "online", "server", found["gateway"], "The server reports a problem", "It says: HTTP 502"
        )
        assert found["1012"].headline == "The server is restarting", found["1012"]
        assert found["left, 1012"].headline == "The server is restarting", found["left, 1012"]
        assert found["left, 1000"].headline == "Your home has just left", found["left, 1000"]
        assert found["4029"].headline == "The server hung up", found["4029"]
        assert "4029" not in found["4029"].text, found["4029"]

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

        found = self.visit(play)
        # What is wrong most often: the device is offline.
        first = "Try this\nSwitch off flight mode"
        self.assert_stops_at("server", "server", found, "The server can't be reached", first)
