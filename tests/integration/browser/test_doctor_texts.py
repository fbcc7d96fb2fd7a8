"""The doctor's codes, its advice for each, and their texts in every language."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ma_signaling.core.session_trace import End
from ma_signaling.core.session_verdict import VERDICTS
from tests import ROOT
from tests.support.browser_cases import STEPS, DoctorTestCase
from tests.support.browser_thread import Visit

PAGES = ROOT / "ma_signaling" / "http" / "pages"
DOCTOR = PAGES / "doctor"
DOCS = ROOT / "docs" / "doctor.md"
TEXTS: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in (PAGES / "texts").iterdir()}


def flat(texts: Any, at: str = "") -> dict[str, str]:
    """All texts by their path."""
    if isinstance(texts, str):
        return {at: texts}
    items = texts.items() if isinstance(texts, dict) else enumerate(texts)
    return {path: text for key, each in items for path, text in flat(each, f"{at}.{key}").items()}


def placeholders(text: str) -> set[str]:
    """The names of the values that a text wants."""
    return set(re.findall(r"\{(\w+)\}", text))


def tables(page: Path) -> list[list[list[str]]]:
    """The rows of each table, its head included."""
    found = re.findall(r"(?:^\|.*\|\n)+", page.read_text(), re.MULTILINE)
    rows = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for table in found
    ]
    return [[table[0], *table[2:]] for table in rows]


class TextTests(DoctorTestCase):
    """Nothing is missing, and nothing is left over."""

    def test_every_code_has_its_advice(self) -> None:
        """All codes that the modules stop or warn with, and no others."""
        sources = {path.name: path.read_text() for path in DOCTOR.glob("*.js") if path.name != "advice.js"}
        source = "".join(sources.values())
        stops = set(re.findall(r'new Stop\(.*?"([a-z0-9-]+)"', source))
        stops |= set(re.findall(r'_WITHIN, "([a-z-]+)"', source))
        stops |= set(re.findall(r'"((?:no|only|relays?|ipv6)-[a-z0-9-]+)"', sources["verdicts.js"]))
        stops |= {
            "server-restarting",
            "signaling-closed",
            "id-bad",
            "id-mistyped",
            "home-lost",
            "home-silent",
            "blocked",
            "music-down",
            "connection-lost",
        }
        stops |= set(re.findall(r'^  "?[a-z-]+"?: "([a-z-]+)",$', sources["signaling.js"], re.MULTILINE))
        # Codes inside, which others replace.
        stops -= {"no-path", "silence"}
        warnings = set(re.findall(r'warning: "([a-z-]+)"', source))
        warnings |= set(
            re.findall(r'"((?:dead|some|relays)-(?:ice|udp)-[a-z]+)"', sources["connection_steps.js"])
        )
        warnings |= {"slow-start", "unencrypted"}
        advice = self.call("advice.js", "[Object.keys(m.FAILURES), Object.keys(m.WARNINGS)]")
        assert stops == set(advice[0]), stops ^ set(advice[0])
        assert warnings == set(advice[1]), warnings ^ set(advice[1])

    def test_texts(self) -> None:
        """Each language has the texts of each code, each hint that is used, and no others; with the same values."""
        advice = self.call("advice.js", "m.FAILURES"), self.call("advice.js", "m.WARNINGS")
        hints = {hint for codes in advice for hints in codes.values() for hint in hints}
        english = flat(TEXTS["en"])
        for language, texts in TEXTS.items():
            assert set(texts["failures"]) == set(advice[0]), language
            assert set(texts["warnings"]) == set(advice[1]), language
            assert set(texts["hints"]) == hints | {"wait-seconds"}, (language, set(texts["hints"]) ^ hints)
            assert set(texts["verdicts"]) == set(VERDICTS), language
            assert set(texts["ends"]) == set(End), language
            assert set(texts["steps"]) == set(STEPS), language
            found = flat(texts)
            assert list(found) == list(english), (language, set(found) ^ set(english))
            for key, text in found.items():
                assert text.strip() == text != "", (language, key)
                assert placeholders(text) == placeholders(english[key]), (language, key)

    def test_french_signs(self) -> None:
        """The space that French sets before a sign doesn't let the sign begin a line."""
        found = [text for text in flat(TEXTS["fr"]).values() if re.search(" [:;?!»]|« ", text)]
        assert not found, found

    def test_a_server_of_ones_own(self) -> None:
        """There, the Remote ID and Remote Access that Music Assistant shows are of no use: the agent's are."""
        settings = {key for key, text in flat(TEXTS["en"]).items() if "Settings, Remote Access" in text}
        assert ".doctor.hint" in settings
        for language, texts in TEXTS.items():
            found = flat(texts)
            assert all("ma-signaling home" in found[key] for key in settings), language

    def test_decimal_sign(self) -> None:
        """Times and rates have that of the language; versions look the same everywhere."""
        code = """async () => {
            const { measured, text } = await import("/assets/texts.js");
            const version = text("found.api", { version: "2.7" }).includes("2.7");
            const texts = [text("found.rtt", { rtt: "9.1 s" }), text("warnings.slow-data", { rate: "0.7" })];
            return [version, measured("9.1 s"), ...texts.map((each) => /\\d\\S\\d/.exec(each)[0])];
        }"""
        for language in TEXTS:

            def play(visit: Visit) -> Any:
                visit.page.goto(self.server.http + "/doctor")
                return visit.page.evaluate(code)

            sign = "." if language == "en" else ","
            wanted = [True, f"9{sign}1\u00a0s", f"9{sign}1", f"0{sign}7"]
            assert self.visit(play, locale=language) == wanted, language

    def test_table_of_failures(self) -> None:
        """docs/doctor.md names each failure with its headline and what to try first, on the public server."""
        failures = self.call("advice.js", "m.FAILURES")
        texts = TEXTS["en"]

        def row(code: str, hints: list[str]) -> list[str]:
            first = texts["hints"][hints[0]].partition(" If this server is your own")[0] if hints else ""
            return [f"`{code}`", texts["failures"][code][0], first]

        (table,) = [each for each in tables(DOCS) if each[0][0] == "Code"]
        assert table[1:] == [row(code, hints) for code, hints in failures.items()]
