"""The service that keeps a certificate, with a CA and a process that the test plays."""

from __future__ import annotations

import errno
import shutil
import stat
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.acme import service, store
from ma_signaling.acme.challenges import Challenges
from ma_signaling.acme.process import MAX_SECONDS
from ma_signaling.acme.renewal import FIRST_RETRY, RELOAD_RETRY
from ma_signaling.acme.self_signed import ACME_IDENTIFIER
from ma_signaling.acme.service import Acme
from ma_signaling.config import files
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.runtime.key_pair import read_pair
from ma_signaling.runtime.tls_context import make_context
from tests.support.certificates import Authority, damaged
from tests.support.fake_process import FakeChild, FakeReactor

AUTHORITY = Authority()
DAY = 24 * 3600.0


class ServiceTest(SynchronousTestCase):
    """One server, and the processes that it starts."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.settings = Settings(acme_domain=("localhost",), acme_agree_tos=True)
        self.reactor = FakeReactor()
        self.challenges = Challenges()
        self.shown: list[bytes] = []
        """What was issued, in the order in which clients are shown it."""
        self.start()

    def start(self, *, as_of: float = 0.0) -> None:
        reactor: Any = self.reactor
        # The calendar's time begins where the certificates of these tests do.
        self.began = time.time() + as_of - self.reactor.seconds()
        self.acme = Acme(
            self.settings,
            self.directory / "acme",
            self.challenges,
            reactor,
            self.shown.append,
            lambda: self.began + self.reactor.seconds(),
        )
        self.acme.privilegedStartService()
        self.acme.startService()
        self.reactor.advance(0)

    @property
    def child(self) -> FakeChild:
        return self.reactor.children[-1]

    def issue(self, *, days: float = 90) -> None:
        certificate, key = self.directory / "c", self.directory / "k"
        AUTHORITY.issue(certificate, key, days=days, begins=0)
        self.child.say(issued=(key.read_bytes() + certificate.read_bytes()).decode())
        self.child.end()

    def refuse(self, why: str = "closed", retry_after: float | None = None) -> None:
        self.child.say(failed=why, retryAfter=retry_after)
        self.child.end()

    def test_first(self) -> None:
        """Until it is issued a certificate stands in, which is replaced at once."""
        make_context(read_pair(self.acme.pair, self.acme.pair))
        assert not self.acme.is_issued
        (wish,) = self.child.heard
        assert wish["task"] == "issue"
        assert wish["names"] == ["localhost"]
        assert wish["account"] is None
        self.child.say(account={"directory": "d", "uri": "u", "key": {}})
        self.issue()
        assert self.shown == [self.acme.pair.read_bytes()]
        assert self.acme.is_issued
        assert read_pair(self.acme.pair, self.acme.pair).chain[0].issuer.rfc4514_string() == "CN=Intermediate"
        for path in self.acme.pair.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    def test_any_file(self) -> None:
        """Whatever a certificate's file holds, the server starts: at worst it asks for another one."""
        certificate, key = self.directory / "c", self.directory / "k"
        AUTHORITY.issue(certificate, key, days=90)
        first = certificate.read_bytes().partition(b"-----END")[0] + b"-----END CERTIFICATE-----\n"
        self.acme.stopService()
        found = set()
        for content in islice(damaged(first), 0, None, 3):
            self.acme.pair.write_bytes(key.read_bytes() + content)
            self.acme.privilegedStartService()
            found.add(self.acme.is_issued)
        assert found == {True, False}

    def test_a_restart_issues_nothing_new(self) -> None:
        self.issue()
        self.acme.stopService()
        self.start()
        assert self.acme.is_issued
        assert self.child.heard[0]["task"] == "advise"
        self.child.say(renewAt=None, askAt=self.began + 6 * 3600)
        self.child.end()
        assert len(self.reactor.children) == 2 + 1
        self.reactor.pump([60] * (5 * 60))
        assert len(self.reactor.children) == 3

    def test_renewal(self) -> None:
        """The certificate stays while that fails, and the account is used again."""
        self.child.say(account={"directory": "d", "uri": "u", "key": {}})
        self.issue()
        before = self.acme.pair.read_bytes()
        self.acme.stopService()
        self.start(as_of=60 * DAY + 3600)
        assert self.child.heard[0]["task"] == "issue"
        assert self.child.heard[0]["account"]["uri"] == "u"
        self.refuse()
        assert self.acme.pair.read_bytes() == before
        assert self.acme.is_issued
        self.reactor.pump([1] * int(FIRST_RETRY))
        assert self.child.heard[0]["challenges"][0] == "http-01"
        self.issue(days=180)
        assert self.acme.pair.read_bytes() != before
        assert len(self.shown) == 2

    def test_failures(self) -> None:
        """One line each, with the time of the next attempt; a restart doesn't begin anew."""
        with capturedLogs() as events:
            self.refuse("port 443 is closed")
        (line,) = map(formatEvent, events)
        assert "ACME: no certificate for localhost: port 443 is closed. The next attempt is at " in line
        self.acme.stopService()
        count = len(self.reactor.children)
        self.start()
        self.reactor.advance(FIRST_RETRY / 2)
        assert len(self.reactor.children) == count
        self.reactor.advance(FIRST_RETRY / 2)
        assert len(self.reactor.children) == count + 1

    def test_reload(self) -> None:
        self.refuse()
        self.acme.reload()
        self.acme.reload()
        self.reactor.advance(RELOAD_RETRY)
        assert len(self.reactor.children) == 2
        self.refuse(retry_after=3600.0)
        self.acme.reload()
        self.reactor.pump([60] * 59)
        assert len(self.reactor.children) == 2, "the CA's limit"
        self.reactor.advance(61)
        assert len(self.reactor.children) == 3

    def test_other_names_are_asked_for_at_once(self) -> None:
        self.refuse()
        self.acme.stopService()
        self.settings = Settings(acme_domain=("a.example.org",), acme_agree_tos=True)
        self.start()
        assert self.child.heard[0]["names"] == ["a.example.org"]

    def test_challenges(self) -> None:
        self.child.say(challenge=["tls-alpn-01", "localhost", "t", "t.thumb"])
        assert self.child.heard[-1] == {}
        context = self.challenges.context_for(b"LOCALHOST")
        assert context is not None
        assert self.challenges.context_for(b"other") is self.challenges.context_for(None) is None
        certificate = self.handshake(context)
        assert certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER).critical
        self.child.say(challenge=["http-01", "localhost", "t", "t.thumb"])
        assert self.challenges.authorization("t") == "t.thumb"
        self.issue()
        assert self.challenges.context_for(b"localhost") is None
        assert self.challenges.authorization("t") is None

    def handshake(self, context: SSL.Context) -> x509.Certificate:
        """Return what a client of TLS 1.3 is shown that speaks the protocol of CAs, at the server's own context."""
        pair = read_pair(self.acme.pair, self.acme.pair)
        server = SSL.Connection(make_context(pair, self.challenges.context_for))
        client_context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        client_context.set_alpn_protos([b"acme-tls/1"])
        client = SSL.Connection(client_context)
        client.set_tlsext_host_name(b"localhost")
        server.set_accept_state()
        client.set_connect_state()
        for sender, receiver in ((client, server), (server, client)) * 3:
            for step in (sender.do_handshake, lambda: receiver.bio_write(sender.bio_read(1 << 20))):  # noqa: B023
                try:
                    step()
                except SSL.WantReadError:
                    continue
        assert client.get_alpn_proto_negotiated() == b"acme-tls/1"
        certificate = client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate

    def test_a_process_that_fails(self) -> None:
        for end in (
            lambda: self.child.protocol.errReceived(
                b"Traceback\nModuleNotFoundError: No module named 'acme'\n"
            ),
            lambda: self.child.say(challenge=["dns-01", "localhost", "t", "a"]),
            lambda: self.child.say(nonsense=True),
            lambda: self.reactor.advance(MAX_SECONDS),
        ):
            with capturedLogs() as events:
                end()
                self.child.end()
            (line,) = map(formatEvent, events)
            assert "the process that talks with the CA has failed" in line
            count = len(self.reactor.children)
            while len(self.reactor.children) == count:
                self.reactor.advance(60)

    def test_a_certificate_that_is_due_at_once(self) -> None:
        """It is used, and another one is asked for in an hour."""
        self.acme.stopService()
        self.settings = Settings(acme_domain=("a.example.org",), acme_agree_tos=True)
        self.start()
        count = len(self.reactor.children)
        with capturedLogs() as events:
            self.issue()
        assert "the new certificate is for localhost, until 20" in formatEvent(events[-1])
        assert len(self.shown) == 1
        self.reactor.pump([60] * 59)
        assert len(self.reactor.children) == count
        self.reactor.advance(60)
        assert len(self.reactor.children) == count + 1

    def test_what_is_no_certificate(self) -> None:
        before = self.acme.pair.read_bytes()
        with capturedLogs() as events:
            self.child.say(issued="nonsense")
            self.child.end()
        (line,) = map(formatEvent, events)
        assert "can't be read as a certificate. The next attempt is at" in line
        assert self.acme.pair.read_bytes() == before
        assert not self.shown
        assert len(self.reactor.children) == 1
        self.reactor.pump([1] * int(FIRST_RETRY))
        assert len(self.reactor.children) == 2

    def test_no_process(self) -> None:
        """Nothing stays of an attempt that didn't begin, but the next look."""
        self.refuse()
        self.reactor.problem = OSError("no memory")
        with capturedLogs() as events:
            self.reactor.pump([1] * int(FIRST_RETRY))
        assert "no process can be started: no memory" in formatEvent(events[-1])
        assert len(self.reactor.getDelayedCalls()) == 1
        self.reactor.problem = None
        self.reactor.pump([60] * 6)
        assert len(self.reactor.children) == 2

    def test_it_goes_on_whatever_fails(self) -> None:
        """Of several failures in a row one is logged."""

        def fail(*_: object) -> None:
            raise RuntimeError

        self.refuse()
        undo = self.patch(service, "next_step", fail)
        self.reactor.pump([60] * 5)
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        undo.restore()
        self.reactor.pump([60] * 6)
        assert len(self.reactor.children) == 2
        self.acme._renewed = fail
        with self.assertRaises(RuntimeError):
            self.issue()
        self.reactor.advance(60)
        assert self.child.heard[0]["task"] == "advise"

    def test_files_that_are_gone(self) -> None:
        """They are for the next start: what is known is known."""
        self.child.say(account={"directory": "d", "uri": "u", "key": {}})
        self.issue()
        self.child.say(renewAt=None, askAt=self.began + 3600)
        self.child.end()
        shutil.rmtree(self.acme.pair.parent)
        self.reactor.pump([60] * 61)
        assert self.child.heard[0]["task"] == "advise"
        assert self.child.heard[0]["certificate"].encode() in self.shown[0]
        assert self.child.heard[0]["account"]["uri"] == "u"

    def test_files_that_cannot_be_read(self) -> None:
        """They aren't taken for empty, and so replaced: the server doesn't start."""
        self.issue()
        self.acme.stopService()
        for name in ("certificate.pem", "account.json", "record.json"):
            path = self.acme.pair.with_name(name)
            path.unlink(missing_ok=True)
            path.mkdir()
            with self.assertRaises(CannotStart) as refusal:
                self.start()
            assert refusal.exception.problem == f"{path} can't be read: Is a directory"
            path.rmdir()

    def fill_disk(self, *names: str) -> Any:
        """Let files with these names, or all, be impossible to write; returns what ends that."""

        def write_private(path: Path, content: bytes) -> None:
            if not names or path.name in names:
                raise OSError(errno.ENOSPC, "No space left on device")
            files.write_private(path, content)

        return self.patch(store, "write_private", write_private)

    def test_a_full_disk(self) -> None:
        """No certificate is asked for that could not be kept."""
        for names in ((), ("room",), ("record.json",), ("account.json",)):
            count = len(self.reactor.children)
            full = self.fill_disk(*names)
            with capturedLogs() as events:
                self.child.say(account={"directory": "d", "uri": "u", "key": {}})
                self.refuse()
                self.reactor.pump([60] * 60 * 24)
            lines = [formatEvent(event) for event in events]
            assert any("can't be written: No space left on device." in line for line in lines)
            assert len(lines) <= 4, lines
            assert len(self.reactor.children) == count
            full.restore()
            self.reactor.pump([60] * 5)
            assert len(self.reactor.children) == count + 1

    def test_a_disk_that_is_full_when_it_is_issued(self) -> None:
        """The certificate is used, and kept as soon as it can be."""
        before = self.acme.pair.read_bytes()
        full = self.fill_disk("certificate.pem")
        with capturedLogs() as events:
            self.issue()
            self.child.say(renewAt=None, askAt=self.began + DAY)
            self.child.end()
            self.reactor.pump([60] * 60)
        lines = [formatEvent(event) for event in events]
        assert len(lines) == 2
        assert "certificate.pem can't be written: No space left on device. It is tried again" in lines[0]
        assert self.acme.is_issued
        assert len(self.shown) == 1
        self.acme.reload()
        assert len(self.shown) == 2, "whoever reads the file has found the former one"
        assert len(self.reactor.children) == 2
        assert self.acme.pair.read_bytes() == before
        full.restore()
        self.reactor.pump([60])
        assert self.acme.pair.read_bytes() == self.shown[0] == self.shown[-1]
        assert stat.S_IMODE(self.acme.pair.stat().st_mode) == 0o600
        assert not list(self.acme.pair.parent.glob("*room*"))

    def test_what_was_lost_counts_after_a_restart(self) -> None:
        """A CA allows few: what could not be kept is asked for again a day later."""
        self.fill_disk("certificate.pem")
        asked = []
        for hour in range(7 * 24):
            count = len(self.reactor.children)
            if hour:
                self.acme.stopService()
                self.start(as_of=self.reactor.seconds())
            self.reactor.pump([60] * 60)
            if len(self.reactor.children) > count or not hour:
                asked.append(hour)
                self.issue()
                self.acme.stopService()
        assert 1 < len(asked) <= 7, asked

    def test_a_key_of_another_certificate(self) -> None:
        """It would end every handshake."""
        self.issue()
        self.acme.stopService()
        certificate, key = self.directory / "c", self.directory / "k"
        other = certificate.read_bytes()
        AUTHORITY.issue(certificate, key, days=90, begins=0)
        self.acme.pair.write_bytes(key.read_bytes() + other)
        self.start()
        assert not self.acme.is_issued
        make_context(read_pair(self.acme.pair, self.acme.pair))

    def test_stop(self) -> None:
        self.acme.stopService()
        assert self.child.is_killed
        self.child.end()
        assert not self.reactor.getDelayedCalls()

    def test_a_directory_that_cannot_be_written(self) -> None:
        self.acme.stopService()
        self.acme.pair.unlink()
        shutil.rmtree(self.directory)
        self.directory.write_text("no directory")
        self.addCleanup(self.directory.unlink)
        with self.assertRaises(CannotStart):
            self.start()
