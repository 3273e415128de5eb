"""docs/errors.md: every code that an error can have, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "encoders", "index", "zeroshot", "evaluation", "training", "service", "sightline")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
BY_FRAMEWORK = {"method_not_allowed", "too_large", "internal"}
"""Codes of answers that no error class of ours makes (service/errors.py, middleware.py)."""


def test_the_page_lists_every_code_and_no_other() -> None:
    """A program that looks a code up finds it, with its cause and its remedy."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    listed = ROW.findall(page)

    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) == codes_of_the_source() | BY_FRAMEWORK


def codes_of_the_source() -> set[str]:
    """Return every code that the source gives to an error: by its class, or where it is raised."""
    return {
        code
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for code in codes_of(ast.parse(path.read_text(encoding="utf-8")))
    }


def codes_of(module: ast.Module) -> Iterator[str]:
    """Yield the codes in a module: class attributes, keyword arguments, named constants."""
    constants = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield from (
                str(line.value.value)
                for line in node.body
                if isinstance(line, ast.Assign)
                and isinstance(line.value, ast.Constant)
                and [target.id for target in line.targets if isinstance(target, ast.Name)]
                == ["code"]
            )
        if isinstance(node, ast.keyword) and node.arg == "code":
            yield from _texts(node.value, constants)


def _texts(value: ast.expr, constants: Mapping[str, str]) -> Iterator[str]:
    """Yield the texts that an expression can be: itself, a constant, or either of a condition."""
    if isinstance(value, ast.IfExp):
        yield from _texts(value.body, constants)
        yield from _texts(value.orelse, constants)
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    if isinstance(value, ast.Name) and value.id in constants:
        yield constants[value.id]
