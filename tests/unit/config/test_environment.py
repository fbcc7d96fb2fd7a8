"""Settings from environment variables, and the variables that Kubernetes sets."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.sources import load
from ma_signaling.runtime.check_config import describe

SERVICE_LINKS = {
    "MA_SIGNALING_SERVICE_HOST": "10.0.0.1",
    "MA_SIGNALING_SERVICE_PORT": "8787",
    "MA_SIGNALING_SERVICE_PORT_HTTP": "8787",
    "MA_SIGNALING_PORT": "tcp://10.0.0.1:8787",
    "MA_SIGNALING_PORT_8787_TCP": "tcp://10.0.0.1:8787",
    "MA_SIGNALING_PORT_8787_TCP_PROTO": "tcp",
    "MA_SIGNALING_PORT_8787_TCP_PORT": "8787",
    "MA_SIGNALING_PORT_8787_TCP_ADDR": "10.0.0.1",
    # A Service called ma-signaling-metrics.
    "MA_SIGNALING_METRICS_SERVICE_HOST": "10.0.0.2",
    "MA_SIGNALING_METRICS_PORT": "tcp://10.0.0.2:9464",
    "MA_SIGNALING_METRICS_PORT_9464_TCP": "tcp://10.0.0.2:9464",
}


class EnvironmentTest(SynchronousTestCase):
    """What a variable sets."""

    def test_every_setting_has_a_variable(self) -> None:
        for each in declarations():
            loaded = load({}, {each.variable: each.default}).settings
            assert getattr(loaded, each.name) == getattr(Settings(), each.name), each.name

    def test_a_blank_variable_is_unset(self) -> None:
        for blank in ("", " ", "\t\n"):
            environment = dict.fromkeys(("PORT", "MA_SIGNALING_PORT", "MA_SIGNALING_GRACE"), blank)
            loaded = load({}, environment)
            assert loaded.settings == Settings(), repr(blank)
            assert set(loaded.sources.values()) == {"default"}
        assert load({}, {"MA_SIGNALING_PORT": " ", "PORT": " 9000 "}).settings.port == ("9000",)

    def test_an_unknown_variable_is_an_error(self) -> None:
        for variable, error in (
            (
                "MA_SIGNALING_GRAZE",
                "there is no setting MA_SIGNALING_GRAZE; the nearest is MA_SIGNALING_GRACE",
            ),
            (
                "MA_SIGNALING_TRUSTED_PROXY",
                "MA_SIGNALING_TRUSTED_PROXY; the nearest is MA_SIGNALING_TRUSTED_PROXIES",
            ),
            ("MA_SIGNALING_ENVIRONMENT", "MA_SIGNALING_ENVIRONMENT was removed: log_format sets"),
            ("MA_SIGNALING_", "there is no setting MA_SIGNALING_; the nearest is "),
            ("MA_SIGNALING_grace", "no setting MA_SIGNALING_grace; the nearest is MA_SIGNALING_GRACE"),
        ):
            for value in ("", "60"):
                with self.assertRaises(SettingError) as caught:
                    load({}, {variable: value})
                assert error in str(caught.exception), caught.exception

    def test_variables_that_hold_no_setting(self) -> None:
        """The file, what ``ma-signaling check`` and ``home`` are told, and everything with another prefix."""
        environment = {
            "MA_SIGNALING_CONFIG": "x",
            "MA_SIGNALING_URL": "x",
            "MA_SIGNALING_HOME_STUN": "none",
            "MA_SIGNALING_HOME_STATE_DIRECTORY": "x",
            "GRAZE": "x",
            "ENVIRONMENT": "production",
        }
        assert load({}, environment).settings == Settings()

    def test_directories_of_systemd(self) -> None:
        """A unit with several has all of them in one variable; a setting of one's own is one path."""
        for variables, path in (
            ({"STATE_DIRECTORY": "/var/lib/ma-signaling"}, "/var/lib/ma-signaling"),
            ({"STATE_DIRECTORY": "/var/lib/ma-signaling:/var/lib/other"}, "/var/lib/ma-signaling"),
            ({"MA_SIGNALING_STATE_DIRECTORY": "/a:b", "STATE_DIRECTORY": "/c"}, "/a:b"),
        ):
            assert load({}, variables).settings.state_directory == path


class KubernetesTest(SynchronousTestCase):
    """Service links: a Service whose name begins with ma-signaling."""

    def test_they_are_ignored(self) -> None:
        loaded = load({}, SERVICE_LINKS)
        assert loaded.settings == Settings()
        assert list(loaded.service_links) == sorted(SERVICE_LINKS)

    def test_other_sources_count(self) -> None:
        assert load({}, {**SERVICE_LINKS, "PORT": "9000"}).settings.port == ("9000",)
        assert load({"port": ["9000"]}, SERVICE_LINKS).settings.port == ("9000",)

    def test_settings_that_look_like_them_count(self) -> None:
        loaded = load({}, {"MA_SIGNALING_PORT": "tcp:8787", "MA_SIGNALING_METRICS_PORT": "9464"})
        assert (loaded.settings.port, loaded.settings.metrics_port) == (("tcp:8787",), "9464")
        assert loaded.note() is None

    def test_docker_links(self) -> None:
        """``docker run --link ma-signaling …``, for a container that runs this server or asks it."""
        links = {
            "MA_SIGNALING_NAME": "/web/ma-signaling",
            "MA_SIGNALING_ENV_PYTHON_VERSION": "3.13.0",
            "MA_SIGNALING_ENV_PATH": "/usr/bin",
            "MA_SIGNALING_PORT": "tcp://172.17.0.5:8787",
            "MA_SIGNALING_PORT_8787_TCP_ADDR": "172.17.0.5",
        }
        loaded = load({}, links)
        assert loaded.settings == Settings()
        assert list(loaded.service_links) == sorted(links)
        with self.assertRaises(SettingError):
            load({}, {"MA_SIGNALING_NAME": "production"})

    def test_one_line_names_them(self) -> None:
        loaded = load({}, SERVICE_LINKS)
        note = loaded.note()
        assert note is not None
        assert "enableServiceLinks: false" in note
        for variable in SERVICE_LINKS:
            assert variable in note
        text = describe(loaded)
        assert text.startswith(f"# {note}\n")
        assert tomllib.loads(text) == tomllib.loads(describe(load({}, {})))
