"""Settings from a file, and what --check-config says of them."""

from __future__ import annotations

import os
import tomllib
from ipaddress import ip_network

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import load
from ma_signaling.config.toml_file import as_toml
from ma_signaling.config.unknown import REMOVED
from ma_signaling.runtime.check_config import describe
from tests.support.settings_file_case import FileTestCase

EVERYTHING = """
port = [8787, "unix:/run/x.sock"]
http-port = 8080
tls_cert = "fullchain.pem"
tls_key = "privkey.pem"
trusted_proxies = ["10.0.0.0/8", "fd00::/8"]
allowed-origins = "https://app.example.org,https://example.org"
log_format = "json"
grace = 60
message_rate = 12.5
message_burst = 1_000
deny = ""
"""


class FileTest(FileTestCase):
    """What may stand in a file."""

    def test_types(self) -> None:
        self.write(EVERYTHING)
        assert load({}, {}, self.file).settings == Settings(
            port=("8787", "unix:/run/x.sock"),
            http_port=("8080",),
            tls_cert="fullchain.pem",
            tls_key="privkey.pem",
            trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
            allowed_origins=("https://app.example.org", "https://example.org"),
            log_format="json",
            grace=60.0,
            message_rate=12.5,
            message_burst=1000,
        )

    def test_a_single_port(self) -> None:
        self.write(
            'metrics_port = 9464\nacme_http_port = 8080\nacme_domain = "a.example"\nacme_agree_tos = true\n'
        )
        settings = load({}, {}, self.file).settings
        assert (settings.metrics_port, settings.acme_http_port) == ("9464", "8080")

    def test_byte_order_mark(self) -> None:
        """Some editors write one; nobody sees it."""
        self.file.write_bytes(b"\xef\xbb\xbfgrace = 7\r\n")
        assert load({}, {}, self.file).settings.grace == 7

    def test_nothing(self) -> None:
        self.write("# nothing\n")
        assert load({}, {}, self.file).settings == Settings()

    def test_empty_arrays(self) -> None:
        self.write("http_port = []\nallowed_origins = []\n")
        assert load({}, {}, self.file).settings == Settings()

    def test_precedence(self) -> None:
        self.write("grace = 1\npark = 1\nready_timeout = 1\nport = [1, 2]\n")
        loaded = load(
            {"grace": ["3"], "port": ["3"]},
            {"MA_SIGNALING_GRACE": "2", "MA_SIGNALING_PARK": "2", "PORT": "2"},
            self.file,
        )
        settings, sources = loaded.settings, loaded.sources
        assert (settings.grace, settings.park, settings.ready_timeout, settings.control_rate) == (3, 2, 1, 5)
        assert settings.port == ("3",)
        assert sources["grace"] == "--grace"
        assert sources["park"] == "MA_SIGNALING_PARK"
        assert sources["ready_timeout"] == str(self.file)
        assert sources["control_rate"] == "default"
        assert load({}, {"PORT": "2"}, self.file).sources["port"] == "PORT"

    def test_any_setting_by_its_default(self) -> None:
        for setting in declarations():
            value = as_toml(getattr(Settings(), setting.name))
            self.write(f"{setting.name} = {value}\n")
            assert load({}, {}, self.file).settings == Settings(), setting.name


