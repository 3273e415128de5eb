"""Pieces of HTML whose texts are escaped: captions, labels and paths are other people's data."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence


class Markup(str):
    """Text that is HTML already; every other string is escaped where it is put into a page."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Return a text as HTML; half a surrogate pair, which no file can hold, becomes ``?``."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(text.encode("utf-8", "replace").decode(), quote=True))


def element(name: str, *children: str, attributes: Mapping[str, str] | None = None) -> Markup:
    """Return ``<name attributes>children</name>``."""
    given = "".join(f' {key}="{escape(value)}"' for key, value in (attributes or {}).items())
    return Markup(f"<{name}{given}>{''.join(map(escape, children))}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Return pieces one after the other."""
    return Markup("".join(map(escape, parts)))


def paragraph(*children: str) -> Markup:
    """Return a paragraph; nothing where there is nothing to say."""
    return element("p", *children) if any(children) else Markup("")


def section(name: str, title: str, *children: str) -> Markup:
    """Return a part of the page that can be jumped to; nothing if it has no content."""
    if not any(children):
        return Markup("")
    heading = element("h2", title, attributes={"id": f"{name}-title"})
    attributes = {"id": name, "aria-labelledby": f"{name}-title"}
    return element("section", heading, *children, attributes=attributes)


def folded(summary: str, *children: str) -> Markup:
    """Return content that opens by a click, or by Enter."""
    return element("details", element("summary", summary), *children)


def table(
    label: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1
) -> Markup:
    """Return a table in a box that scrolls sideways by itself.

    Args:
        label: what the table is, for people who do not see it.
        header: names of the columns.
        rows: cells, as many in each row; the first one is the row's name.
        texts: leading columns that hold texts; the others hold numbers and are aligned right.
    """
    kinds = ["text" if place < texts else "number" for place in range(len(header))]
    head = element(
        "tr",
        *(
            element("th", name, attributes={"scope": "col", "class": kind})
            for name, kind in zip(header, kinds, strict=True)
        ),
    )
    body = [
        element(
            "tr",
            element("th", row[0], attributes={"scope": "row", "class": kinds[0]}),
            *(
                element("td", cell, attributes={"class": kind})
                for cell, kind in zip(row[1:], kinds[1:], strict=True)
            ),
        )
        for row in rows
    ]
    return scrolling(label, element("table", element("thead", head), element("tbody", *body)))


def scrolling(label: str, *children: str) -> Markup:
    """Return a box for wide content: it scrolls, by keys too, and the page does not."""
    attributes = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": label}
    return element("div", *children, attributes=attributes)


def figure(plot: Markup, caption: str, numbers: Markup) -> Markup:
    """Return a plot with what it shows in words, and its numbers folded under it."""
    return element("figure", plot, element("figcaption", caption), folded("The numbers", numbers))


def figures(*found: Markup) -> Markup:
    """Return plots side by side where there is room; nothing if there are none."""
    if not any(found):
        return Markup("")
    return element("div", *found, attributes={"class": "figures"})


def bar(
    value: float | None, low: float | None = None, high: float | None = None, *, zero: float = 0.0
) -> Markup:
    """Return a value between 0 and 1 as a bar, with its interval as a line over it.

    ``zero`` is the place that the bar starts from. The number stands beside it, so it is hidden
    from screen readers.
    """
    if value is None or not 0.0 <= value <= 1.0:
        return Markup("")
    start, width = 100 * min(value, zero), 100 * abs(value - zero)
    parts = [
        '<rect class="track" width="100" height="10"/>',
        f'<rect class="fill" x="{start:.2f}" width="{width:.2f}" height="10"/>',
    ]
    if low is not None and high is not None:
        left, right = 100 * max(low, 0.0), 100 * min(high, 1.0)
        parts.append(
            f'<rect class="interval" x="{left:.2f}" width="{max(right - left, 0.6):.2f}" '
            'y="3.5" height="3"/>'
        )
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
