"""The languages of the pages: their texts, which one a browser wants, and how a page is filled with them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson

TEXTS = "texts"
"""The directory below ``pages/`` with one file per language, called by its code (``de.json``)."""

DEFAULT = "en"

Texts = Mapping[str, Any]
"""Texts by section and key."""

_PLACEHOLDER = re.compile(r"\{\{([a-z0-9. -]+)\}\}")
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")
"""A language range and its weight (RFC 9110 section 12.5.4), of which the primary subtag counts."""


def load(files: Mapping[str, bytes]) -> dict[str, Texts]:
    """Return the texts by language, from the contents of ``pages/texts`` by file name."""
    return {name.removesuffix(".json"): orjson.loads(body) for name, body in sorted(files.items())}


def preferred(accept_language: str, languages: Mapping[str, object]) -> str:
    """Return which of ``languages`` an ``Accept-Language`` header wants most: the first of equal weight."""
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
    """Return HTML with each ``{{name}}`` replaced by that value, each ``{{section.key}}`` by that text, as text.

    ``{{texts section section}}`` becomes JSON of these sections, for a script. Raises KeyError where there is none.
    """

    def find(name: str) -> str:
        first, *sections = name.split(" ")
        if first == "texts":
            # In a script, HTML has no entities; "<" could end it.
            return orjson.dumps({each: texts[each] for each in sections}).decode().replace("<", "\\u003c")
        section, dot, key = name.partition(".")
        return html.escape(str(texts[section][key]) if dot else values[name])

    return _PLACEHOLDER.sub(lambda match: find(match[1]), page)
