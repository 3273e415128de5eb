"""The page as files: complete, self-contained, readable by everyone, and served as what it is."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from service.routes.page import STATIC
from tests.service.page_sources import (
    FRAGMENTS,
    HTML,
    SCRIPTS,
    STYLES,
    VIEWS,
    module_imports,
    page_elements,
    page_ids,
    unbalanced,
)

TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
}
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
MOST_LINES_OF_A_SCRIPT = 250
READABLE = 4.5
VISIBLE = 3.0
TEXT_ON_GROUND = (
    ("ink", "paper"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("muted", "paper"),
    ("muted", "surface"),
    ("muted", "sunken"),
    ("accent", "paper"),
    ("accent", "surface"),
    ("accent", "accent-wash"),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-strong"),
    ("danger", "surface"),
    ("danger", "danger-wash"),
    ("ink", "danger-wash"),
)


def names(paths: list[Path]) -> list[str]:
    """Return readable test ids."""
    return [path.name for path in paths]


def referenced() -> set[str]:
    """Return the assets that index.html names; fragments name those of their own folder."""
    found = {
        element.attributes.get("href") or element.attributes.get("src") or ""
        for element in page_elements()
        if element.tag in {"link", "script", "img"}
    }
    of_views = tuple(f"/static/{view}/" for view in VIEWS)
    return {address for address in found if address and not address.startswith(of_views)}


def test_the_page_is_served_and_may_not_be_stale(colours: httpx.Client) -> None:
    """``/`` is the page, as HTML, asked for anew on each visit."""
    answer = colours.get("/")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == HTML


def test_the_policy_of_the_page_allows_no_foreign_and_no_inline_script(
    colours: httpx.Client,
) -> None:
    """The browser itself refuses what the page must not load."""
    policy = colours.get("/").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    assert rules.get("script-src", rules["default-src"]) == "'self'"
    assert rules.get("connect-src", rules["default-src"]) == "'self'"


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_file_is_served_with_its_type(path: Path, colours: httpx.Client) -> None:
    """Browsers run a module only when it is served as JavaScript."""
    if path.name == "index.html":
        return
    answer = colours.get(f"/static/{path.relative_to(STATIC)}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == TYPES[path.suffix]
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.content == path.read_bytes()


def test_the_page_names_every_file_of_the_search_and_no_other() -> None:
    """Nothing is missing, nothing lies about, and each module of the search is fetched at once."""
    first = [path for path in FILES if path.parent.name not in VIEWS and path.suffix != ".html"]

    assert referenced() == {f"/static/{path.relative_to(STATIC)}" for path in first}
    assert {path.suffix for path in FILES} == set(TYPES)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_uses_all_its_files(view: str) -> None:
    """What a view does not import, nobody loads; its fragment, style and module have its name."""
    folder = (STATIC / view).resolve()
    start = folder / f"{view}_view.js"
    found, waiting = {start}, [start]
    while waiting:
        imported = {module for module, _ in module_imports(waiting.pop())} - found
        found |= imported
        waiting += imported

    used = {path for path in found if path.parent == folder}
    assert {path for path in folder.iterdir() if path.suffix == ".js"} == used
    fragment = (folder / f"{view}.html").read_text(encoding="utf-8")
    styles = set(re.findall(rf'<link rel="stylesheet" href="/static/{view}/([\w.]+)">', fragment))
    assert {path.name for path in folder.iterdir()} - {path.name for path in used} == {
        f"{view}.html",
        f"{view}.css",
        *styles,
    }


def test_the_page_has_no_inline_script_or_style() -> None:
    """All code and style is in files, so the content policy can be strict."""
    for element in page_elements():
        assert element.tag != "style"
        assert element.tag != "script" or element.attributes.get("src")
        assert "style" not in element.attributes
        assert [name for name in element.attributes if name.startswith("on")] == []


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_no_file_names_an_address_outside(path: Path) -> None:
    """The page works without any network but its own service."""
    text = path.read_text(encoding="utf-8").replace(SVG_NAMESPACE, "")

    assert "://" not in text
    assert re.findall(r"""(?:src|href|url|import|fetch)\s*[=(]\s*["']?//""", text) == []


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=names([*SCRIPTS, *STYLES]))
def test_sources_are_plain_ascii_without_markup_from_data(path: Path) -> None:
    """What comes from a gallery is set as text, so a caption cannot become markup."""
    text = path.read_text(encoding="ascii")

    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text) == []
    )


def test_ids_are_unique() -> None:
    """An id names one element."""
    ids = page_ids()

    assert sorted(set(ids)) == sorted(ids)


def test_every_id_that_a_script_asks_for_exists() -> None:
    """``byId`` and ``#...`` selectors find what they look for."""
    known = set(page_ids())
    for path in SCRIPTS:
        script = path.read_text(encoding="utf-8")
        asked = re.findall(r'byId\("([^"]+)"\)', script)
        asked += re.findall(r'press\("([^"]+)"', script)
        asked += re.findall(r'querySelector(?:All)?\("#([\w-]+)', script)
        assert set(asked) <= known, path.name


