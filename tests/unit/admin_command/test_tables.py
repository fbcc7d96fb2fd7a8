"""What the commands print fits a terminal."""

from __future__ import annotations

from unittest import TestCase

from ma_signaling.admin_command import tables


class TablesTest(TestCase):
    def test_an_event(self) -> None:
        """Its line goes on below, where it is too long."""
        answer = {
            "time": 1.0,
            "event": "home lost",
            "connection": "c12345",
            "remote_id": "ABCDEFGHIJKLMNOPQRSTUVWXY9",
            "lasted": 12.345,
            "why": "closed with 1013 Closed by the operator\x1b[2J",
        }
        lines = tables.event(answer, "04:26:26").splitlines()
        self.assertEqual(
            lines,
            [
                "04:26:26 home lost  connection=c12345 remote_id=ABCDEFGHIJKLMNOPQRSTUVWXY9",
                "         lasted=12.345 why=closed with 1013 Closed by the operator…[2J",
            ],
        )
        self.assertEqual(tables.event({"event": "x", "time": 1, "a": "b"}, "0"), "0 x  a=b")

    def test_a_wide_table(self) -> None:
        """The widest column is cut."""
        lines = tables.table(["A", "B"], [["x" * 100, "short"], ["y", "z"]]).splitlines()
        self.assertEqual(max(map(len, lines)), tables.COLUMNS)
        self.assertTrue(lines[1].endswith("…  short"), lines)
