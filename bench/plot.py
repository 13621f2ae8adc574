"""Bar charts as SVG: name, median, and a line from minimum to maximum."""

from collections.abc import Sequence
from html import escape

WIDTH, NAMES_WIDTH, FIGURES_WIDTH = 800, 290, 80
ROW, BAR, TOP = 28, 18, 44
FONT = 'font-family="system-ui, sans-serif" font-size="13" fill="#222"'


def bars(title: str, rows: Sequence[tuple[str, float, Sequence[float]]]) -> str:
    """Return a chart of rows: a name, the median, and the values that it is the median of."""
    height = TOP + ROW * len(rows) + 8
    largest = max((max(each) for _, _, each in rows), default=1) or 1
    scale = (WIDTH - NAMES_WIDTH - FIGURES_WIDTH) / largest
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="24" font-weight="600" {FONT}>{escape(title)}</text>',
    ]
    for index, (name, figure, each) in enumerate(rows):
        top = TOP + ROW * index
        middle, right = top + BAR / 2, NAMES_WIDTH + max(figure, *each) * scale
        colour = "#b8860b" if name == "Carillon" else "#8fa3b5"
        low, high = NAMES_WIDTH + min(each) * scale, NAMES_WIDTH + max(each) * scale
        lines += [
            f'<text x="{NAMES_WIDTH - 8}" y="{middle + 4.5}" text-anchor="end" {FONT}>{escape(name)}</text>',
            f'<rect x="{NAMES_WIDTH}" y="{top}" width="{figure * scale:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#222" stroke-width="1.5"/>',
            f'<text x="{right + 6:.1f}" y="{middle + 4.5}" {FONT}>{figure:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
