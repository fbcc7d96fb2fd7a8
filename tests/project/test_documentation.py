"""What the documentation names is there: pages, headings, files, targets of `make`, options, defaults."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import declarations
from tests import ROOT
from tests.support.markdown_parts import PAGES, anchors, links, prose

FOLDERS = r"ma_signaling|tests|contrib|benchmarks|docs|twisted|\.github|\.ci"
# Of this server's own programs: everything else on a line, as `pip install --require-hashes`, is not ours.
OWN_COMMAND = re.compile(r"(?:^|\s|bin/)ma-signaling ((?:check )?-(?:\\\n|[^`|>&#\n])*)", re.MULTILINE)
MAX_COLUMNS = 120
OF_TWISTD = {"help", "version", "config", "check-config"}
OF_CHECK = {"url", "webrtc", "json", "warning", "timeout", "help"}


class LinkTest(SynchronousTestCase):
    """Relative links, with their anchors."""

    def test_each_leads_somewhere(self) -> None:
        checked = 0
        for page in PAGES:
            for link in links(page):
                parts = urlsplit(link)
                if parts.scheme:
                    assert parts.scheme == "https" and "." in parts.netloc, f"{page.name}: {link}"
                    continue
                target = (page.parent / parts.path).resolve() if parts.path else page
                assert target.exists(), f"{page.name}: {link}"
                if parts.fragment:
                    assert parts.fragment in anchors(target), f"{page.name}: {link}"
                checked += 1
        assert checked > 50

    def test_every_page_can_be_reached(self) -> None:
        """From the README, by links."""
        reached, todo = set(), [ROOT / "README.md"]
        while todo:
            page = todo.pop()
            if page in reached:
                continue
            reached.add(page)
            paths = ((page.parent / urlsplit(link).path).resolve() for link in links(page))
            todo += [path for path in paths if path.suffix == ".md" and path.exists()]
        pages = {page for page in PAGES if ".github" not in page.parts}
        assert not pages - reached, pages - reached


class LineTest(SynchronousTestCase):
    """Lines that a side by side view of a change shows whole."""

    def test_length(self) -> None:
        """Of everything but code, which stays as it is typed or printed."""
        pages = [*PAGES, *(ROOT / "changelog.d").glob("*.md")]
        for page in pages:
            for line in prose(page).splitlines():
                assert len(line) <= MAX_COLUMNS, f"{page.relative_to(ROOT)}: {len(line)} columns: {line}"


class NamesTest(SynchronousTestCase):
    """What is written as code."""

    def test_files(self) -> None:
        for page in PAGES:
            for name in re.findall(rf"`((?:{FOLDERS})/[\w./@-]+)`", prose(page)):
                assert (ROOT / name).exists(), f"{page.name}: {name}"
            for name in re.findall(r"`(test_\w+\.py)`", prose(page)):
                assert list((ROOT / "tests").rglob(name)), f"{page.name}: {name}"

    def test_security(self) -> None:
        """No promise without a test, and each attack that is played is named."""
        page = prose(ROOT / "SECURITY.md")
        for heading in ("What is promised", "Attacks, defences, tests"):
            section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].rpartition("\n- ")
            items = re.split(r"\n- ", section[0] + section[1] + section[2].partition("\n\n")[0])[1:]
            assert len(items) > 6, heading
            for item in items:
                assert re.search(r"`(test_\w+\.py|tests/\w+)`", item), f"no test shows: {item}"
        for module in (ROOT / "tests" / "integration" / "attacks").glob("test_*.py"):
            assert f"`{module.name}`" in page, module.name

    def test_targets_of_make(self) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        seen = set[str]()
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for target in re.findall(r"(?:`|^|\$ )make (?:--\S+ )*([a-z-]+)", text, re.MULTILINE):
                assert target in targets, f"{page.name}: make {target}"
                seen.add(target)
        assert "soak-home" in seen

    def test_options(self) -> None:
        """Of this program's command lines."""
        known = {each.option for each in declarations()} | OF_TWISTD | OF_CHECK
        seen = 0
        for page in PAGES:
            for arguments in OWN_COMMAND.findall(page.read_text(encoding="utf-8")):
                for option in re.findall(r"--([a-z][a-z-]+)", arguments):
                    assert option in known, f"{page.name}: --{option}"
                    seen += 1
        assert seen > 10
