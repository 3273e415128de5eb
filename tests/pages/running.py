"""Running the shell blocks of a page: bash expands a line, the command runs in this process."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SERVER = "http://127.0.0.1:8000"
"""Where the pages expect a server."""
OTHER_SERVER = "http://photos.example:8000"
TIMEOUT_S = 300
FREE = frozenset({"metadata", "terms", "error"})
"""Parts of an answer whose names are the reader's, or which depend on what was asked."""
_SPY = """#!{python}
import json, os, sys
with open(os.environ["SPY"], "a") as file:
    file.write(json.dumps({{"words": sys.argv[1:], "environment": dict(os.environ)}}) + "\\n")
"""
_CURL = """#!/bin/bash
server={server}
exec {curl} --silent --show-error --fail-with-body "${{@//$server/$ADDRESS}}"
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a shell block, and the block that shows its answer."""

    line: str
    answer: str | None
    """The block of JSON that follows, where this is the last line before it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a line ended."""

    code: int
    out: str
    err: str


def steps_of(page: Path) -> Iterator[Step]:
    """Yield the lines of the shell blocks of a page, continuation lines joined."""
    text = page.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    for place, match in enumerate(found):
        if match.group(1) not in {"sh", "bash"}:
            continue
        lines = [line.strip() for line in match.group(2).replace("\\\n", " ").splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        follower = found[place + 1] if place + 1 < len(found) else None
        shown = follower is not None and follower.group(1) == "json"
        # The next block belongs to another section, or is an error that the page explains.
        shown = shown and "\n#" not in text[match.end() : follower.start()]
        for number, line in enumerate(lines, start=1):
            prints_json = line.startswith("curl") or "--json" in line
            last = number == len(lines) and shown and prints_json
            yield Step(line, follower.group(2) if last and follower else None)


class PageRunner:
    """Runs lines in one folder, one after the other."""

    def __init__(self, folder: Path, address: str, capture: Callable[[], tuple[str, str]]) -> None:
        """Put a stand-in for ``sightline`` and one for ``curl`` before all other programs.

        Args:
            folder: where the commands run; its ``home`` is the home of their user.
            address: the server that answers in the place of ``SERVER``.
            capture: returns what was printed since it was last called.
        """
        self.folder = folder
        self.address = address
        self.capture = capture
        self.spied = folder / "spied.jsonl"
        programs = folder / "bin"
        programs.mkdir()
        curl = shutil.which("curl")
        if curl is None:
            pytest.skip("the pages use curl: 'apt-get install curl'")
        _write_program(programs / "sightline", _SPY.format(python=sys.executable))
        _write_program(programs / "curl", _CURL.format(curl=curl, server=SERVER))
        self.environment = {
            "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder / "home"),
            "SPY": str(self.spied),
            "ADDRESS": address,
            "KEY": "sl_no-such-key",
        }

    def run(self, line: str) -> Outcome:
        """Run one line: the shell does its part, then a ``sightline`` in it runs here."""
        self.spied.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-euc", self._here(line)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        if outcome.code or not self.spied.exists():
            return outcome
        [call] = [json.loads(text) for text in self.spied.read_text("utf-8").splitlines()]
        words = [word.replace(SERVER, self.address) for word in call["words"]]
        if "--out" in words:
            # The pages show several commands with one place for what they write.
            _remove_with_companions(self.folder / words[words.index("--out") + 1])
        return self._run_here(words, call["environment"])

    def _here(self, line: str) -> str:
        """Return a line with the places of the pages replaced by those of this folder."""
        return line.replace(OTHER_SERVER, self.address).replace(" /backups/", " backups/")

    def _run_here(self, words: list[str], environment: dict[str, str]) -> Outcome:
        """Run a command line of ours in this process, which has loaded the packages already."""
        settings = {name: text for name, text in environment.items() if name[:9] == "SIGHTLINE"}
        if words[:1] == ["serve"] and "--print-config" not in words:
            # Serving has tests of its own; here all settings are read and checked.
            words = [*words, "--print-config"]
        before, arguments, keyboard = dict(os.environ), sys.argv, sys.stdin
        sys.argv, sys.stdin = ["sightline", *words], io.StringIO("y\n")
        os.environ.update({**settings, "HOME": self.environment["HOME"]})
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv, sys.stdin = arguments, keyboard
            os.environ.clear()
            os.environ.update(before)
        out, err = self.capture()
        return Outcome(code, out, err)


def shape(value: object) -> object:
    """Return what is the same in a documented and a real answer: names and structure."""
    if isinstance(value, dict):
        return {name: None if name in FREE else shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


def _remove_with_companions(path: Path) -> None:
    """Remove what a command has written, and the files beside it that begin like it."""
    beside = (path.parent / f"{path.stem}.{ending}" for ending in ("dropped.jsonl", "report.json"))
    for found in (path, *beside):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
