"""What libraries are imported without, and that nobody else is."""

from __future__ import annotations

import sys
from importlib import import_module
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.runtime import spared_imports
from ma_signaling.runtime.spared_imports import StandIn

NEEDLESS = "colorsys"
"""A module of Python's own, which nothing here uses."""


class SparedImportsTest(SynchronousTestCase):
    """With modules that have not been imported yet, as at the start of a process."""

    def setUp(self) -> None:
        self.patch(spared_imports, "NEEDLESS", {NEEDLESS: {"ONE_THIRD": "a third"}})
        modules = mock.patch.dict(sys.modules)
        modules.start()
        self.addCleanup(modules.stop)
        for name in (NEEDLESS, "click", "OpenSSL"):
            sys.modules.pop(name, None)

    def spared(self, settings: Settings) -> set[str]:
        """The libraries that can't be imported while they are spared."""
        with spared_imports.spared_imports(settings):
            return {
                name for name in ("click", "OpenSSL") if name in sys.modules and sys.modules[name] is None
            }

    def test_names_that_are_taken(self) -> None:
        """What is taken of a needless module is there; the module is not imported."""
        with spared_imports.spared_imports(Settings()):
            module = import_module(NEEDLESS)
            assert isinstance(module, StandIn)
            assert module.ONE_THIRD == "a third"
            assert not hasattr(module, "__wrapped__")
            assert sys.modules[NEEDLESS] is module

    def test_another_name(self) -> None:
        """A library whose next version takes more of a module gets the real one."""
        with spared_imports.spared_imports(Settings()):
            assert import_module(NEEDLESS).rgb_to_hls(0, 0, 0) == (0, 0, 0)
            assert import_module(NEEDLESS).ONE_THIRD == 1 / 3
        assert import_module(NEEDLESS).ONE_THIRD == 1 / 3

    def test_another_name_later(self) -> None:
        """What a library asks for when it is running is there, too."""
        with spared_imports.spared_imports(Settings()):
            module = import_module(NEEDLESS)
        assert module.rgb_to_hls(0, 0, 0) == (0, 0, 0)
        assert module is not import_module(NEEDLESS)

    def test_afterwards(self) -> None:
        """Whoever imports one later gets the real module, even if the start has failed."""
        with self.assertRaises(KeyError), spared_imports.spared_imports(Settings()):
            raise KeyError
        assert import_module(NEEDLESS).ONE_THIRD == 1 / 3
        assert {"click", "OpenSSL"} & sys.modules.keys() == set()

    def test_what_was_imported_before(self) -> None:
        """It stays: others hold it already."""
        real = import_module(NEEDLESS)
        sys.modules["click"] = real
        with spared_imports.spared_imports(Settings()):
            assert import_module(NEEDLESS) is real
            assert import_module("click") is real
        assert sys.modules["click"] is real

    def test_tls(self) -> None:
        """OpenSSL is there for all that may speak TLS, such as an endpoint of a kind that isn't known."""
        for settings in (
            Settings(tls_cert="/c", tls_key="/k"),
            Settings(acme_domain=("example.org",)),
            Settings(port=("ssl:443",)),
            Settings(http_port=("8080", "somebodys:443")),
            Settings(metrics_port="haproxy:ssl:443"),
        ):
            assert self.spared(settings) == {"click"}

    def test_no_tls(self) -> None:
        """No usual server needs it behind a proxy, nor with a Unix socket, or those that systemd hands over."""
        for settings in (
            Settings(),
            Settings(port=("haproxy:tcp:8787", "systemd:domain=INET:index=0")),
            Settings(metrics_port="9100", admin_socket="/run/a:b"),
        ):
            assert self.spared(settings) == {"click", "OpenSSL"}