def test_every_icon_exists_in_the_sprite() -> None:
    """No button is an empty square."""
    known = set(page_ids())
    used = set(re.findall(r'href="#(icon-[\w-]+)"', "".join((HTML, *FRAGMENTS))))
    for path in SCRIPTS:
        script = path.read_text(encoding="utf-8")
        used |= {f"icon-{name}" for name in re.findall(r'icon\("([\w-]+)"\)', script)}

    assert used == {name for name in known if name.startswith("icon-")}


def test_every_reference_between_elements_leads_somewhere() -> None:
    """Labels and descriptions belong to elements that exist."""
    known = set(page_ids())
    for element in page_elements():
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            assert set(element.attributes.get(name, "").split()) <= known


def test_everything_that_can_be_used_has_a_name() -> None:
    """Screen readers can say each button, link, field and picture."""
    elements = page_elements()
    labelled = {element.attributes["for"] for element in elements if "for" in element.attributes}
    for element in elements:
        attributes = element.attributes
        named = {"aria-label", "aria-labelledby"} & set(attributes) or element.text
        if element.tag in {"button", "a"}:
            assert named, attributes
        if element.tag in {"input", "select"} and "hidden" not in attributes:
            assert named or attributes.get("id") in labelled or "label" in element.inside
        if element.tag == "img":
            assert "alt" in attributes


def test_the_page_has_landmarks_and_a_way_past_the_bar() -> None:
    """One main part, a language, and a first link that jumps to the pictures."""
    elements = page_elements()
    html = next(element for element in elements if element.tag == "html")
    first_link = next(element for element in elements if element.tag == "a")

    assert html.attributes["lang"] == "en"
    assert [element.tag for element in elements].count("main") == 1
    assert first_link.attributes["href"] == "#main"


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_scripts_are_balanced(path: Path) -> None:
    """Every bracket and quote is closed; the browser tests run the scripts."""
    assert unbalanced(path.read_text(encoding="utf-8")) is None


def test_a_script_with_a_missing_bracket_is_found() -> None:
    """The check of brackets is not blind: strings, templates and patterns do not hide a fault."""
    assert unbalanced('f("(", `)${g([1])}`, /[(/]/);\n') is None
    assert unbalanced("f(`${g(1}`);\n") is not None
    assert unbalanced("if (a) {\n f();\n") == "'{' is never closed"
    assert unbalanced("a);\n") == "')' at line 1 closes nothing"


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_imports_name_modules_and_exports_that_exist(path: Path) -> None:
    """A module takes from another only what that one gives."""
    statements = re.findall(r"^import ", path.read_text(encoding="utf-8"), re.MULTILINE)
    imports = module_imports(path)

    assert len(imports) == len(statements)
    for module, taken in imports:
        source = module.read_text(encoding="utf-8")
        given = re.findall(r"(?m)^export (?:async )?(?:function|class|const) (\w+)", source)
        assert set(taken) <= set(given), module.name


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_scripts_hold_one_noun_and_say_what_they_export(path: Path) -> None:
    """A module is short, begins with what it is, and documents what others may use."""
    script = path.read_text(encoding="utf-8")
    exported = re.findall(r"(\*/\n)?^export ", script, re.MULTILINE)

    assert script.startswith("/**")
    assert script.count("\n") <= MOST_LINES_OF_A_SCRIPT
    assert all(exported)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_text_is_readable(theme: str, text: str, ground: str) -> None:
    """WCAG 2 AA asks for a contrast of 4.5 between text and its ground."""
    colours = theme_colours(theme)

    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_borders_of_fields_and_the_focus_ring_are_visible(theme: str) -> None:
    """WCAG 2 AA asks for a contrast of 3 for what shows a field or the focus."""
    colours = theme_colours(theme)

    assert contrast(colours["line-strong"], colours["surface"]) >= VISIBLE
    assert contrast(colours["line-strong"], colours["paper"]) >= VISIBLE
    assert contrast(colours["accent"], colours["paper"]) >= VISIBLE


def test_contrast_agrees_with_the_definition() -> None:
    """Black on white is 21, a colour on itself 1, #777777 on white 4.48 (WCAG's own example)."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#0b6b5d", "#0b6b5d") == 1
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def theme_colours(theme: str) -> dict[str, str]:
    """Return the colour tokens of a theme; the dark one overrides the light one."""
    light, dark = (
        (STATIC / "base.css").read_text(encoding="utf-8").split("(prefers-color-scheme")[:2]
    )
    token = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
    colours = dict(token.findall(light))
    return colours | dict(token.findall(dark)) if theme == "dark" else colours


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours. Source: WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``. Source: WCAG 2.2, relative luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
