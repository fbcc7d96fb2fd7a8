"""Settings: one declaration each, and errors that help."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config import values
from ma_signaling.config.declaration import SettingError
from ma_signaling.config.groups import groups
from ma_signaling.config.help_text import WIDTH, help_text
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import load
from ma_signaling.core import held_bytes, home, message_charges, session_table, session_trace
from ma_signaling.core.sliding_window import MINUTE
from ma_signaling.transport import first_request, request_head, secure_sockets
from ma_signaling.transport import protocol as websocket
from ma_signaling.transport import send_buffer as backlog
from tests import ROOT

GOOD_URLS = {
    "stun_urls": ("stun:a.example", "stuns:a.example:443", "stun:192.0.2.1:3478", "stun:[2001:db8::1]:1"),
    "turn_urls": ("turn:a_b:3478?transport=udp", "turns:a.example?transport=TCP", "turn:[::1]"),
    "nats_url": ("nats://10.0.0.1:4222", "tls://[::1]:4222", "nats://nats_1"),
    "acme_directory": ("https://ca.example.org:14000/dir", "https://[::1]/a?b"),
}
NO_URLS = {
    "stun_urls": "stun://a stun:a:99999 stun:a:b stun:a:0 stun:a: stun:[::1 stun:[1:2] stun:::1 stun:a/ stun:u@a"
    " stun:a?transport=udp stun: turn:a",
    "turn_urls": "turn://a turn:a?transport=quic turn:a?x turn:a? turn:a:b?transport=udp",
    "nats_url": "nats://a:99999 nats://a: nats://u:p@a http://a nats:// nats://a/b",
    "acme_directory": "https://a:99999/dir https://u@a/dir https:///dir http://a/dir",
    "allowed_origins": "* null a https://*.a https://a/ https://a?b https://a#b https://u@a https://\xe4 https://a:b ws://a",
}

UNITS = {"s": 1, "minute": 60, "minutes": 60, "KiB": 1 << 10, "MiB": 1 << 20}


class LoadTest(SynchronousTestCase):
    """Where a value comes from."""

    def test_defaults(self) -> None:
        """The fixed names and defaults of the wire contract."""
        given = {each.option: each.default for each in declarations()}
        expected = {
            "trusted-proxies": "127.0.0.0/8,::1/128",
            "connections-per-minute": "1200",
            "sockets-per-minute": "2400",
            "requests-per-minute": "1200",
            "silent-connections-per-address": "100",
            "lookups-per-minute": "100",
            "connect-requests-per-minute": "600",
            "guesses-per-minute": "10",
            "message-rate": "20",
            "message-burst": "200",
            "control-rate": "5",
            "control-burst": "50",
            "home-sessions-per-minute": "120",
            "home-sessions": "256",
            "max-message-bytes": "65536",
            "send-buffer-bytes": "1048576",
            "ready-timeout": "10",
            "takeover-timeout": "5",
            "ping-interval": "30",
            "grace": "45",
            "start-grace": "75",
            "park": "20",
        }
        assert given.items() >= expected.items()
        assert load({}, {}).settings == Settings()

    def test_precedence(self) -> None:
        environment = {"PORT": "1", "MA_SIGNALING_PORT": "2 unix:/run/x"}
        assert load({"port": ["3", "4"]}, environment).settings.port == ("3", "4")
        assert load({}, environment).settings.port == ("2", "unix:/run/x")
        assert load({}, {"PORT": "1"}).settings.port == ("1",)


class NetworksTest(SynchronousTestCase):
    """What clients, proxies and monitoring are looked for in."""

    def test_ipv4_mapped(self) -> None:
        """As everybody with such an address is known by the IPv4 address."""
        said = "::ffff:172.17.0.1, ::ffff:10.0.0.0/104,2001:db8::/32,::ffff:0:0/96"
        for name in ("trusted_proxies", "exempt", "metrics_allow", "proof_networks"):
            networks = getattr(load({name: [said]}, {}).settings, name)
            assert list(map(str, networks)) == ["172.17.0.1/32", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"]


class UrlsTest(SynchronousTestCase):
    """Of servers that others are to find: a browser that is given a bad one makes no connection at all."""

    def test_good_ones(self) -> None:
        secret = {"turn_urls": {"turn_secret_file": ["x"]}}
        for name, texts in GOOD_URLS.items():
            for text in texts:
                found = getattr(load({name: [text], **secret.get(name, {})}, {}).settings, name)
                assert found in (text, (text,)), text

    def test_bad_ones(self) -> None:
        for name, texts in NO_URLS.items():
            for text in texts.split():
                with self.assertRaises(SettingError, msg=text) as caught:
                    load({name: [text]}, {})
                assert " is not a " in str(caught.exception), text

    def test_origins_as_browsers_send_them(self) -> None:
        said = "HTTPS://A.example:443,http://a:80,https://a:80,http://a:443,https://[::443],http://[::80]:80"
        assert load({"allowed_origins": [said]}, {}).settings.allowed_origins == (
            "https://a.example",
            "http://a",
            "https://a:80",
            "http://a:443",
            "https://[::443]",
            "http://[::80]",
        )


class ErrorsTest(SynchronousTestCase):
    """An error names the setting, the value and what is expected."""

    def test_bad_values(self) -> None:
        cases = [
            ("port", "65536", "a port number from 0 to 65535, or a Twisted endpoint"),
            ("port", "http", "a port number from 0 to 65535, or a Twisted endpoint"),
            ("log_format", "xml", "one of: text, json"),
            ("fast_path", "maybe", "on or off"),
            ("trusted_proxies", "10.0.0.1/8", "a list of networks such as 10.0.0.0/8,fd00::/8, or none"),
            ("message_burst", "-1", "a whole number from 0 to"),
            ("message_burst", "1.5", "a whole number from 0 to"),
            ("message_burst", "\u0661", "a whole number from 0 to"),
            ("message_burst", "9" * 5000, "a whole number from 0 to"),
            ("port", "9" * 5000, "a port number from 0 to 65535"),
            ("grace", "nan", "a number from 0 to 3600"),
            ("grace", "inf", "a number from 0 to 3600"),
            ("ready_timeout", "0", "a number from 0.1 to 25"),
            ("max_message_bytes", "0", "a whole number from 1024 to"),
            ("proof_address", "10.0.0.1", "a public IPv4 address such as 198.51.100.7"),
            ("proof_address", "100.64.0.1", "a public IPv4 address"),
            ("proof_address", "a.example.org", "a public IPv4 address"),
        ]
        for name, value, hint in cases:
            with self.assertRaises(SettingError) as caught:
                load({name: [value]}, {})
            text = str(caught.exception)
            assert text.startswith(f"--{name.replace('_', '-')}: {value!r} is not {hint}"), text

    def test_nul(self) -> None:
        """A file can hold one, and no path can."""
        with self.assertRaises(SettingError) as caught:
            load({"tls_cert": ["a\0b"], "tls_key": ["k"]}, {})
        assert str(caught.exception) == r"--tls-cert: 'a\x00b' has a NUL"

    def test_variable_is_named(self) -> None:
        for variable in ("PORT", "MA_SIGNALING_PORT"):
            with self.assertRaises(SettingError) as caught:
                load({}, {variable: "x"})
            assert str(caught.exception).startswith(f"{variable}: 'x'")

    def test_settings_that_contradict_each_other(self) -> None:
        for options, hint in (
            ({"tls_cert": ["x"]}, "--tls-cert and --tls-key must be set together"),
            ({"turn_urls": ["turn:x"]}, "--turn-urls and --turn-secret-file must be set together"),
            ({"reuse_port": ["on"]}, "--reuse-port needs --nats-url"),
            (
                {"max_message_bytes": ["65537"], "send_buffer_bytes": ["65536"]},
                "--max-message-bytes is greater than --send-buffer-bytes",
            ),
            (
                {"message_bytes_burst": ["65535"]},
                "--max-message-bytes is greater than --message-bytes-burst",
            ),
            ({"acme_agree_tos": ["on"]}, "--acme-agree-tos needs --acme-domain"),
            ({"acme_email": ["you@example.org"]}, "--acme-email needs --acme-domain"),
            ({"acme_ca": ["x"]}, "--acme-ca needs --acme-domain"),
            ({"nats_ca": ["x"]}, "--nats-ca needs --nats-url"),
            ({"nats_credentials": ["x"]}, "--nats-credentials needs --nats-url"),
            ({"nats_token_file": ["x"]}, "--nats-token-file needs --nats-url"),
            (
                {"port": ["unix:/run/x"], "admin_socket": ["/run/x"]},
                "unix:/run/x and unix:address=/run/x can't",
            ),
            (
                {"port": [r"unix:/run/a\=b"], "admin_socket": ["/run/a=b"]},
                r"unix:/run/a\=b and unix:address=/run/a=b can't",
            ),
            (
                {"metrics_port": [r"unix:/run/a\:b"], "admin_socket": ["/run/a:b"]},
                r"unix:/run/a\:b and unix:address=/run/a\:b can't",
            ),
        ):
            with self.assertRaises(SettingError) as caught:
                load(options, {})
            assert str(caught.exception).startswith(hint), caught.exception
        load({"message_bytes_burst": ["0"]}, {})


class DocumentationTest(SynchronousTestCase):
    """The documentation says what the program does."""

    def test_what_is_no_setting(self) -> None:
        """Each of these sentences is in the protocol, and the program keeps to its numbers."""
        text = " ".join((ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").split())
        for sentence, *kept in (
            (
                "A request line with its headers: 10 s, 16 KiB.",
                first_request.HEAD_SECONDS,
                request_head.HEAD_BYTES,
            ),
            ("and its TCP connection 2 s later", websocket.LINGER_SECONDS),
            ("another handshake with 4 KiB in total", secure_sockets.ANSWER_BYTES),
            ("A client that takes nothing for 10 s", backlog.STALL_SECONDS),
            ("All slow peers together: 64 MiB", backlog.UNSENT_BYTES),
            ("All lost homes together: 32 MiB are buffered", held_bytes.MAX_BYTES_IN_ALL),
            ("is buffered (256 KiB per home", held_bytes.MAX_BYTES_OF_HOME),
            ("A list of ICE servers of more than 8 KiB", home.ICE_SERVERS_BYTES),
            ("if it is unknown, or ended more than 10 minutes ago", session_trace.REMEMBERED),
            ("that ended within the last minute are ignored", session_table.REMEMBERED_END),
            ("50 unreadable messages within a minute", message_charges.MAX_BAD_MESSAGES),
            ("After 100 drops within 60 s it is closed", message_charges.MAX_DROPS, MINUTE),
        ):
            assert sentence in text, sentence
            amounts = re.findall(r"(\d+|the last) (\w+)", sentence)
            assert kept == [
                (int(number) if number.isdigit() else 1) * UNITS.get(unit, 1) for number, unit in amounts
            ], sentence

    def test_page(self) -> None:
        """Each setting has its entry, in the order of the declarations."""
        text = " ".join((ROOT / "docs" / "settings.md").read_text(encoding="utf-8").split())
        for each in declarations():
            default = f"default `{each.default}`" if each.default else ""
            live = "live" if each.live else ""
            facts = [f"`--{each.option}`", each.unit, values.range_of(each.parse), default, live]
            entry = f"- {', '.join(filter(None, facts))}: {each.help}."
            assert entry in text, f"docs/settings.md lacks: {entry}"
        assert re.findall(r" - `--([a-z-]+)`", text) == [each.option for each in declarations()]

    def test_groups(self) -> None:
        """The page's sections are those of ``--help``."""
        page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
        sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
        for title, settings in groups():
            options = re.findall(r"^- `--([a-z-]+)`", sections.pop(title), re.MULTILINE)
            assert options == [each.option for each in settings], title
        assert not any("- `--" in section for section in sections.values())

    def test_help(self) -> None:
        text = help_text("Usage: ma-signaling [options]")
        assert all(len(line) <= WIDTH for line in text.splitlines())
        for expected in (
            "check REMOTE-ID",
            "admin COMMAND",
            "Limits:",
            "  --acme-agree-tos\n",
            "[default: 8787]",
        ):
            assert expected in text, expected
        for bounds in ("[0 to 25; default: 20]", "[at least 1024; default: 65536]"):
            assert bounds in " ".join(text.split())
        for each in declarations():
            assert f"\n  --{each.option}" in text
