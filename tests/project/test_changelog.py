"""The fragments of the changelog: towncrier passes over one whose name it doesn't understand, and says nothing."""

from __future__ import annotations

import re
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.file_checkers import beside_python, complaints


class ChangelogTest(SynchronousTestCase):
    """What a release will say."""

    def test_no_fragment_is_passed_over(self) -> None:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        kinds = "|".join(each["directory"] for each in tomllib.loads(text)["tool"]["towncrier"]["type"])
        for path in (ROOT / "changelog.d").iterdir():
            if path.name != "README.md":
                assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({kinds})\.md", path.name), path.name
                assert path.read_text(encoding="utf-8").strip(), path.name

    def test_it_can_be_built(self) -> None:
        assert complaints(beside_python("towncrier"), "build", "--draft", "--version", "0") == ""
