"""The ratios as a picture: docs/performance.svg."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from benchmarks.report import LABELS
from benchmarks.rounds import Figure

WIDTH = 760
LEFT = 290
RIGHT = 90
ROW = 22
HEAD = 34
MOST = 3.0
"""The ratio at which bars and spreads are cut off, since a long one would make all others too short to compare."""

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .group { font-weight: 600 }
  .faint { fill: #59636e }
  .better { fill: #1a7f37 }
  .worse { fill: #9a6700 }
  .one { stroke: #1f2328; stroke-width: 1.5 }
  .spread { stroke: #59636e; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .faint { fill: #9198a1 }
    .better { fill: #3fb950 }
    .worse { fill: #d29922 }
    .one { stroke: #f0f6fc }
    .spread { stroke: #9198a1 }
  }
"""


def chart(figures: Iterable[Figure], peer: str) -> str:
    """Return an SVG with a bar for each ratio to ``peer``, and its spread as a line over the bar."""
    shown = [figure for figure in figures if figure.sides[1] == peer and figure.unit]
    scale = (WIDTH - LEFT - RIGHT) / MOST
    height = 20.0
    parts: list[str] = []
    for group in dict.fromkeys(figure.group for figure in shown):
        height += HEAD
        parts.append(f'<text class="group" x="10" y="{height - 8:.0f}">{escape(group)}</text>')
        for figure in shown:
            if figure.group == group:
                parts += _bar(figure, height, scale)
                height += ROW
    one = LEFT + scale
    title = f"Cost, with {peer} as 1: shorter is better"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 16:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="faint" x="10" y="18">{escape(title)}</text>',
    ]
    line = f'<line class="one" x1="{one:.1f}" y1="26" x2="{one:.1f}" y2="{height + 6:.0f}"/>'
    return "\n".join([*head, *parts, line, "</svg>", ""])


def _bar(figure: Figure, top: float, scale: float) -> Sequence[str]:
    middle = top + ROW / 2
    label = escape(LABELS.get(figure.name, figure.name))
    parts = [f'<text x="10" y="{middle + 4:.1f}">{label}</text>']
    if figure.is_refused:
        return [*parts, f'<text class="faint" x="{LEFT}" y="{middle + 4:.1f}">refused</text>']
    kind = "better" if figure.ratio <= 1 else "worse"
    ends = figure.ratio, min(figure.ratios), max(figure.ratios)
    ratio, least, most = (min(each, MOST) for each in ends)
    return [
        *parts,
        f'<rect class="{kind}" x="{LEFT}" y="{top + 3:.1f}" width="{ratio * scale:.1f}" height="{ROW - 6}"/>',
        f'<line class="spread" x1="{LEFT + least * scale:.1f}" y1="{middle:.1f}" '
        f'x2="{LEFT + most * scale:.1f}" y2="{middle:.1f}"/>',
        f'<text x="{LEFT + most * scale + 8:.1f}" y="{middle + 4:.1f}">{figure.ratio:.2f}</text>',
    ]
