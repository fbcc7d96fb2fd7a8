"""The command line, the environment and the file together: what a server would start with, or why it would not."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import make_certificate
from tests.support.command_line import accepted, refused

RELAY = "turn:relay.example.org:3478"
NATS = ("--nats-url", "nats://127.0.0.1:4222")


class OptionsTestCase(SynchronousTestCase):
    """A directory for files."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "ma-signaling.toml"

    def assert_refused(self, hint: str, *options: str, **environment: str) -> None:
        problem = refused(*options, **environment)
        assert hint in problem, problem


class AcceptedTest(OptionsTestCase):
    """Nothing is opened, and each setting is printed with its source."""

    def test_the_option_wins_over_the_variable(self) -> None:
        self.file.write_text("grace = 7\n", encoding="utf-8")
        printed = accepted("--proof", "off", "--config", str(self.file), MA_SIGNALING_CONFIG="/nowhere")
        assert f"\ngrace = 7  # {self.file}\n" in printed, printed

    def test_a_blank_variable_names_no_file(self) -> None:
        assert "\ngrace = 45  # default\n" in accepted("--proof", "off", MA_SIGNALING_CONFIG=" ")

    def test_sockets_of_systemd_come_later(self) -> None:
        accepted("--proof", "off", "--port", "systemd:domain=INET:index=0")

    def test_acme(self) -> None:
        printed = accepted(
            *(
                "--proof",
                "off",
                "--acme-domain",
                "b.example.org,A.example.org",
                "--acme-domain",
                "c.example.org",
            ),
            "--acme-agree-tos",
        )
        assert 'port = ["443"]  # --acme-domain' in printed
        assert 'acme_domain = ["b.example.org", "a.example.org", "c.example.org"]' in printed

    def test_nothing_is_opened(self) -> None:
        """A server that runs already is not in the way."""
        path = self.directory / "socket"
        accepted("--proof", "off", "--port", f"unix:{path}")
        assert not path.exists()


