"""What keeps the project in shape: hooks, fragments of the changelog, templates."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ruamel.yaml import YAML
from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.file_checkers import beside_python, complaints

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
FRAGMENTS = sorted(path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md")


class CommandTest(SynchronousTestCase):
    """As their own checkers see them."""

    def test_issue_forms(self) -> None:
        forms = [str(path) for path in FORMS if path.stem != "config"]
        check = (beside_python("check-jsonschema"), "--builtin-schema")
        assert len(forms) == 2
        assert complaints(*check, "vendor.github-issue-forms", *forms) == ""
        config = str(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml")
        assert complaints(*check, "vendor.github-issue-config", config) == ""

    def test_changelog(self) -> None:
        """What `make changelog` runs."""
        assert complaints(beside_python("towncrier"), "build", "--draft", "--version", "0") == ""

    def test_help_of_make(self) -> None:
        assert complaints("make", "help") == ""


class FilesTest(SynchronousTestCase):
    """As this project wants them."""

    def settings(self) -> dict[str, Any]:
        tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
        return tools

    def test_fragments(self) -> None:
        kinds = "|".join(each["directory"] for each in self.settings()["towncrier"]["type"])
        for path in FRAGMENTS:
            assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({kinds})\.md", path.name), path.name
            assert path.read_text(encoding="utf-8").strip(), path.name
        marker = self.settings()["towncrier"]["start_string"]
        assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count(marker) == 1

    def test_hooks(self) -> None:
        """They are programs that `make lint` has installed, and run what it runs."""
        (repository,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
        assert repository["repo"] == "local"
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for hook in repository["hooks"]:
            program, *rest = hook["entry"].split()
            if program != "git":
                command = program.replace(".venv/bin", "$(BIN)")
                assert " ".join([command, *(word for word in rest if word != "--fix")]) in makefile, hook
