"""The benchmark still works: every conversation against a real server, on a small scale, and without Node."""

from __future__ import annotations

from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from tempfile import TemporaryDirectory
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import idle, report, storm
from benchmarks.chart import chart
from benchmarks.conversations import Arrivals, CrowdedDepartures, Departures, Relay, Sessions
from benchmarks.homes import Home, all_arrive
from benchmarks.latency import Pulse
from benchmarks.loop import Loop, Unexpected
from benchmarks.rounds import Figure, Make, Sample, Side, by_turns, compare, measure
from benchmarks.script import expect, expect_message
from benchmarks.servers import Kind, NotReady, Server, Tls
from tests.support.certificates import make_certificate

KIND = Kind("this server")
SMALL: dict[str, Make] = {
    "relay": lambda place: Relay(place, 4, 8),
    "session": lambda place: Sessions(place, 3),
    "arrive": lambda place: Arrivals(place, 3),
    "leave": lambda place: Departures(place, 3),
    "leave, 64 sessions": lambda place: CrowdedDepartures(place, 1, 3),
}


def _directory(test: SynchronousTestCase) -> Path:
    """A directory that goes with the test. Twisted's own would stay in the working directory."""
    directory = TemporaryDirectory()
    test.addCleanup(directory.cleanup)
    return Path(directory.name)


class ConversationsTest(SynchronousTestCase):
    """What is played against a server."""

    def test_each_of_them(self) -> None:
        with Server(KIND) as server:
            side = Side(Loop(), server)
            for make in SMALL.values():
                assert measure(side, make).each > 0
            assert server.memory() > 0
            assert server.started_with > 0

    def test_what_a_peer_says_leaves_at_once(self) -> None:
        with Server(KIND) as server:
            connection, _ = Side(Loop(), server).connect()
            with connection:
                assert connection.getsockopt(IPPROTO_TCP, TCP_NODELAY)

    def test_with_tls(self) -> None:
        directory = _directory(self)
        tls = Tls(directory / "key.pem", directory / "certificate.pem")
        make_certificate(tls.key, tls.certificate)
        with Server(KIND, tls) as server:
            side = Side(Loop(), server)
            for make in SMALL.values():
                assert measure(side, make).each > 0

    def test_round_trips_at_a_rate(self) -> None:
        with Server(KIND) as server:
            pulse = Pulse(Side(Loop(), server), 40)
            pulse.prepare()
            pulse.play()
            pulse.clear()
            assert len(pulse.took) == 100

    def test_the_storm_comes_back(self) -> None:
        # So few homes keep the generator busy all the time that they take.
        with mock.patch.multiple(storm, SETTLES_WITHIN=0.1, GENERATOR_BELOW=2):
            figures = {figure.name: figure for figure in storm.storm(Loop(), (KIND, KIND), 5, 1)}
        assert figures["homes that never came back"].ours == [0]
        assert figures["last home registered after"].ours[0] > 0

    def test_a_crowd_in_a_process_of_its_own(self) -> None:
        with mock.patch.object(idle, "SETTLES_WITHIN", 0.1):
            (figure,) = idle.memory("", (KIND, KIND), None, (3,), 1)
        assert figure.ours[0] > 0

    def test_a_refused_home_is_no_arrival(self) -> None:
        with Server(KIND) as server:
            side = Side(Loop(), server)
            holder, other = Home(), Home()
            all_arrive(side, [holder])
            other._register = holder._register
            self.addCleanup(holder.vanish)
            self.addCleanup(other.vanish)
            with self.assertRaises(Unexpected):
                all_arrive(side, [other])

    def test_outcomes_are_checked(self) -> None:
        for heard in (b"{}", b"nonsense", b'{"type":"error"}'):
            with self.assertRaises(Unexpected):
                expect_message(heard, "registered")
        with self.assertRaises(Unexpected):
            expect(b"this", b"that")


class RefusalTest(SynchronousTestCase):
    """Figures that tell nothing are refused, aloud."""

    def test_whose_limit_it_was(self) -> None:
        assert Sample(1e-3, server=0.99, generator=0.5).refused is None
        assert "server busy" in str(Sample(1e-3, server=0.5, generator=0.5).refused)
        assert "generator busy" in str(Sample(1e-3, server=0.99, generator=0.95).refused)

    def test_refused_rounds_are_repeated_and_told(self) -> None:
        samples = [Sample(1e-3, 0.99, 0.1), Sample(1e-3, 0.1, 0.99)] * 2 + [Sample(2e-3, 0.99, 0.1)] * 4
        ours, theirs = (mock.Mock(spec=Side) for _ in range(2))
        ours.name, theirs.name = "ours", "theirs"
        with mock.patch("benchmarks.rounds.measure", side_effect=samples):
            (figure,) = compare("", ours, theirs, {"relay": SMALL["relay"]}, 2)
        assert figure.ratios == [1.0, 1.0]
        assert len(figure.refusals) == 2
        assert not figure.is_refused
        assert "refused: 2" in report.as_text([figure])

    def test_too_few_rounds(self) -> None:
        figure = Figure(
            "Without TLS", "relay", "µs", ("ours", "Node ws"), [1e-5], [2e-5], ["Node ws: slow"] * 3, rounds=3
        )
        assert figure.is_refused
        for text in (report.as_text([figure]), report.as_markdown([figure], {}), chart([figure], "Node ws")):
            assert "refused" in text
            assert "0.50" not in text

    def test_by_turns(self) -> None:
        assert [list(by_turns(number, "ab")) for number in range(3)] == [["b", "a"], ["a", "b"], ["b", "a"]]


class ReportTest(SynchronousTestCase):
    """What is written."""

    figure = Figure(
        "Without TLS", "relay", "µs", ("ours", "Node ws"), [1e-5, 2e-5, 3e-5], [2e-5] * 3, rounds=3
    )

    def test_in_the_document(self) -> None:
        document = _directory(self) / "document.md"
        document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
        for _ in range(2):
            report.write(document, report.as_markdown([self.figure], {"Date": "today"}))
        lines = document.read_text(encoding="utf-8").splitlines()
        assert (lines[0], lines[-1]) == ("before", "after")
        assert "- Date: today" in lines
        assert "old" not in lines

    def test_failures_are_all_told(self) -> None:
        failures = Figure("Storm", "failed tries", "", ("ours", "Node ws"), [0, 7, 0], [0, 0, 0], rounds=3)
        assert "0, 7, 0" in report.as_text([failures])


class CommandTest(SynchronousTestCase):
    """What it needs, and how it is told."""

    def test_without_node(self) -> None:
        with mock.patch("shutil.which", return_value=None), self.assertRaises(NotReady) as missing:
            Kind("Node ws", is_node=True).check()
        assert "Node.js 18" in str(missing.exception)

    def test_another_tree_must_hold_the_server(self) -> None:
        directory = _directory(self)
        with self.assertRaises(NotReady):
            Kind("other", tree=directory).check()
        KIND.check()
