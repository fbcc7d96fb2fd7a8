"""Settings from a file, and what --check-config says of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import tomllib
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import Configuration, load, readable
from ma_signaling.runtime.check_config import describe

EVERYTHING = """
port = [8787, "unix:/run/x.sock"]
http-port = 8080
tls_cert = "fullchain.pem"
tls_key = "privkey.pem"
trusted_proxies = ["10.0.0.0/8", "fd00::/8"]
allowed-origins = "https://app.example.org,https://example.org"
environment = "production"
grace = 60
message_rate = 12.5
message_burst = 1_000
state_file = ""
"""


class FileTestCase(SynchronousTestCase):
    """A directory for a file."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "ma-signaling.toml"

    def write(self, content: str | bytes) -> None:
        self.file.write_bytes(content if isinstance(content, bytes) else content.encode())


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
            environment="production",
            grace=60.0,
            message_rate=12.5,
            message_burst=1000,
        )

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
            value = readable(setting, getattr(Settings(), setting.name))
            self.write(f"{setting.name} = {value}\n")
            assert load({}, {}, self.file).settings == Settings(), setting.name


class MistakeTest(FileTestCase):
    """A mistake is told in one line that names the file, the key and what would do."""

    def assert_mistake(self, content: str | bytes, hint: str) -> None:
        self.write(content)
        with self.assertRaises(SettingError) as caught:
            load({}, {}, self.file)
        text = str(caught.exception)
        assert text.startswith(f"{self.file}: "), text
        assert hint in text, text
        assert "\n" not in text, text

    def test_values(self) -> None:
        for content, hint in (
            ("grace = -1", "grace: '-1' will not do, it must be a number from 0 to 3600"),
            ("grace = nan", "grace: 'nan' will not do, it must be a number from 0 to 3600"),
            ("port = 65536", "port: '65536' will not do, it must be a port number"),
            ('port = ["http"]', "port: 'http' will not do, it must be a port number"),
            ('trusted_proxies = ["x"]', "trusted_proxies: 'x' will not do, it must be networks"),
        ):
            self.assert_mistake(content, hint)

    def test_types(self) -> None:
        for content, hint in (
            ('grace = "60"', "grace must be a number"),
            ("grace = true", "grace must be a number"),
            ("grace = [60]", "grace must be a number"),
            ("message_burst = 1.0", "message_burst must be a whole number"),
            ("message_burst = true", "message_burst must be a whole number"),
            ("state_file = 1", "state_file must be a string"),
            ('state_file = ["x"]', "state_file must be a string"),
            ("grace = 2026-01-01", "grace must be a number"),
            ("port = 8787.5", "port must be a number, a string, or an array of these"),
            ("port = [true]", "port must be a number, a string, or an array of these"),
            ("port = []", "port must be a number, a string, or an array of these, and at least one"),
            ("trusted_proxies = 10", "trusted_proxies must be a string, or an array of strings"),
            ("trusted_proxies = [10]", "trusted_proxies must be a string, or an array of strings"),
        ):
            self.assert_mistake(content, hint)

    def test_keys(self) -> None:
        self.assert_mistake("graze = 1", "there is no setting 'graze', the nearest is 'grace'")
        self.assert_mistake("pingintervall = 1", "the nearest is 'ping_interval'")
        self.assert_mistake("config = 'x'", "there is no setting 'config', the nearest is ")
        self.assert_mistake("'' = 1", "there is no setting '', the nearest is ")
        self.assert_mistake("grace = 1\n[limits]\npark = 1", "[limits] will not do")
        self.assert_mistake("http_port = 1\nhttp-port = 2", "http_port is there twice")

    def test_no_toml(self) -> None:
        self.assert_mistake("grace: 60", "it is no TOML: ")
        self.assert_mistake("grace = 1\ngrace = 2", "it is no TOML: Cannot overwrite a value")
        self.assert_mistake(b"\xff", "it is no TOML: ")

    def test_no_file(self) -> None:
        for path, hint in (
            (self.directory, "Is a directory"),
            (self.directory / "none.toml", "No such file or directory"),
        ):
            with self.assertRaises(SettingError) as caught:
                load({}, {}, path)
            assert str(caught.exception) == f"{path}: it cannot be read: {hint}"

    def test_a_secret_is_not_repeated(self) -> None:
        secret = next(each for each in declarations() if each.name == "grace")._replace(secret=True)
        self.patch(sys.modules["ma_signaling.config.sources"], "declarations", lambda: [secret])
        for options, environment in (({"grace": ["hush"]}, {}), ({}, {"MA_SIGNALING_GRACE": "hush"})):
            with self.assertRaises(SettingError) as caught:
                load(options, environment)
            assert "this value will not do" in str(caught.exception)
            assert "hush" not in str(caught.exception)


class DescribeTest(FileTestCase):
    """The list of --check-config."""

    def test_it_is_a_file_itself(self) -> None:
        self.write(EVERYTHING)
        loaded = load({"park": ["2.5"]}, {"MA_SIGNALING_STATE_FILE": '/tmp/"ünï\\code"'}, self.file)
        text = describe(loaded)
        assert list(tomllib.loads(text)) == [each.name for each in declarations()]
        assert "\npark = 2.5  # --park\n" in text
        assert f"\ngrace = 60  # {self.file}\n" in text
        assert "\ncontrol_rate = 5  # default\n" in text
        assert "  # MA_SIGNALING_STATE_FILE\n" in text
        self.write(text)
        assert load({}, {}, self.file).settings == loaded.settings

    def test_secrets_are_masked(self) -> None:
        settings = replace(Settings(), state_file="hush")
        shown = next(each for each in declarations() if each.name == "state_file")
        assert readable(shown, settings.state_file) == '"hush"'
        secret = shown._replace(secret=True)
        assert readable(secret, settings.state_file) == '"********"'
        assert readable(secret, "") == '""'
        self.patch(sys.modules["ma_signaling.runtime.check_config"], "declarations", lambda: [secret])
        sources = {"state_file": "default"}
        assert describe(Configuration(settings, sources)) == 'state_file = "********"  # default'
