"""The report of a run: for the terminal, and as the generated part of docs/performance.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.rounds import Figure

UNITS = {
    "µs": (1e6, 1),
    "ms": (1e3, 2),
    "s": (1.0, 2),
    "KiB": (1 / 2**10, 1),
    "MiB": (1 / 2**20, 1),
    "/s": (1.0, 0),
}
"""By unit: the factor by which a figure is multiplied, and its number of decimals."""

LABELS = {
    "relay": "relayed ICE candidate",
    "relay singly": "relayed ICE candidate, singly",
    "session": "whole session",
    "arrive": "home that arrives",
    "leave": "home that leaves",
    "leave, 64 sessions": "home that leaves with 64 open sessions",
}

BEGIN = "<!-- measured: written by `make bench` -->"
END = "<!-- measured: end -->"


def amount(values: Sequence[float], unit: str) -> str:
    """Return the median of ``values`` with its unit, for people."""
    factor, decimals = UNITS[unit]
    return f"{median(values) * factor:,.{decimals}f} {unit}"


def counts(values: Sequence[float]) -> str:
    """Return all ``values``: no failure may be hidden by a median."""
    return ", ".join(f"{value:,.0f}" for value in values)


def cells(figure: Figure) -> list[str]:
    """Return a figure's row: label, ours, theirs, ratio, spread."""
    label = LABELS.get(figure.name, figure.name)
    if figure.is_refused:
        reason, _ = Counter(figure.refusals).most_common(1)[0] if figure.refusals else ("not measured", 0)
        return [label, "refused", "refused", "", reason]
    if not figure.unit:
        return [label, counts(figure.ours), counts(figure.theirs), "", ""]
    ratios = figure.ratios
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else "one round"
    if figure.refusals:
        spread += f"; refused: {len(figure.refusals)}"
    mine, theirs = (amount(values, figure.unit) for values in (figure.ours, figure.theirs))
    return [label, mine, theirs, f"{figure.ratio:.2f}", spread]


def tables(figures: Iterable[Figure]) -> dict[str, list[list[str]]]:
    """Return the rows of each group, the heading first."""
    groups: dict[str, list[list[str]]] = {}
    for figure in figures:
        rows = groups.setdefault(figure.group, [["", *figure.sides, "ratio", "spread"]])
        rows.append(cells(figure))
    return groups


def as_text(figures: Iterable[Figure]) -> str:
    """Return the tables for the terminal."""
    lines = []
    for group, rows in tables(figures).items():
        rows[0][0] = group
        lines += [*_aligned(rows, lambda cells: "  ".join(cells).rstrip()), ""]
    return "\n".join(lines)


def as_markdown(figures: Iterable[Figure], circumstances: Mapping[str, str]) -> str:
    """Return the tables as Markdown, after the circumstances of the run."""
    lines = [f"- {name}: {value}" for name, value in circumstances.items()]
    for group, rows in tables(figures).items():
        heading, *rest = _aligned(rows, lambda cells: f"| {' | '.join(cells)} |")
        lines += ["", f"### {group}", "", heading, "| --- | ---: | ---: | ---: | --- |", *rest]
    return "\n".join(lines)


def write(document: Path, measured: str) -> None:
    """Replace the generated part of ``document`` with ``measured``."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")


def _aligned(rows: Sequence[Sequence[str]], join: Callable[[list[str]], str]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        join(
            [
                cell.rjust(width) if column in {1, 2, 3} else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
        )
        for row in rows
    ]
