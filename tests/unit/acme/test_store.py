"""What the service that keeps a certificate has on disk, and what it does without."""

from __future__ import annotations

import errno
import shutil
import stat
from itertools import islice
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from ma_signaling.acme import store
from ma_signaling.config import files
from ma_signaling.config.declaration import CannotStart
from ma_signaling.runtime.key_pair import read_pair
from ma_signaling.runtime.tls_context import make_context
from tests.support.acme_case import AUTHORITY, DAY, AcmeTestCase
from tests.support.certificates import damaged


class StoreTest(AcmeTestCase):
    """One server whose files are strange, gone, or impossible to write."""

    def test_any_file(self) -> None:
        """Whatever a certificate's file holds, the server starts: at worst it asks for another one."""
        certificate, key = self.directory / "c", self.directory / "k"
        AUTHORITY.issue(certificate, key, days=90)
        first = certificate.read_bytes().partition(b"-----END")[0] + b"-----END CERTIFICATE-----\n"
        self.acme.stopService()
        found = set()
        for content in islice(damaged(first), 0, None, 3):
            self.acme.pair.write_bytes(key.read_bytes() + content)
            self.acme.privilegedStartService()
            found.add(self.acme.is_issued)
        assert found == {True, False}

    def test_files_that_are_gone(self) -> None:
        """They are for the next start: what is known is known."""
        self.child.say(account={"directory": "d", "uri": "u", "key": {}})
        self.issue()
        self.child.say(renewAt=None, askAt=self.began + 3600)
        self.child.end()
        shutil.rmtree(self.acme.pair.parent)
        self.reactor.pump([60] * 61)
        assert self.child.heard[0]["task"] == "advise"
        assert self.child.heard[0]["certificate"].encode() in self.shown[0]
        assert self.child.heard[0]["account"]["uri"] == "u"

    def test_files_that_cannot_be_read(self) -> None:
        """They aren't taken for empty, and so replaced: the server doesn't start."""
        self.issue()
        self.acme.stopService()
        for name in ("certificate.pem", "account.json", "record.json"):
            path = self.acme.pair.with_name(name)
            path.unlink(missing_ok=True)
            path.mkdir()
            with self.assertRaises(CannotStart) as refusal:
                self.start()
            assert refusal.exception.problem == f"{path} can't be read: Is a directory"
            path.rmdir()

    def fill_disk(self, *names: str) -> Any:
        """Let files with these names, or all, be impossible to write; returns what ends that."""

        def write_private(path: Path, content: bytes) -> None:
            if not names or path.name in names:
                raise OSError(errno.ENOSPC, "No space left on device")
            files.write_private(path, content)

        return self.patch(store, "write_private", write_private)

    def test_a_full_disk(self) -> None:
        """No certificate is asked for that could not be kept."""
        for names in ((), ("room",), ("record.json",), ("account.json",)):
            count = len(self.reactor.children)
            full = self.fill_disk(*names)
            with capturedLogs() as events:
                self.child.say(account={"directory": "d", "uri": "u", "key": {}})
                self.refuse()
                self.reactor.pump([60] * 60 * 24)
            lines = [formatEvent(event) for event in events]
            assert any("can't be written: No space left on device." in line for line in lines)
            assert len(lines) <= 4, lines
            assert len(self.reactor.children) == count
            full.restore()
            self.reactor.pump([60] * 5)
            assert len(self.reactor.children) == count + 1

    def test_a_disk_that_is_full_when_it_is_issued(self) -> None:
        """The certificate is used, and kept as soon as it can be."""
        before = self.acme.pair.read_bytes()
        full = self.fill_disk("certificate.pem")
        with capturedLogs() as events:
            self.issue()
            self.child.say(renewAt=None, askAt=self.began + DAY)
            self.child.end()
            self.reactor.pump([60] * 60)
        lines = [formatEvent(event) for event in events]
        assert len(lines) == 2
        assert "certificate.pem can't be written: No space left on device. Trying again" in lines[0]
        assert self.acme.is_issued
        assert len(self.shown) == 1
        self.acme.reload()
        assert len(self.shown) == 2, "whoever reads the file has found the former one"
        assert len(self.reactor.children) == 2
        assert self.acme.pair.read_bytes() == before
        full.restore()
        self.reactor.pump([60])
        assert self.acme.pair.read_bytes() == self.shown[0] == self.shown[-1]
        assert stat.S_IMODE(self.acme.pair.stat().st_mode) == 0o600
        assert not list(self.acme.pair.parent.glob("*room*"))

    def test_what_was_lost_counts_after_a_restart(self) -> None:
        """A CA allows few: what could not be kept is asked for again a day later."""
        self.fill_disk("certificate.pem")
        asked = []
        for hour in range(7 * 24):
            count = len(self.reactor.children)
            if hour:
                self.acme.stopService()
                self.start(as_of=self.reactor.seconds())
            for minute in range(60):
                if len(self.reactor.children) > count or not hour + minute:
                    asked.append(hour)
                    self.issue()
                    self.acme.stopService()
                    count = len(self.reactor.children)
                self.reactor.advance(60)
        assert 1 < len(asked) <= 7, asked

    def test_a_key_of_another_certificate(self) -> None:
        """It would end every handshake."""
        self.issue()
        self.acme.stopService()
        certificate, key = self.directory / "c", self.directory / "k"
        other = certificate.read_bytes()
        AUTHORITY.issue(certificate, key, days=90, begins=0)
        self.acme.pair.write_bytes(key.read_bytes() + other)
        self.start()
        assert not self.acme.is_issued
        make_context(read_pair(self.acme.pair, self.acme.pair))

    def test_a_directory_that_cannot_be_written(self) -> None:
        self.acme.stopService()
        self.acme.pair.unlink()
        shutil.rmtree(self.directory)
        self.directory.write_text("no directory")
        self.addCleanup(self.directory.unlink)
        with self.assertRaises(CannotStart):
            self.start()
