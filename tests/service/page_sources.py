"""Reading the sources of the page for its tests: elements of the HTML, brackets of a script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from service.routes.page import STATIC

HTML = (STATIC / "index.html").read_text(encoding="utf-8")
VIEWS = ("label", "add", "quality", "health")
"""Views that are fetched when they are first shown: a folder each, with a fragment of HTML."""
FRAGMENTS = [(STATIC / view / f"{view}.html").read_text(encoding="utf-8") for view in VIEWS]
SCRIPTS = sorted(STATIC.rglob("*.js"))
STYLES = sorted(STATIC.rglob("*.css"))
VOID = frozenset({"meta", "link", "input", "img", "path", "circle", "rect", "use"})

_CLOSING = {")": "(", "]": "[", "}": "{"}
_BEFORE_A_REGEX = frozenset("(,=:[!&|?{};\n")


@dataclass
class Element:
    """One element of the page."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: tuple[str, ...] = field(default=())
    """Tags of its ancestors."""


class _Reader(HTMLParser):
    """Collects the elements, and the text inside each, that of its children included."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and keep it open until its end tag."""
        inside = tuple(element.tag for element in self.open)
        values = {name: value or "" for name, value in attrs}
        element = Element(tag, values, inside=inside)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element."""
        if tag in VOID:
            return
        closed = self.open.pop()
        assert closed.tag == tag, f"<{closed.tag}> is closed by </{tag}>, line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        """Give a text to every open element."""
        for element in self.open:
            element.text += data.strip()


def page_elements() -> list[Element]:
    """Return every element of index.html and of the views; fails where the tags do not nest."""
    reader = _Reader()
    for text in (HTML, *FRAGMENTS):
        reader.feed(text)
        assert reader.open == []
    reader.close()
    return reader.elements


def page_ids() -> list[str]:
    """Return every id of the page, in order."""
    return [element.attributes["id"] for element in page_elements() if "id" in element.attributes]


def unbalanced(script: str) -> str | None:
    """Return what is wrong with the brackets and quotes of a script; ``None`` if nothing is.

    Strings, template literals, comments and regular expressions are skipped; the code inside
    ``${...}`` counts.
    """
    opened: list[str] = []
    place = 0
    while place < len(script):
        char = script[place]
        if script.startswith("//", place) or script.startswith("/*", place):
            place = _end_of_comment(script, place)
        elif char in "\"'" or (char == "/" and _begins_a_regex(script, place)):
            place = _end_of_literal(script, place)
        elif char == "`" or (char == "}" and opened[-1:] == ["${"]):
            if char == "}":
                opened.pop()
            place = _end_of_template(script, place)
            if script[place - 1] == "{":
                opened.append("${")
            continue
        elif char in "([{":
            opened.append(char)
        elif char in _CLOSING and (not opened or opened.pop() != _CLOSING[char]):
            return f"{char!r} at line {script.count(chr(10), 0, place) + 1} closes nothing"
        place += 1
    return f"{opened[-1]!r} is never closed" if opened else None


def module_imports(path: Path) -> list[tuple[Path, list[str]]]:
    """Return the files that a script imports, with the names it takes from each."""
    statement = re.compile(r"^import \{([^}]*)\} from \"(\.\.?/[\w./]+)\";", re.MULTILINE)
    return [
        (
            (path.parent / module).resolve(),
            [name.strip() for name in names.split(",") if name.strip()],
        )
        for names, module in statement.findall(path.read_text(encoding="utf-8"))
    ]


def _begins_a_regex(script: str, place: int) -> bool:
    before = script[:place].rstrip(" ")
    return before[-1:] in _BEFORE_A_REGEX or before.endswith("return")


def _end_of_comment(script: str, place: int) -> int:
    block = script[place + 1] == "*"
    end = script.find("*/" if block else "\n", place + 2)
    assert end >= 0, "a comment is never closed"
    return end + block


def _end_of_literal(script: str, place: int) -> int:
    """Return the place of the sign that ends a string or a regular expression."""
    sign, in_class = script[place], False
    place += 1
    while script[place] != sign or in_class:
        assert script[place] != "\n", (
            f"a literal is not closed on its line: {script[place - 40 : place]}"
        )
        if sign == "/" and script[place] in "[]":
            in_class = script[place] == "["
        place += 2 if script[place] == "\\" else 1
    return place


def _end_of_template(script: str, place: int) -> int:
    """Return the place behind the back-tick or the ``${`` that ends this part of a template."""
    place += 1
    while script[place] != "`":
        if script.startswith("${", place):
            return place + 2
        place += 2 if script[place] == "\\" else 1
    return place + 1
