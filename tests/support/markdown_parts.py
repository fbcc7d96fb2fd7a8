"""Parts of the documentation, for tests: links, anchors, blocks of code, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob(".github/**/*.md"),
        ROOT / "changelog.d" / "README.md",
    ]
)

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")


class Block(NamedTuple):
    """A block of code."""

    language: str
    text: str


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code in this language, in their order."""
    return [block.text for block in _blocks(page) if block.language == language]


def _blocks(page: Path) -> Iterator[Block]:
    for indent, language, text in _FENCED.findall(page.read_text(encoding="utf-8")):
        yield Block(language, "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True)))


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def documented_errors() -> list[tuple[str, str]]:
    """Return the code and the text of each error in docs/protocol.md."""
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    text = page.partition("\n## Errors\n")[2].partition("\n### ")[0]
    items = re.findall(r"^- `([a-z-]+)`,\s+(`[^`]+`(?:\s+or\s+`[^`]+`)?):", text, re.MULTILINE)
    return [(code, wording) for code, wordings in items for wording in re.findall("`([^`]+)`", wordings)]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures."""
    without_code = re.sub(r"`[^`\n]+`(?!\])", "", prose(page))
    return [link or image for link, image in _LINK.findall(without_code)]


def anchors(page: Path) -> set[str]:
    """Return the fragments that GitHub gives to a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = 0
        while (unique := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(unique)
    return found
