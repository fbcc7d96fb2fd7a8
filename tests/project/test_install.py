"""What pip makes of this checkout; that it serves, when it is installed, the test of the README shows."""

from __future__ import annotations

import re
from importlib.metadata import metadata

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT


class PluginTest(SynchronousTestCase):
    """``twistd --help`` lists the plugin."""

    def test_plugin_directory_is_no_package(self) -> None:
        """An __init__.py there would hide Twisted's own plugins."""
        assert not list((ROOT / "twisted").rglob("__init__.py"))


class ExtrasTest(SynchronousTestCase):
    """setuptools drops some names of extras without a word."""

    def test_all_extras_are_there(self) -> None:
        wanted = re.findall(
            r"^([A-Za-z-]+) =$",
            (ROOT / "setup.cfg").read_text().partition("extras_require]")[2],
            re.MULTILINE,
        )
        found = metadata("ma-signaling").get_all("Provides-Extra") or []
        assert {"home", "web-app"} <= {name.lower() for name in wanted}
        assert {name.lower() for name in wanted} == set(found), found
