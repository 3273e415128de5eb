"""The page around the parts of a report: head, contents, style; nothing in it leaves the file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

from evaluation.html_markup import Markup, element, escape, joined
from evaluation.html_style import STYLE

_TITLED = re.compile(r'<section id="([^"]+)"[^>]*><h2[^>]*>(.*?)</h2>')


def html_page(title: str, *, intro: Sequence[str], sections: Sequence[Markup]) -> str:
    """Return a whole document.

    Its policy allows this one style and pictures inside the file, and nothing else: no script, no
    request, no form.

    Args:
        title: of the page.
        intro: paragraphs under it.
        sections: made by ``html_markup.section``; empty ones are left out.
    """
    shown = [part for part in sections if part]
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f"<header><h1>{escape(title)}</h1>{joined(intro)}</header>\n"
        f"{_contents(shown)}\n"
        f'<main id="content" tabindex="-1">\n{_lines(shown)}\n</main>\n'
        "<footer><p>Made by sightline evaluate. Everything on this page is in this file.</p>"
        "</footer>\n</body>\n</html>\n"
    )


def _contents(sections: Sequence[Markup]) -> Markup:
    """Return links to the sections."""
    found = [_TITLED.match(part) for part in sections]
    items = [
        element("li", element("a", Markup(one[2]), attributes={"href": f"#{one[1]}"}))
        for one in found
        if one
    ]
    return element("nav", element("ul", *items), attributes={"aria-label": "Contents"})


def _lines(parts: Sequence[Markup]) -> Markup:
    return Markup("\n".join(parts))
