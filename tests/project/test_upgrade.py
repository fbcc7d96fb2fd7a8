"""``make install`` and ``make rollback``: versions side by side, and a link. pip's part is played by a script."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.proxy_processes import replaced

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

SYSTEMCTL = """#!/bin/sh
# It tells what it is asked, knows the units in $UNITS, and does not restart those in $FAILS.
echo "$*" >> "$ASKED"
case "$*" in
    list-units*--state=active,activating*"ma-signaling@*.service")
        for unit in $UNITS; do echo "$unit loaded active running"; done ;;
    list-unit-files*--state=enabled*) echo "ma-signaling@.service enabled enabled" ;;
    "restart $FAILS") exit 1 ;;
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

    def run_script(self, *arguments: str, status: int = 0, fails: str = "nothing", umask: int = -1) -> str:
        script = str(ROOT / "contrib" / "install.sh")
        return self.run_command(script, *arguments, status=status, fails=fails, umask=umask)

    def run_command(self, *command: str, status: int = 0, fails: str = "nothing", umask: int = -1) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, "PREFIX": str(self.prefix), "PYTHON": str(self.python), "FAILS": fails},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            umask=umask,
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

    def test_a_strict_umask(self) -> None:
        """Root's may keep all others out, but the service has a user of its own."""
        self.run_script("install", umask=0o077)
        for path in (self.prefix, *self.prefix.rglob("*")):
            wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
            assert path.stat().st_mode & wanted == wanted, path

    def test_what_an_earlier_build_left(self) -> None:
        """It is gone before pip builds, and nothing else that is in build/."""
        checkout = self.directory / "checkout"
        for name in ("contrib/install.sh", "contrib/systemd", "ma_signaling/__init__.py"):
            made = checkout / name
            made.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, made)
        for name in ("build/lib/ma_signaling/removed.py", "build/libdatachannel/used.py"):
            left = checkout / name
            left.parent.mkdir(parents=True)
            left.touch()
        self.run_command(str(checkout / "contrib" / "install.sh"), "install")
        assert [path.name for path in (checkout / "build").iterdir()] == ["libdatachannel"]

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


class SystemdTest(SynchronousTestCase):
    """On a machine with systemd, whose place a script takes, in directories of its own."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.asked = self.directory / "asked"
        self.units = self.directory / "units"
        for path in (self.units, self.directory / "run", self.directory / "bin", self.directory / "contrib"):
            path.mkdir()
        (self.directory / "ma_signaling").symlink_to(ROOT / "ma_signaling")
        (self.directory / "contrib" / "systemd").symlink_to(ROOT / "contrib" / "systemd")
        stand_ins = {"python3": PYTHON, "systemctl": SYSTEMCTL, "id": "#!/bin/sh\necho 0\n"}
        # Two versions within a second have different names.
        stand_ins["date"] = "#!/bin/sh\n/bin/date +%s%N\n"
        # It needs no group that this machine hasn't.
        stand_ins["install"] = f'#!/bin/sh\necho "$*" >> {self.asked}\nmkdir "$6"\n'
        text = (ROOT / "contrib" / "install.sh").read_text(encoding="utf-8")
        places = {
            "/opt/ma-signaling": f"{self.directory}/opt",
            "/run/systemd/system": f"{self.directory}/run",
            "/etc/systemd/system/": f"{self.units}/",
            "/etc/ma-signaling": f"{self.directory}/etc",
        }
        self.script = self.directory / "contrib" / "install.sh"
        self.script.write_text(replaced(text, places), encoding="utf-8")
        self.script.chmod(0o755)
        for name, content in stand_ins.items():
            (self.directory / "bin" / name).write_text(content, encoding="utf-8")
            (self.directory / "bin" / name).chmod(0o755)

    def asked_for(
        self, *arguments: str, units: str = "", status: int = 0, fails: str = "nothing"
    ) -> list[str]:
        """Run the script; return what it has asked systemd for, but for what is there."""
        self.asked.write_text("")
        said = {"UNITS": units, "FAILS": fails, "ASKED": str(self.asked), "PYTHON": "python3"}
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [str(self.script), *arguments],
            env={**os.environ, **said, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done
        self.said = done.stderr
        return [line for line in self.asked.read_text().splitlines() if not line.startswith("list-unit")]

    def test_the_first_time(self) -> None:
        assert self.asked_for("install") == [
            f"-d -g ma-signaling -m 0750 {self.directory}/etc",
            "daemon-reload",
            "enable --quiet --now ma-signaling.socket",
            "enable --quiet ma-signaling.service",
            "restart ma-signaling.service",
        ]
        wanted = {"ma-signaling.service", "ma-signaling.socket", "ma-signaling@.service"}
        assert {path.name for path in self.units.iterdir()} == wanted

    def test_back_to_the_units_of_before(self) -> None:
        """The version of before refuses settings that the new units have."""
        systemd = self.directory / "contrib" / "systemd"
        systemd.unlink()
        shutil.copytree(ROOT / "contrib" / "systemd", systemd)
        self.asked_for("install")
        newer = systemd / "ma-signaling.service"
        newer.write_text(
            newer.read_text().replace("Type=notify\n", "Type=notify\nEnvironment=MA_SIGNALING_NEW=on\n")
        )
        self.asked_for("install")
        installed = self.units / newer.name
        assert "MA_SIGNALING_NEW" in installed.read_text()
        wanted = ["daemon-reload", "enable --quiet --now ma-signaling.socket"]
        assert self.asked_for("rollback")[:2] == wanted
        assert installed.read_text() == (ROOT / "contrib" / "systemd" / newer.name).read_text()

    def test_several_processes(self) -> None:
        """They are restarted one after the other; the socket unit, which would take their port, stays as it is."""
        self.asked_for("install")
        units = "ma-signaling@1.service ma-signaling@2.service"
        wanted = ["daemon-reload", "restart ma-signaling@1.service", "restart ma-signaling@2.service"]
        assert self.asked_for("install", units=units) == wanted
        assert self.asked_for("rollback", units=units) == wanted
        # Those that run go on where the first does not start.
        first, *_ = units.split()
        assert self.asked_for("install", units=units, status=1, fails=first) == wanted[:2]
        assert f"journalctl -u {first} says why" in self.said
