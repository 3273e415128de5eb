"""``sightline demo``: the example gallery, indexed and served, with three commands to try."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from cli.output import note, print_lines
from cli.settings import default_gallery
from core.errors import NotFoundError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LABELS = ("cat", "dog", "bird", "car")
TEXT = "a musical instrument"
_INDENT = "   "


@dataclass(frozen=True, slots=True)
class Trial:
    """A command to paste, and how to find out what it answers without curl."""

    title: str
    """What the command does."""
    command: str
    """What a person types."""
    answer: Callable[[], str]
    """Does the same and returns what the command prints."""


@click.command(name="demo")
@click.option("--port", type=int, help="TCP port, 0 for a free one.  [default: 8000]")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--gallery",
    type=click.Path(path_type=Path),
    help="Folder of the gallery.  [default: data/demo]",
)
def command(*, port: int | None, host: str | None, gallery: Path | None) -> None:
    """Index the example gallery, serve it, and print three commands to try.

    Ctrl-C stops the server; the next start finds the gallery indexed.

    \b
    Examples:
      sightline demo
      sightline demo --port 9000
    """
    from cli.adding import add_sources
    from cli.opening import open_encoder, open_gallery
    from service.server import run_server
    from service.settings import load_settings

    pairs = EXAMPLES / "gallery" / "pairs.jsonl"
    if not pairs.is_file():
        raise NotFoundError(
            f"{pairs} does not exist: the demo runs from a checkout of the project; "
            "use 'sightline add' and 'sightline serve' with pictures of your own"
        )
    gallery = gallery or default_gallery(otherwise="data/demo")
    note("Loading the starter model ...")
    encoder = open_encoder(None, gallery)
    with closing(open_gallery(gallery, encoder)) as opened:
        note(add_sources(opened, [pairs]).line())
    settings = load_settings(options={"gallery": gallery, "host": host, "port": port})
    run_server(
        settings, encoder=encoder, on_ready=lambda address: _introduce(address, gallery=gallery)
    )


def trials(address: str, *, gallery: Path) -> list[Trial]:
    """Return the three commands for a server at ``address``."""
    picture = EXAMPLES / "queries" / "cat.jpg"
    shown = _short(picture)
    fields = " ".join(f"-F labels={label}" for label in LABELS)
    query = urllib.parse.urlencode({"q": TEXT, "k": 3})
    search = ["search", TEXT, "--k", "3", "--gallery", str(gallery)]
    return [
        Trial(
            "Label a picture",
            f"curl -s -F image=@{shlex.quote(str(shown))} {fields} {address}/v1/classify",
            lambda: _fetch(_classify_request(f"{address}/v1/classify", picture)),
        ),
        Trial(
            "Search by text",
            f"curl -s '{address}/v1/search?{query}'",
            lambda: _fetch(urllib.request.Request(f"{address}/v1/search?{query}")),  # noqa: S310 - ours
        ),
        Trial(
            "Search from the terminal",
            shlex.join([_program(), *search]),
            lambda: _run([sys.executable, "-m", "cli.main", *search]),
        ),
    ]


def _introduce(address: str, *, gallery: Path) -> None:
    """Print the commands with their answers, without holding up the server that answers them."""
    from service.keys import keys_path, read_keys

    if read_keys(keys_path(gallery)) is not None:
        note(f"The page: {address}   It asks for one of the keys of 'sightline keys list'.")
        return
    threading.Thread(target=_show_trials, args=(address, gallery), daemon=True).start()


def _show_trials(address: str, gallery: Path) -> None:
    lines = ["", "Try these in another terminal:"]
    for number, trial in enumerate(trials(address, gallery=gallery), start=1):
        answer = trial.answer().rstrip().splitlines()
        lines += ["", f"{number}. {trial.title}", "", f"{_INDENT}{trial.command}", ""]
        lines += [f"{_INDENT}{line}" for line in answer]
    print_lines([*lines, ""])
    note(f"The page: {address}   The API: {address}/docs   Stop with Ctrl-C.")


def _classify_request(url: str, picture: Path) -> urllib.request.Request:
    """Return what ``curl -F`` sends: the labels and the picture as multipart/form-data."""
    boundary = uuid.uuid4().hex
    form = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="labels"\r\n\r\n{label}\r\n'
        for label in LABELS
    )
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="cat.jpg"\r\n\r\n'
    )
    body = (form + head).encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return urllib.request.Request(url, data=body, headers={"Content-Type": kind})  # noqa: S310 - ours


def _fetch(request: urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - ours
        return json.dumps(json.load(response), indent=1, ensure_ascii=False)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return done.stdout or done.stderr


def _short(path: Path) -> Path:
    """Return ``path`` as seen from the current folder where that is shorter to read."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _program() -> str:
    """Return how this very command was called, so that the printed one can be pasted."""
    program = Path(sys.argv[0])
    return str(_short(program.resolve())) if program.name == "sightline" else "sightline"
