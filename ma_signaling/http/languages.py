"""The languages of the pages: loading texts, choosing a browser's language, and filling pages."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson

TEXTS = "texts"
"""The directory below ``pages/`` with one file per language, named by its code (``de.json``)."""

DEFAULT = "en"

Texts = Mapping[str, Any]
"""Texts by section and key."""

_PLACEHOLDER = re.compile(r"\{\{([a-z0-9. -]+)\}\}")
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")
"""A language range, of which only the primary subtag counts, and its weight (RFC 9110 section 12.5.4)."""


def load(files: Mapping[str, bytes]) -> dict[str, Texts]:
    """Return the texts by language, from the contents of ``pages/texts`` by file name."""
    return {name.removesuffix(".json"): orjson.loads(body) for name, body in sorted(files.items())}


def preferred(accept_language: str, languages: Mapping[str, object]) -> str:
    """Return the one of ``languages`` that an ``Accept-Language`` header prefers, of equal weights the first."""
    best, best_weight = DEFAULT, 0.0
    for item in accept_language.split(","):
        match = _ACCEPTED.fullmatch(item)
        if match is None:
            continue
        language, weight = match[1].lower(), float(match[2] or 1)
        if language in languages and weight > best_weight:
            best, best_weight = language, weight
    return best


def fill(page: str, texts: Texts, values: Mapping[str, str]) -> str:
    """Return HTML with each ``{{name}}`` replaced by that value and each ``{{section.key}}`` by that text, escaped.

    ``{{texts section section}}`` becomes JSON of these sections, for a script. Raises KeyError for an unknown name.
    """

    def find(name: str) -> str:
        first, *sections = name.split(" ")
        if first == "texts":
            # Entities don't work in a script, which "<" could end.
            return orjson.dumps({each: texts[each] for each in sections}).decode().replace("<", "\\u003c")
        section, dot, key = name.partition(".")
        return html.escape(str(texts[section][key]) if dot else values[name])

    return _PLACEHOLDER.sub(lambda match: find(match[1]), page)
