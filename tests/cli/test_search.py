"""Rules of ``sightline search``, run as a user runs it, with the starter model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_add import sightline
from tests.fakes import picture_bytes


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gallery of three pictures with captions."""
    folder = tmp_path_factory.mktemp("search")
    lines = []
    for name in ("red", "green", "blue"):
        (folder / f"{name}.png").write_bytes(picture_bytes(name))
        fields = {"id": name, "image": f"{name}.png", "caption": f"a {name} square", "n": 1}
        lines.append(json.dumps(fields | {"metadata": {"colour": name}}))
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    done = sightline("add", folder / "pairs.jsonl", "--gallery", folder / "g")
    assert done.returncode == 0, done.stderr
    return folder / "g"


def ids_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the ids of a JSON answer."""
    assert done.returncode == 0, done.stderr
    return [hit["id"] for hit in json.loads(done.stdout)["hits"]]


@pytest.mark.slow
def test_a_picture_finds_itself(gallery: Path) -> None:
    """Searching by an image that was added gives it at rank 1 with cosine 1."""
    image = gallery.parent / "green.png"
    done = sightline("search", "--image", image, "--gallery", gallery, "--json")

    assert ids_of(done)[0] == "green"
    assert json.loads(done.stdout)["hits"][0]["score"] == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_the_table_shows_rank_score_image_and_caption(gallery: Path) -> None:
    """Results are on stdout, and only results."""
    done = sightline("search", "a red square", "--gallery", gallery, "--k", "2", "--explain")

    header, *rows = done.stdout.splitlines()
    assert header.split()[:2] == ["rank", "score"]
    assert header.split()[-2:] == ["image", "caption"]
    assert len(rows) == 2
    assert "square" in rows[0]


@pytest.mark.slow
def test_filter_mode_and_cursor(gallery: Path) -> None:
    """A filter holds, keyword mode looks for words, and a cursor goes on."""
    chosen = sightline(
        "search", "square", "--gallery", gallery, "--filter", '{"colour": "blue"}', "--json"
    )
    words = ["search", "square", "--gallery", gallery, "--mode", "keyword", "--k", "2", "--json"]
    first = sightline(*words)
    rest = sightline(*words, "--cursor", json.loads(first.stdout)["cursor"])

    assert ids_of(chosen) == ["blue"]
    assert ids_of(first) + ids_of(rest) == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to search for"),
        (["cat", "--k", "0"], "from 1 to 1000"),
        (["cat", "--k", "1000000000"], "from 1 to 1000"),
        (["cat - dog"], "nothing follows"),
        (["cat", "--filter", "{"], "not valid JSON"),
        (["cat", "--filter", '{"a": {"like": 1}}'], "unknown operator"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(arguments: list[str], message: str) -> None:
    """Exit code 2 and one line, before any model is loaded."""
    done = sightline("search", *arguments, "--gallery", "missing")

    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_missing_gallery_says_how_to_make_one(tmp_path: Path) -> None:
    """Exit code 1; nothing is made."""
    done = sightline("search", "cat", "--gallery", tmp_path / "none")

    assert done.returncode == 1
    assert "sightline add --gallery" in done.stderr
    assert not (tmp_path / "none").exists()
