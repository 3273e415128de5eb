"""From matplotlib's SVG to one that belongs into a page: classes for colours, no styles, no ids.

A page may allow no style but its own, shows plots in light and in dark, and holds several of them.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from evaluation.html_markup import Markup

COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "line": "#030303",
    **{f"series-{place}": f"#0404{place:02x}" for place in range(1, 9)},
}
"""What a plot draws with: colours that stand for classes ``fill-...``, ``stroke-...``."""

_CLASSES = {colour: name for name, colour in COLOURS.items()}
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_FONT = frozenset({"font-family", "font"})
"""The page's own."""


def clean_svg(svg: str, *, name: str, title: str) -> Markup:
    """Return the drawing as inline SVG.

    Args:
        svg: matplotlib's, drawn in ``COLOURS``.
        name: put before its ids, so that no two plots of a page share one.
        title: what it shows, for people who do not see it.
    """
    # The text is matplotlib's own, made a moment ago: no entities, no foreign document.
    root = ET.fromstring(svg.encode())  # noqa: S314
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"metadata", "style"}:
                parent.remove(child)
    linked = {href for one in root.iter() for href in _references(one)}
    for one in root.iter():
        _clean(one, name=name, linked=linked)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": title})
    heading = ET.Element("title")
    heading.text = title
    root.insert(0, heading)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))


def _references(one: ET.Element) -> list[str]:
    """Return the ids that an element draws or clips by."""
    clip = one.get("clip-path", "")
    return [one.get(_LINK, "").removeprefix("#"), clip.removeprefix("url(#").removesuffix(")")]


def _clean(one: ET.Element, *, name: str, linked: set[str]) -> None:
    one.tag = one.tag.removeprefix(_SVG)
    one.text = one.text if one.text and one.text.strip() else None
    one.tail = None
    attributes = {}
    for key, value in one.attrib.items():
        if key == "id":
            if value in linked:
                attributes["id"] = f"{name}-{value}"
        elif key == _LINK:
            attributes["href"] = f"#{name}-{value.removeprefix('#')}"
        elif key == "clip-path":
            attributes[key] = value.replace("url(#", f"url(#{name}-")
        elif key == "style":
            attributes.update(_attributes_of(value))
        elif key == "d":
            attributes[key] = " ".join(value.split())
        else:
            attributes[key] = value
    one.attrib.clear()
    one.attrib.update(attributes)


def _attributes_of(style: str) -> dict[str, str]:
    """Return a style as presentation attributes, its colours as classes."""
    attributes: dict[str, str] = {}
    classes = []
    for declaration in filter(None, map(str.strip, style.split(";"))):
        key, value = (part.strip() for part in declaration.split(":", 1))
        if key in {"fill", "stroke"} and value in _CLASSES:
            classes.append(f"{key}-{_CLASSES[value]}")
        elif key not in _FONT:
            attributes[key] = value
    if classes:
        attributes["class"] = " ".join(classes)
    return attributes
