"""The docs say what is true: commands exist, links lead somewhere, Python blocks run."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_sightline_command_in_the_docs_parses(page: Path) -> None:
    """A command that a reader can copy names real sub-commands and real options."""
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        if words[:1] == ["sightline"]:
            parse(words[1:], line)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_in_the_docs_exists(page: Path) -> None:
    """``make x`` in a shell block is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in shell_lines(page):
        words = [word for word in shlex.split(line, comments=True) if "=" not in word]
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    """Links between pages and to pictures are not broken."""
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in targets if not (page.parent / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_python_block_runs(page: Path, tmp_path: Path) -> None:
    """The Python blocks of a page run from top to bottom as one script, from the repository."""
    script = "\n".join(body for kind, body in blocks(page) if kind == "python")
    if not script:
        return
    setup = f"import os, sys\nsys.path.insert(0, {str(ROOT)!r})\nos.chdir({str(ROOT)!r})\n"

    done = subprocess.run(
        [sys.executable, "-c", setup + script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    """Each sub-command appears in a shell block of the docs."""
    lines = [line for page in PAGES for line in shell_lines(page)]

    assert any(line.startswith(f"sightline {name}") for line in lines)


def test_the_file_tree_of_the_readme_equals_the_disk() -> None:
    """The README names every folder at the top, and no other."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = next(body for kind, body in blocks_of(readme) if kind == "text" and "core/" in body)
    named = {line.split("/")[0].strip() for line in tree.splitlines() if "/ " in line}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert named == {path.split("/")[0] for path in tracked if "/" in path} - {".ci"}


def test_the_walkthrough_page_shows_what_the_script_runs() -> None:
    """The commands of docs/walkthrough.md are those of examples/walkthrough.sh, in order."""
    script = (ROOT / "examples" / "walkthrough.sh").read_text(encoding="utf-8")
    for variable, value in (("\\\n", " "), (' "$@"', ""), ('"$PORT" &', "8010")):
        script = script.replace(variable, value)
    commands = [" ".join(line.split()) for line in script.splitlines() if "sightline " in line]
    shown = [" ".join(line.split()) for line in shell_lines(ROOT / "docs" / "walkthrough.md")]

    assert [line for line in commands if line.startswith("sightline")] == [
        line for line in shown if line.startswith("sightline")
    ]


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and body of every fenced block of a page."""
    return blocks_of(page.read_text(encoding="utf-8"))


def blocks_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and body of every fenced block of a text."""
    for match in BLOCK.finditer(text):
        yield match.group(1), match.group(2)


def shell_lines(page: Path) -> Iterator[str]:
    """Yield the command lines of the shell blocks, continuation lines joined."""
    for kind, body in blocks(page):
        if kind in {"sh", "bash"}:
            for line in body.replace("\\\n", " ").splitlines():
                yield line.strip().removeprefix("$ ")


def parse(words: list[str], line: str) -> None:
    """Follow the sub-commands and parse the rest as options, without running anything."""
    command: click.Command = importlib.import_module("cli.main").command
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, line
        command, words = found, words[1:]
    context = click.Context(command, resilient_parsing=True)
    try:
        command.make_parser(context).parse_args(words)
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")
