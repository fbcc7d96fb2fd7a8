"""What lets CI fail: a skip that it doesn't expect, a Python that isn't there."""

from __future__ import annotations

import os
import subprocess
from typing import Any
from unittest import TestCase, mock

import pytest

from tests import ROOT, conftest


class SkipTest(TestCase):
    """With ``MAY_SKIP``, as ``.ci/run`` sets it."""

    def outcome(self, reason: str) -> str:
        """Return what becomes of a test that skips for this reason."""
        report = pytest.TestReport(
            "test_x", ("x", 1, ""), {}, "skipped", ("x.py", 1, f"Skipped: {reason}"), "call"
        )
        anything: Any = mock.Mock(nodeid="test_x")
        hook = conftest.pytest_runtest_makereport(anything, anything)
        next(hook)
        with self.assertRaises(StopIteration) as done:
            hook.send(report)
        changed: pytest.TestReport = done.exception.value
        if changed.failed:
            self.assertIn(reason, str(changed.longrepr))
        return changed.outcome

    def test_reasons(self) -> None:
        for may_skip, reason, outcome in (
            ("no firefox-esr|no IPv6", "no firefox-esr: apt-get install firefox-esr", "skipped"),
            ("no firefox-esr|no IPv6", "no /usr/bin/chromium: apt-get install chromium", "failed"),
            ("", "anything", "failed"),
        ):
            with mock.patch.dict(os.environ, {"MAY_SKIP": may_skip}):
                self.assertEqual(self.outcome(reason), outcome, (may_skip, reason))
        with mock.patch.dict(os.environ):
            os.environ.pop("MAY_SKIP", None)
            self.assertEqual(self.outcome("anything"), "skipped")

    def test_ci_sets_it(self) -> None:
        self.assertRegex((ROOT / ".ci" / "run").read_text(encoding="utf-8"), r"(?m)^MAY_SKIP=.* make test$")


class VersionsTest(TestCase):
    """Of Python."""

    def test_one_that_is_not_here(self) -> None:
        done = subprocess.run(
            [ROOT / ".ci" / "versions"],
            env={**os.environ, "VERSIONS": "3.99"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (1, "3.99: not here\n"))
