"""The results as a picture: bars of medians, one group for each piece of work. Plain SVG."""

from html import escape

COLOURS = {"killick": "#0f766e", "crane": "#94a3b8", "skopeo": "#a8a29e", "docker": "#60a5fa"}
OTHERS = "#94a3b8"
LEFT, WIDTH, BAR, GAP = 180, 760, 18, 26
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1e293b}.case{font-weight:600}.value{fill:#475569}"
    "@media (prefers-color-scheme:dark){text{fill:#e2e8f0}.value{fill:#94a3b8}}"
)


def svg(results: dict[str, dict[str, dict]]) -> str:
    """Bars are scaled within each piece of work, so that small ones can be read too."""
    parts, y = [], 24
    for case, everybody in results.items():
        parts.append(f'<text class="case" x="12" y="{y}">{escape(case)}</text>')
        y += 10
        longest = max(found["wall"] for found in everybody.values())
        for who, found in everybody.items():
            parts.append(_bar(y, who, found["wall"], longest))
            y += BAR + 4
        y += GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>Seconds for the same work, median; shorter is better</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bar(y: int, who: str, wall: float, longest: float) -> str:
    length = max(2.0, (WIDTH - LEFT - 90) * wall / longest)
    colour = COLOURS.get(who.split()[0], OTHERS)
    middle = y + BAR - 5
    return (
        f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(who)}</text>'
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
        f'<text class="value" x="{LEFT + length + 8:.1f}" y="{middle}">{wall:.3f} s</text>'
    )
