"""Rules of adding from the command line: addresses, failures and retries, a rate that is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cli.adding import add_gathered, add_sources
from cli.gathering import Gathered, Reading, gather, gather_failed, gather_urls
from core.errors import UsageError
from encoders.decoding import DEFAULT_LIMITS
from index.failures import recorded_failures
from index.gallery import Gallery
from tests.cli.test_add import sightline
from tests.core.web import body, serving, status
from tests.fakes import FakeEncoder, picture_bytes

CORRUPT = b"\xff\xd8\xff" + b"x" * 50
LOOPBACK = "127.0.0.1/32"


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield an empty gallery."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        yield opened


def listed(tmp_path: Path, *lines: str) -> Path:
    """Write a list of addresses."""
    path = tmp_path / "urls.txt"
    path.write_text("\n".join(lines))
    return path


def urls(listed: Path, *allowed: str) -> Gathered:
    """Gather the addresses of a list."""
    return gather_urls(listed, allowed=allowed, limits=DEFAULT_LIMITS, captions_from="pairs")


def test_addresses_are_fetched_once_and_kept(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their captions; a second run asks the server for nothing but what failed."""
    asked: list[str] = []

    def counting(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        body(picture_bytes("red"))(request)

    pages = {"/red.png": counting, "/page": body(b"<html>"), "/gone": status(410)}
    with serving(pages) as server:
        path = listed(
            tmp_path, f"{server}/red.png\ta red thing", f"{server}/page", f"{server}/gone", "x.png"
        )
        first = add_gathered(gallery, urls(path, LOOPBACK))
        second = add_gathered(gallery, urls(path, LOOPBACK))

    assert first.line() == "1 added, 0 updated, 0 unchanged, 3 failed"
    assert second.line() == "0 added, 0 updated, 1 unchanged, 3 failed"
    assert asked == ["/red.png"]
    (item,) = gallery.collection.scroll().items
    assert (item.caption, item.source) == ("a red thing", f"{server}/red.png")
    assert gallery.image(item.id) == picture_bytes("red")
    errors = capsys.readouterr().err
    assert f"{server}/gone: {server}/gone answers 410" in errors
    assert "urls.txt:4: 'x.png' is not an http address" in errors
    codes = {failure.code for failure in recorded_failures(gallery.collection.store)}
    assert codes == {"image_unsupported", "fetch_status", "invalid_pairs"}


def test_private_machines_are_refused_unless_allowed(gallery: Gallery, tmp_path: Path) -> None:
    """The failure says how; an allowed network is a matter of the command line alone."""
    with serving({"/red.png": body(picture_bytes("red"))}) as server:
        path = listed(tmp_path, f"{server}/red.png")
        refused = add_gathered(gallery, urls(path))
        allowed = add_gathered(gallery, urls(path, LOOPBACK))

    assert [error["code"] for error in refused.errors] == ["url_refused"]
    assert "its address 127.0.0.1 is not public" in str(refused.errors[0]["message"])
    assert allowed.counts == {"created": 1}
    assert recorded_failures(gallery.collection.store) == []
    with pytest.raises(UsageError, match="not a network such as"):
        urls(path, "everywhere")


def test_failures_are_retried_with_what_was_asked_for(gallery: Gallery, tmp_path: Path) -> None:
    """Files with their captions, and addresses; what lies in a table is named."""
    bad, table = tmp_path / "bad.png", tmp_path / "t.csv"
    bad.write_bytes(CORRUPT)
    table.write_text("id,image,caption\nb1,bad.png,a thing\n,,empty\n")
    gathered = gather([table], Reading(), outside=gallery.folder)
    assert add_gathered(gallery, gathered).line().endswith("2 failed")
    bad.write_bytes(picture_bytes("red"))
    again = gather_failed(gallery, allowed=())

    assert add_gathered(gallery, again, retry_failed=True).counts == {"created": 1}
    assert gallery.item("b1").caption == "a thing"
    left = recorded_failures(gallery.collection.store)
    assert [failure.stamp.path for failure in left] == [str(tmp_path / "t.csv:3")]


def test_a_table_that_was_mended_has_no_failures(gallery: Gallery, tmp_path: Path) -> None:
    """Failures of rows are those of the last reading of their table; other tables keep theirs."""
    (tmp_path / "red.png").write_bytes(picture_bytes("red"))
    tables = [tmp_path / "t.csv", tmp_path / "t2.csv"]
    for table in tables:
        table.write_text("image,caption\nred.png,x\n,empty\n")
        add_gathered(gallery, gather([table], Reading(), outside=gallery.folder))
    assert len(recorded_failures(gallery.collection.store)) == 2

    tables[0].write_text("image,caption\nred.png,x\n")
    add_gathered(gallery, gather([tables[0]], Reading(), outside=gallery.folder))

    (left,) = recorded_failures(gallery.collection.store)
    assert left.stamp.path == str(tmp_path / "t2.csv:3")


def test_what_is_known_does_not_count_for_the_rate(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar begins behind the files that need no work; with nothing to do the rate is zero."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture_bytes((number, 0, 0)))
    add_sources(gallery, [tmp_path])
    capsys.readouterr()

    assert add_sources(gallery, [tmp_path]).line().startswith("0 added, 0 updated, 3 unchanged")
    assert capsys.readouterr().err == "adding: 3/3 images, 0.0 images/s\n"


def test_the_summary_says_what_bounds_the_speed(gallery: Gallery, tmp_path: Path) -> None:
    """One of the three stages; nothing where nothing was read."""
    (tmp_path / "a.png").write_bytes(picture_bytes("red"))

    assert add_sources(gallery, [tmp_path]).bound_by in {"decoding", "model", "disk"}
    assert add_sources(gallery, [tmp_path]).bound_by is None


def test_the_gallery_s_own_copies_are_no_sources(tmp_path: Path) -> None:
    """A gallery inside the folder that it is filled from does not swallow its thumbnails."""
    (tmp_path / "a.png").write_bytes(picture_bytes("red"))
    with Gallery.open(tmp_path / "g", FakeEncoder()) as gallery:
        add_gathered(gallery, gather([tmp_path], Reading(), outside=gallery.folder), copy=True)
        assert add_sources(gallery, [tmp_path]).counts == {"unchanged": 1}
        assert gallery.collection.count() == 1


def test_failures_are_listed_without_a_model(tmp_path: Path) -> None:
    """By a real command; nothing to list is no error, no gallery is."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(CORRUPT)
    with Gallery.open(tmp_path / "g", FakeEncoder()) as gallery:
        add_sources(gallery, [bad])

    text = sightline("add", "--failed", "--gallery", tmp_path / "g")
    as_json = sightline("add", "--failed", "--gallery", tmp_path / "g", "--json")
    none = sightline("add", "--failed", "--gallery", tmp_path / "nowhere")

    assert text.stdout.startswith(f"{bad}: the JPEG picture")
    assert "1 failed; try them again" in text.stderr
    (failure,) = json.loads(as_json.stdout)["failed"]
    assert (failure["path"], failure["code"]) == (str(bad), "image_undecodable")
    assert none.returncode == 1


@pytest.mark.slow
def test_the_command_retries_and_fetches(tmp_path: Path) -> None:
    """As a user types it."""
    bad = tmp_path / "bad.png"
    bad.write_bytes(CORRUPT)
    options = ["--gallery", tmp_path / "g"]
    with serving({"/red.png": body(picture_bytes("red"))}) as server:
        path = listed(tmp_path, f"{server}/red.png")
        first = sightline("add", bad, "--urls", path, *options)
        bad.write_bytes(picture_bytes("blue"))
        again = sightline("add", "--retry-failed", "--allow-network", LOOPBACK, *options)

    assert first.returncode == 1
    assert "is not public" in first.stderr
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("2 added, 0 updated, 0 unchanged, 0 failed;")
