"""The home's certificate in its file."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from unittest import TestCase, mock

from ma_signaling.core import remote_id
from ma_signaling.home.identity import FILE, IdentityError, load_or_create


class IdentityTest(TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name) / "new" / "state"

    def test_the_same_again(self) -> None:
        first = load_or_create(self.directory)
        self.assertTrue(first.is_new)
        self.assertTrue(remote_id.is_fingerprint(first.remote_id))
        announced = [
            each.value for each in first.certificate.getFingerprints() if each.algorithm == "sha-256"
        ]
        self.assertEqual([remote_id.from_fingerprint(each) for each in announced], [first.remote_id])
        again = load_or_create(self.directory)
        self.assertEqual((again.remote_id, again.is_new), (first.remote_id, False))

    def test_only_the_owner_reads_it(self) -> None:
        load_or_create(self.directory)
        path = self.directory / FILE
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        path.chmod(0o644)
        load_or_create(self.directory)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)

    def test_a_place_where_nothing_can_be_written(self) -> None:
        first = load_or_create(self.directory)
        for number in (errno.EROFS, errno.EPERM):
            with mock.patch.object(Path, "chmod", side_effect=OSError(number, os.strerror(number))):
                self.assertEqual(load_or_create(self.directory).remote_id, first.remote_id)

    def test_a_damaged_file_is_not_replaced(self) -> None:
        first = load_or_create(self.directory)
        path = self.directory / FILE
        whole = path.read_bytes()
        for damaged in (b"", whole[:-40], b"nonsense"):
            path.write_bytes(damaged)
            with self.assertRaises(IdentityError):
                load_or_create(self.directory)
            self.assertEqual(path.read_bytes(), damaged)
        path.write_bytes(whole)
        self.assertEqual(load_or_create(self.directory).remote_id, first.remote_id)

    def test_no_place_for_it(self) -> None:
        self.directory.parent.parent.joinpath("new").write_text("a file")
        for directory, problem in (
            (self.directory.parent, f"{self.directory.parent} is not a directory"),
            (self.directory, f"{self.directory}: Not a directory"),
        ):
            with self.assertRaises(IdentityError) as caught:
                load_or_create(directory)
            self.assertEqual(str(caught.exception), problem)
