"""The connection check in a real browser, against the real server and real homes: every way that it may go."""

from __future__ import annotations

import json
import re
import time

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from tests.support.browser_cases import BreakingHome, DeafHome, DoctorTestCase, LeavingHome, SilentHome
from tests.support.browser_thread import Visit
from tests.support.coturn_process import allocate, coturn
from tests.support.server_process import ServerProcess
from tests.support.stun_server import PUBLIC_ADDRESS
from tests.support.webrtc_peers import Home


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
            # Other addresses may be found after the two have connected.
            assert re.search(r"Offered by you: [12] local", visit.page.locator("#step-path").inner_text())
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

    def test_a_path_before_any_candidate(self) -> None:
        """As on a busy machine: the home has heard of no address, and has found one by itself."""
        home = self.home()

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
            path: str = visit.page.locator("#step-path").inner_text()
            return path

        self.assertRegex(self.visit(play), r"Offered by you: [12] local")

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

    def wait_in_vain(self, home: Home) -> tuple[str, dict[str, str]]:
        """The outcome of a check that this home leaves without an answer."""

        def play(visit: Visit) -> tuple[str, dict[str, str]]:
            visit.page.clock.install()
            self.check(visit, home.remote_id)
            visit.page.locator("#step-answer[data-status=run]").wait_for()
            visit.page.clock.fast_forward(30_000)
            return self.outcome(visit)

        return self.visit(play)

    def test_silent_home(self) -> None:
        home = self.home(SilentHome)
        found = self.wait_in_vain(home)
        self.assert_stops_at("answer", found, "did not answer within", "Remote Access")
        assert found[1]["ready"] == "warn", found

    def test_deaf_home(self) -> None:
        home = self.home(DeafHome)
        found = self.wait_in_vain(home)
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
        self.server = self.enterContext(
            ServerProcess("--turn-urls", self.relay, "--turn-secret-file", str(self.secret))
        )
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