class MistakeTest(FileTestCase):
    """A mistake is told in one line that names the file, the key and what would do."""

    def assert_mistake(self, content: str | bytes, hint: str) -> None:
        self.write(content)
        with self.assertRaises(SettingError) as caught:
            load({}, {}, self.file)
        text = str(caught.exception)
        assert text.startswith(f"{self.file}"), text
        assert hint in text, text
        assert "\n" not in text, text

    def test_values(self) -> None:
        for content, hint in (
            ("grace = -1", "grace: '-1' is not a number from 0 to 3600"),
            ("grace = nan", "grace: 'nan' is not a number from 0 to 3600"),
            ("port = 65536", "port: '65536' is not a port number"),
            ('port = ["http"]', "port: 'http' is not a port number"),
            ('trusted_proxies = ["x"]', "trusted_proxies: 'x' is not a list of networks"),
        ):
            self.assert_mistake(content, hint)

    def test_types(self) -> None:
        for content, hint in (
            ('grace = "60"', "grace must be a number"),
            ("grace = true", "grace must be a number"),
            ("grace = [60]", "grace must be a number"),
            ("message_burst = 1.0", "message_burst must be a whole number"),
            ("message_burst = true", "message_burst must be a whole number"),
            ("deny = 1", "deny must be a string"),
            ('deny = ["x"]', "deny must be a string"),
            ("grace = 2026-01-01", "grace must be a number"),
            ("port = 8787.5", "port must be a number, a string, or an array of these"),
            ("metrics_port = [1]", "metrics_port must be a number or a string"),
            ("port = [true]", "port must be a number, a string, or an array of these"),
            ("port = []", "port must be a number, a string, or an array of these, and at least one"),
            ("trusted_proxies = 10", "trusted_proxies must be a string, or an array of strings"),
            ("trusted_proxies = [10]", "trusted_proxies must be a string, or an array of strings"),
        ):
            self.assert_mistake(content, hint)

    def test_keys(self) -> None:
        self.assert_mistake("graze = 1", "there is no setting 'graze'; the nearest is 'grace'")
        self.assert_mistake("pingintervall = 1", "the nearest is 'ping_interval'")
        self.assert_mistake("config = 'x'", "there is no setting 'config'; the nearest is ")
        self.assert_mistake("'' = 1", "there is no setting ''; the nearest is ")
        self.assert_mistake("grace = 1\n[limits]\npark = 1", "[limits] is a table")
        self.assert_mistake("http_port = 1\nhttp-port = 2", "http_port is set twice")

    def test_removed_settings(self) -> None:
        self.assert_mistake("environment = 'production'", "'environment' was removed: log_format sets")
        self.assert_mistake("short-path = false", "'short_path' was removed: it is now fast_path")

    def test_what_was_removed_is_gone(self) -> None:
        assert not REMOVED.keys() & {each.name for each in declarations()}

    def test_nested_too_deeply(self) -> None:
        self.assert_mistake("port = " + 3000 * "[", "nested too deeply")

    def test_what_is_no_regular_file(self) -> None:
        """Opening a pipe for reading waits for a writer, for ever."""
        os.mkfifo(self.file)
        with self.assertRaises(SettingError) as caught:
            load({}, {}, self.file)
        assert str(caught.exception) == f"{self.file} cannot be read: Not a regular file"

    def test_no_toml(self) -> None:
        self.assert_mistake("grace: 60", "is not valid TOML: ")
        self.assert_mistake("grace = 1\ngrace = 2", "is not valid TOML: Cannot overwrite a value")
        self.assert_mistake(b"\xff", "is not valid TOML: ")

    def test_no_file(self) -> None:
        for path, hint in (
            (self.directory, "Is a directory"),
            (self.directory / "none.toml", "No such file or directory"),
        ):
            with self.assertRaises(SettingError) as caught:
                load({}, {}, path)
            assert str(caught.exception) == f"{path} cannot be read: {hint}"


class DescribeTest(FileTestCase):
    """The list of --check-config."""

    def test_it_is_a_file_itself(self) -> None:
        self.write(EVERYTHING)
        loaded = load({"park": ["2.5"]}, {"MA_SIGNALING_DENY": '/tmp/"ünï\\code"'}, self.file)
        text = describe(loaded)
        assert list(tomllib.loads(text)) == [each.name for each in declarations()]
        assert "\npark = 2.5  # --park\n" in text
        assert f"\ngrace = 60  # {self.file}\n" in text
        assert "\ncontrol_rate = 5  # default\n" in text
        assert "  # MA_SIGNALING_DENY\n" in text
        self.write(text)
        assert load({}, {}, self.file).settings == loaded.settings
