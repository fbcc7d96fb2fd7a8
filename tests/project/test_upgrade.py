"""``make install`` and ``make rollback``: versions side by side, and a link. pip's part is played by a script."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT

PYTHON = """#!/bin/sh
# As python3 -m venv DIRECTORY, and as the Python in there.
case "$*" in
    *venv*)
        shift 2
        mkdir -p "$1/bin" "$1/lib/twisted/plugins"
        touch "$1/lib/twisted/plugins/plugin.py"
        cp "$0" "$1/bin/python"
        printf '#!/bin/sh\\n[ "$1" = --help ] || exit 1\\n' > "$1/bin/twistd"
        printf '#!/bin/sh\\necho "%s"\\n' "$1" > "$1/bin/ma-signaling"
        chmod +x "$1"/bin/*
        ;;
    *"$FAILS"*) exit 1 ;;
esac
"""


class UpgradeTest(SynchronousTestCase):
    """In a directory of its own, without systemd."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.prefix = self.directory / "opt"
        self.python = self.directory / "python"
        self.python.write_text(PYTHON, encoding="utf-8")
        self.python.chmod(0o755)

    def run_script(self, *arguments: str, status: int = 0, fails: str = "nothing") -> str:
        return self.run_command(str(ROOT / "contrib" / "install.sh"), *arguments, status=status, fails=fails)

    def run_command(self, *command: str, status: int = 0, fails: str = "nothing") -> str:
        done = subprocess.run(
            command,
            env={**os.environ, "PREFIX": str(self.prefix), "PYTHON": str(self.python), "FAILS": fails},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done
        return done.stdout + done.stderr

    def install(self, name: str) -> None:
        """Install a version, and call it so: they are made faster here than their names tell apart."""
        self.run_script("install")
        made = self.prefix / "versions" / (self.prefix / "current").readlink().name
        made.rename(made.with_name(name))
        os.utime(made.with_name(name), (self.moment, self.moment))
        self.moment += 60
        (self.prefix / "current").unlink()
        (self.prefix / "current").symlink_to(f"versions/{name}")

    moment = 1_700_000_000.0

    def current(self) -> str:
        return str((self.prefix / "current").readlink())

    def test_upgrade_and_back(self) -> None:
        for name in ("1", "2"):
            self.install(name)
        assert self.current() == "versions/2"
        assert (self.prefix / "bin" / "ma-signaling").exists()
        make = ("make", "--no-print-directory", "--silent", "--directory", str(ROOT))
        assert self.run_command(*make, "rollback") == "ma-signaling 1 runs again\n"
        assert self.current() == "versions/1"
        assert "is installed; make rollback goes back" in self.run_command(*make, "install")
        self.run_command(*make, "rollback")
        assert self.current() == "versions/1"
        assert "there is no version before 1" in self.run_script("rollback", status=1)

    def test_old_ones_go(self) -> None:
        for name in ("1", "2", "3", "4", "5"):
            self.install(name)
        assert sorted(path.name for path in (self.prefix / "versions").iterdir()) == ["3", "4", "5"]

    def test_the_one_that_ran_stays(self) -> None:
        """Even if it was the oldest, after going back."""
        for name in ("1", "2", "3"):
            self.install(name)
        self.run_script("rollback")
        self.run_script("rollback")
        assert self.current() == "versions/1"
        self.install("4")
        assert sorted(path.name for path in (self.prefix / "versions").iterdir()) == ["1", "3", "4"]

    def test_back_to_what_ran(self) -> None:
        """And not to what is next by age: that one had been gone back from."""
        for name in ("1", "2"):
            self.install(name)
        self.run_script("rollback")
        self.install("3")
        assert self.run_script("rollback") == "ma-signaling 1 runs again\n"
        assert "there is no version before 1" in self.run_script("rollback", status=1)

    def test_what_ran_is_gone(self) -> None:
        for name in ("1", "2"):
            self.install(name)
        shutil.rmtree(self.prefix / "versions" / "1")
        assert "there is no version before 2" in self.run_script("rollback", status=1)
        assert self.current() == "versions/2"

    def test_a_failure_changes_nothing(self) -> None:
        self.install("1")
        self.run_script("install", status=1, fails="--require-hashes")
        assert self.current() == "versions/1"
        assert [path.name for path in (self.prefix / "versions").iterdir()] == ["1"]

    def test_an_installation_without_versions(self) -> None:
        (self.prefix / "bin").mkdir(parents=True)
        assert "move it away first" in self.run_script("install", status=1)
        assert "usage" in self.run_script(status=2)
