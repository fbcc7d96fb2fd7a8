"""Twisted's own runner: the units that live on Twisted, and a part of each other folder, pass under it too."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from unittest import TestCase

from tests import ROOT

PARTS = (
    "tests.unit.transport",
    "tests.unit.http",
    "tests.unit.runtime",
    "tests.model.test_games.LeavingModelTest",
    "tests.integration.test_reload",
    "tests.project.test_hosting",
)


class UnderTrialTest(TestCase):
    """`make trial` shows what it prints."""

    def test_parts(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [sys.executable, "-m", "twisted.trial", f"--temp-directory={directory}/trial", *PARTS],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        sys.stdout.write(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"PASSED \(successes=\d+\)\n\Z", "a test was skipped")
