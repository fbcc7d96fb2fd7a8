"""An installation from nothing: what pip makes of this checkout, in a fresh environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import venv
from importlib.metadata import metadata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling import __version__
from tests import ROOT
from tests.support.free_ports import free_port
from tests.support.server_process import OPENER, end, eventually


def is_healthy(port: int) -> bool:
    """Whether a server answers at a port."""
    try:
        with OPENER.open(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return b'"status":"ok"' in reply.read()
    except OSError:
        return False


class InstallTest(SynchronousTestCase):
    """``twistd --help`` lists the plugin after ``pip install .`` and after ``pip install -e .``."""

    def run_in(self, directory: Path, *command: str) -> str:
        """A command away from the checkout, so that nothing is found by accident; what it printed."""
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=directory, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def test_wheel_then_editable(self) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            directory, source = Path(temporary), Path(temporary) / "source"
            # A build leaves files where the sources are.
            shutil.copytree(
                ROOT, source, ignore=shutil.ignore_patterns(".*", "_trial_temp*", "build", "*.egg-info")
            )
            venv.create(directory / "venv", with_pip=True)
            bin_directory = directory / "venv" / "bin"
            pip = (str(bin_directory / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
            for arguments in ([str(source)], ["--no-deps", "--editable", str(source)]):
                self.run_in(directory, *pip, "install", *arguments)
                assert "    ma-signaling " in self.run_in(directory, str(bin_directory / "twistd"), "--help")
                self.assert_serves(directory, bin_directory)
                version = self.run_in(directory, str(bin_directory / "ma-signaling"), "--version")
                assert version == f"ma-signaling {__version__}\n"
                # The pages are files beside the code.
                code = (
                    "from ma_signaling.http.web_pages import read_assets; print(len(read_assets()['doctor']))"
                )
                count = self.run_in(directory, str(bin_directory / "python"), "-c", code)
                assert int(count) == len(
                    list((ROOT / "ma_signaling" / "http" / "pages" / "doctor").iterdir())
                )
                self.run_in(directory, *pip, "uninstall", "--yes", "ma-signaling")

    def assert_serves(self, directory: Path, bin_directory: Path) -> None:
        """It starts as the README says, with what it has installed alone."""
        port = free_port()
        process = subprocess.Popen(
            [str(bin_directory / "twistd"), "-n", "--pidfile=", "ma-signaling", "--port", str(port)],
            cwd=directory,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: is_healthy(port), lambda: f"exit status {process.poll()}")
        finally:
            end(process)
        assert process.returncode == 0

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