class RefusedTest(OptionsTestCase):
    """One line says what will not do, and where it was said."""

    def test_settings(self) -> None:
        self.file.write_text("graze = 7\n", encoding="utf-8")
        self.assert_refused(f"{self.file}: there is no setting 'graze'", "--config", str(self.file))
        self.assert_refused("none.toml cannot be read", "--config", "none.toml")
        self.assert_refused("--grace: 'x' is not a number", "--grace", "x")
        self.assert_refused("there is no setting --graze; the nearest is --grace (", "--graze", "7")
        self.assert_refused("unexpected argument: stray", "stray")
        self.assert_refused("--environment was removed: log_format sets", "--environment", "production")
        self.assert_refused("MA_SIGNALING_GRAZE; the nearest is MA_SIGNALING_GRACE", MA_SIGNALING_GRAZE="7")
        self.assert_refused("MA_SIGNALING_PARK: 'x' is not a number", MA_SIGNALING_PARK="x")
        self.assert_refused("PORT: 'http' is not a port number", PORT="http")

    def test_acme(self) -> None:
        domain = ("--acme-domain", "a.example.org")
        self.assert_refused("--acme-domain needs --acme-agree-tos: you agree to the terms", *domain)
        self.assert_refused("is not a list of host names", "--acme-domain", "*.example.org")
        self.assert_refused("is not a list of host names", "--acme-domain", "192.0.2.1")
        self.assert_refused(
            "is not a URL that begins with https://", "--acme-directory", "http://ca.example.org"
        )
        both = (*domain, "--acme-agree-tos", "--tls-cert", "c", "--tls-key", "k")
        self.assert_refused("--acme-domain and --tls-cert can't both be set", *both)
        self.assert_refused("80 and 80 can't", *domain, "--acme-agree-tos", "--http-port", "80")

    def test_ports(self) -> None:
        self.assert_refused("--port: '99999' is not a port number", "--port", "99999")
        self.assert_refused("cannot listen on tcp:x: ", "--port", "tcp:x")
        self.assert_refused("cannot listen on tcp:1:no=such: ", "--port", "tcp:1:no=such")
        self.assert_refused("cannot listen on ssl:", "--port", "ssl:1:privateKey=setup.py:certKey=/dev/null")
        self.assert_refused("cannot listen on nonsense:1: ", "--http-port", "nonsense:1")
        local = "tcp:9000:interface=127.0.0.1"
        self.assert_refused(f"9000 and {local} can't both be listened on", "--port", "9000", "--port", local)
        self.assert_refused("9000 and tcp:9000 can't", "--port", "9000", "--metrics-port", "tcp:9000")

    def test_tls(self) -> None:
        key, certificate, other = (self.directory / name for name in ("key", "certificate", "other"))
        make_certificate(key, certificate)
        make_certificate(other, self.directory / "another")
        cert = ("--tls-cert", str(certificate))
        self.assert_refused(
            "no TLS: nowhere.pem cannot be read", "--tls-cert", "nowhere.pem", "--tls-key", str(key)
        )
        self.assert_refused(" is not that of ", *cert, "--tls-key", str(other))
        self.assert_refused("--tls-cert and --tls-key must be set together", *cert)
        self.assert_refused("--tls-cert and --tls-key must be set together", "--tls-key", str(key))

    def test_files(self) -> None:
        self.assert_refused("--state-file was removed: nothing is kept", "--state-file", "/nowhere/state")
        os.mkfifo(self.directory / "pipe")
        for option in ("--deny", "--allow-remote-ids", "--turn-secret-file", "--tls-cert", "--config"):
            others = {"--turn-secret-file": ("--turn-urls", RELAY), "--tls-cert": ("--tls-key", "/nowhere")}
            pipe = str(self.directory / "pipe")
            self.assert_refused("Not a regular file", option, pipe, *others.get(option, ()))
        self.assert_refused("--deny /nowhere: No such file", "--deny", "/nowhere")
        deny, allow = self.directory / "deny", self.directory / "allow"
        deny.write_text("# first\n192.0.2.0/23\n192.0.2.1/24\n", encoding="utf-8")
        self.assert_refused(f"--deny {deny}: line 3 is not an address or network", "--deny", str(deny))
        allow.write_text("\nSECRET ID\n", encoding="utf-8")
        self.assert_refused(
            f"--allow-remote-ids {allow}: line 2 is not a Remote ID", "--allow-remote-ids", str(allow)
        )

    def test_relays(self) -> None:
        secret = self.directory / "secret"
        secret.write_text("", encoding="utf-8")
        together = "--turn-urls and --turn-secret-file must be set together"
        self.assert_refused(together, "--turn-urls", RELAY)
        self.assert_refused(together, "--turn-secret-file", str(secret))
        self.assert_refused("is empty", "--turn-urls", RELAY, "--turn-secret-file", str(secret))
        self.assert_refused("/nowhere: No such file", "--turn-urls", RELAY, "--turn-secret-file", "/nowhere")
        secret.write_text("secret", encoding="utf-16")
        self.assert_refused("is not UTF-8 text", "--turn-urls", RELAY, "--turn-secret-file", str(secret))
        self.assert_refused("is not a list of URLs such as turn:", "--turn-urls", "https://relay.example.org")

    def test_cluster(self) -> None:
        nothing = self.directory / "nothing"
        nothing.write_text("nothing of use", encoding="utf-8")
        urls = "is not a list of URLs such as nats://HOST:PORT"
        for url in ("nats://me:secret@127.0.0.1", "me:secret@127.0.0.1", "nats://a,nats://me:s/e@secret@h"):
            problem = refused("--nats-url", url)
            assert urls in problem
            assert "secret" not in problem, problem
        self.assert_refused(urls, "--nats-url", "http://127.0.0.1")
        self.assert_refused("it has no NATS USER JWT", *NATS, "--nats-credentials", str(nothing))
        self.assert_refused("is not a certificate", *NATS, "--nats-ca", str(nothing))
        self.assert_refused("/nowhere cannot be read", *NATS, "--nats-token-file", "/nowhere")
        nothing.write_text("\n", encoding="utf-8")
        self.assert_refused("nothing is empty", *NATS, "--nats-token-file", str(nothing))
        self.assert_refused("--reuse-port needs --nats-url", "--reuse-port", "on")
