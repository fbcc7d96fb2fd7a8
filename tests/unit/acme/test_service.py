"""The service that keeps a certificate: when it asks for one, and what comes of that."""

from __future__ import annotations

import stat

from cryptography import x509
from OpenSSL import SSL
from twisted.logger import capturedLogs, formatEvent

from ma_signaling.acme import service
from ma_signaling.acme.process import MAX_SECONDS
from ma_signaling.acme.renewal import FIRST_RETRY, RELOAD_RETRY
from ma_signaling.acme.self_signed import ACME_IDENTIFIER
from ma_signaling.config.settings import Settings
from ma_signaling.runtime.key_pair import read_pair
from ma_signaling.runtime.tls_context import make_context
from tests.support.acme_case import DAY, AcmeTestCase


class ServiceTest(AcmeTestCase):
    """One server, and the processes that it starts."""

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
        def complain() -> None:
            self.child.protocol.errReceived(b"Traceback\nModuleNotFoundError: No module named 'acme'\n")

        for end in (
            complain,
            lambda: self.child.say(challenge=["dns-01", "localhost", "t", "a"]),
            lambda: self.child.say(nonsense=True),
            lambda: self.child.protocol.outReceived(b"nonsense\n"),
            lambda: self.reactor.advance(MAX_SECONDS),
        ):
            with capturedLogs() as events:
                end()
                assert self.child.is_killed is (end is not complain)
                if self.child.is_killed:
                    self.child.say(challenge=["http-01", "localhost", "t", "a"])
                    assert self.challenges.authorization("t") is None, "what a killed one has said is dropped"
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
        assert "the new certificate is not what was asked for (it is for localhost, until 20" in formatEvent(
            events[-1]
        )
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

    def test_stop(self) -> None:
        self.acme.stopService()
        assert self.child.is_killed
        self.child.end()
        assert not self.reactor.getDelayedCalls()
