"""The style of the pages of reports: light and dark, phone and paper.

Every text has a contrast of at least 4.5 to its ground and every line of a plot at least 3 (WCAG
2.2, 1.4.3 and 1.4.11), in both colour schemes.
"""

from __future__ import annotations

SERIES = 8
"""Colours for lines of plots: the classes ``fill-1`` and ``stroke-1`` to ``fill-8``."""

LIGHT = {
    "ground": "#ffffff",
    "card": "#f5f7fa",
    "ink": "#1a1f26",
    "muted": "#55606e",
    "line": "#d5dbe3",
    "link": "#0a58b0",
    "good": "#11663a",
    "bad": "#b3261e",
    "series-1": "#0a58b0",
    "series-2": "#b45309",
    "series-3": "#11713f",
    "series-4": "#8b2fa0",
    "series-5": "#b3261e",
    "series-6": "#0e7490",
    "series-7": "#616a76",
    "series-8": "#7a5230",
}
DARK = {
    "ground": "#14181d",
    "card": "#1d232b",
    "ink": "#e7ebf0",
    "muted": "#a9b4c0",
    "line": "#3a444f",
    "link": "#7cb8ff",
    "good": "#6fdc9e",
    "bad": "#ff9a90",
    "series-1": "#6db1ff",
    "series-2": "#f5a83c",
    "series-3": "#5dd39e",
    "series-4": "#d79bf7",
    "series-5": "#ff8a80",
    "series-6": "#5fd4e6",
    "series-7": "#b0b8c2",
    "series-8": "#d6b48c",
}


_RULES = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--ground);color:var(--ink);
 font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.4rem 0 .4rem}
p{margin:.4rem 0;max-width:70ch}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;background:var(--ground);padding:.5rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.8rem 0;padding:0}
nav a{display:inline-block;padding:.2rem 0}
.muted,figcaption,footer{color:var(--muted)}
.good,.bad{white-space:nowrap}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.7rem;
 margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem}
.card p{margin:0;font-size:.85rem;overflow-wrap:break-word}
.card .value{font-size:1.7rem;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem}
figure{margin:.6rem 0;max-width:36rem;min-width:0}
figure>svg{display:block;width:100%;height:auto}
figcaption{font-size:.9rem}
svg text{font-family:system-ui,sans-serif}
.bar{display:block;width:100%;min-width:5rem;height:.6rem;margin:.3rem 0}
.bar .track{fill:var(--line)}.bar .fill{fill:var(--series-1)}.bar .interval{fill:var(--series-2)}
.scroll{overflow-x:auto;max-width:100%;margin:.5rem 0}
table{border-collapse:collapse;font-size:.9rem;overflow-wrap:break-word}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;
 vertical-align:top;unicode-bidi:isolate}
thead th{color:var(--muted);font-weight:600;vertical-align:bottom}
tbody th{font-weight:500;max-width:22rem}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.text{min-width:6rem;max-width:26rem}
details{margin:.4rem 0}
summary{cursor:pointer;color:var(--link);padding:.2rem 0}
.ranks th,.ranks td{text-align:right;white-space:nowrap}
.ranks tbody th{text-align:left;position:sticky;left:0;background:var(--ground)}
.confusion th,.confusion td{padding:.2rem;text-align:center;min-width:1.9rem;font-size:.8rem}
.confusion tbody th{text-align:right;white-space:nowrap;position:sticky;left:0;
 background:var(--ground);max-width:9rem;overflow:hidden;text-overflow:ellipsis}
.confusion thead th{vertical-align:bottom}
.confusion thead span{writing-mode:vertical-rl;max-height:9rem;overflow:hidden}
.right{box-shadow:inset 0 0 0 2px var(--series-3)}
.queries{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,34rem),1fr));
 gap:.7rem}
.query{border:1px solid var(--line);border-radius:.5rem;padding:.7rem;min-width:0;
 break-inside:avoid}
.query h3{margin:.1rem 0}
.query p{margin:.2rem 0;font-size:.9rem}
.pictures{display:flex;flex-wrap:wrap;gap:.6rem;list-style:none;margin:.3rem 0;padding:0}
.pictures li{width:6.4rem;font-size:.8rem;line-height:1.3}
.pictures img,.missing{display:block;width:6.4rem;height:6.4rem;object-fit:contain;
 background:var(--card);border:2px solid var(--line);border-radius:.3rem}
.pictures .relevant img,.pictures .relevant .missing{border-color:var(--good)}
.missing{padding:.4rem;color:var(--muted);overflow:hidden}
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.2rem 1rem;font-size:.9rem}
dt{font-weight:600}
dd{margin:0;min-width:0}
@media (max-width:32rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
@media print{:root{font-size:11px}body{max-width:none}nav,.skip{display:none}
 figure,.card,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}}
"""


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def _plot_classes() -> str:
    names = ["ink", "muted", "line", *(f"series-{place}" for place in range(1, SERIES + 1))]
    return "".join(
        f".fill-{name}{{fill:var(--{name})}}.stroke-{name}{{stroke:var(--{name})}}"
        for name in names
    )


def _shades() -> str:
    """Return the colours of cells, the darker the higher the number."""
    return "".join(
        f".heat-{step}{{background:color-mix(in srgb,var(--series-1) {12 * step}%,var(--ground))}}"
        for step in range(1, 5)
    )


STYLE = "".join(
    [
        f":root{{color-scheme:light dark;{_variables(LIGHT)}}}",
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}",
        f"@media print{{:root{{color-scheme:light;{_variables(LIGHT)}}}}}",
        _RULES,
        _shades(),
        _plot_classes(),
    ]
)
"""All of it; the page's policy names its digest."""
