"""What a run says: in the terminal, and as the generated part of docs/performance.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.rounds import Figure

UNITS = {
    "µs": (1e6, "µs", 1),
    "ms": (1e3, "ms", 2),
    "s": (1.0, "s", 2),
    "MiB": (1 / 2**20, "MiB", 1),
}
"""By what a figure is multiplied, what follows it, and how many decimals it has."""


def amount(values: Sequence[float], unit: str) -> str:
    """The median of ``values``, as a person reads it."""
    factor, name, decimals = UNITS[unit]
    return f"{median(values) * factor:,.{decimals}f} {name}".strip()


def counts(values: Sequence[float]) -> str:
    """Every one of ``values``: of failures, none may hide behind a median."""
    return ", ".join(f"{value:.0f}" for value in values)


def cells(figure: Figure) -> list[str]:
    """A figure's line: what, ours, theirs, ratio, spread."""
    if figure.is_refused:
        reason, _ = Counter(figure.refusals).most_common(1)[0] if figure.refusals else ("not measured", 0)
        return [figure.name, "refused", "", "", reason]
    if not figure.unit:
        return [figure.name, counts(figure.ours), counts(figure.theirs), "", ""]
    ratios = figure.ratios
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}" if len(ratios) > 1 else "one round"
    if figure.refusals:
        spread += f", {figure.rounds} of {figure.rounds + len(figure.refusals)} rounds"
    return [
        figure.name,
        amount(figure.ours, figure.unit),
        amount(figure.theirs, figure.unit),
        f"{figure.ratio:.2f}",
        spread,
    ]


def as_text(figures: Iterable[Figure], ours: str, theirs: str) -> str:
    """A table for the terminal."""
    figures = list(figures)
    lines = []
    for group in dict.fromkeys(figure.group for figure in figures):
        rows = [[group, ours, theirs, "ratio", "spread"]]
        rows += [cells(figure) for figure in figures if figure.group == group]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            first, *rest, last = row
            middle = "  ".join(text.rjust(width) for text, width in zip(rest, widths[1:4], strict=True))
            lines.append(f"{first.ljust(widths[0])}  {middle}  {last}".rstrip())
        lines.append("")
    return "\n".join(lines)
