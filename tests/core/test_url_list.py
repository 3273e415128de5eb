"""Rules of lists of addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import PairsError
from core.url_list import ListedUrl, read_url_list

A, B = "http://a.example/1.jpg", "https://b.example/2.jpg?x=1,2"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("u.txt", f"# mine\n{A}\ta cat\n\n{B}\n{A}\ttwice\n"),
        ("u.csv", f'\ufeffURL,Caption\n{A},a cat\n"{B}",\n'),
        ("u.tsv", f"caption\timage_url\na cat\t{A}\n\t{B}\n"),
        ("u.jsonl", f'{{"url": "{A}", "text": "a cat"}}\n{{"url": "{B}"}}\n'),
    ],
)
def test_addresses_and_captions_are_read(tmp_path: Path, name: str, text: str) -> None:
    """In order, each once; without a caption there is none."""
    (tmp_path / name).write_text(text, encoding="utf-8")

    found = read_url_list(tmp_path / name)

    assert found.urls == (ListedUrl(A, "a cat"), ListedUrl(B, None))
    assert found.skipped == {}


def test_lines_without_an_address_are_named(tmp_path: Path) -> None:
    """Paths and other schemes are left out."""
    path = tmp_path / "u.txt"
    path.write_text(f"{A}\ncat.jpg\nfile:///etc/passwd\n")

    assert read_url_list(path).skipped == {
        "u.txt:2": "'cat.jpg' is not an http address",
        "u.txt:3": "'file:///etc/passwd' is not an http address",
    }


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("u.txt", b"cat.jpg\n", "holds no http or https address"),
        ("u.csv", b"a,b\n1,2\n", "no column of addresses; looked for url"),
        ("u.jsonl", b"{\n", "not valid JSON"),
        ("u.jsonl", b"[]\n", "expected a JSON object"),
        ("u.txt", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """With the reason and the line."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(PairsError, match=reason):
        read_url_list(tmp_path / name)
    with pytest.raises(PairsError, match="cannot be read"):
        read_url_list(tmp_path / "missing.txt")
