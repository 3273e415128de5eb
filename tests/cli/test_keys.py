"""Rules of ``sightline keys``: add, list, revoke."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import command
from core.errors import ConflictError, NotFoundError, UsageError
from service.keys import ApiKey, Scope, keys_path, read_keys

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Return the folder of a gallery that does not exist yet."""
    return tmp_path / "g"


@pytest.fixture
def run(gallery: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``sightline keys`` and gives back what it printed."""

    def call(*arguments: str) -> tuple[str, str]:
        words = ["keys", *arguments, "--gallery", str(gallery)]
        command.main(words, standalone_mode=False)
        out, err = capsys.readouterr()
        return out, err

    return call


def stored(gallery: Path) -> tuple[ApiKey, ...]:
    """Return the keys of the gallery."""
    return read_keys(keys_path(gallery)) or ()


def test_the_key_alone_is_printed_once(run: Run, gallery: Path) -> None:
    """So that a script can take it; the first one says that the gallery is closed now."""
    out, err = run("add", "shop", "--scope", "read")
    _, second = run("add", "importer", "--scope", "write")

    assert out.startswith("sl_")
    assert out.count("\n") == 1
    assert "every request" in err
    assert "every request" not in second
    assert out.strip() not in "".join(run("list") + run("list", "--json"))
    assert [(key.name, key.scope) for key in stored(gallery)] == [
        ("shop", Scope.READ),
        ("importer", Scope.WRITE),
    ]


def test_json_is_for_programs(run: Run) -> None:
    """The key when it is made, everything but the key later."""
    made = json.loads(run("add", "shop", "--scope", "admin", "--json")[0])
    listed = json.loads(run("list", "--json")[0])["keys"]

    assert (made["name"], made["scope"], made["key"][:3]) == ("shop", "admin", "sl_")
    assert [entry["name"] for entry in listed] == ["shop"]
    assert set(listed[0]) == {"name", "scope", "rate", "created_at", "expires_at"}


@pytest.mark.parametrize(
    ("text", "rate"), [("5/s", 5.0), ("0.5/s", 0.5), ("300/min", 5.0), ("7200/h", 2.0)]
)
def test_rates_are_written_as_people_say_them(
    run: Run, gallery: Path, text: str, rate: float
) -> None:
    """A number in a second, minute or hour."""
    run("add", "shop", "--scope", "read", "--rate", text)

    assert stored(gallery)[0].rate == rate


def test_the_last_day_is_a_whole_day(run: Run, gallery: Path) -> None:
    """It ends at midnight UTC: 2100-02-28 is over when March begins."""
    run("add", "shop", "--scope", "read", "--expires", "2100-02-28")

    assert stored(gallery)[0].expires_at == 4_107_542_400
    assert "2100-02-28" in run("list")[0]


@pytest.mark.parametrize(
    "options",
    [
        ("--rate", "5"),
        ("--rate", "0/s"),
        ("--rate", "-1/s"),
        ("--rate", "5/day"),
        ("--expires", "soon"),
        ("--expires", "2020-01-01"),
        ("--expires", "9999-12-31"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Run, gallery: Path, options: tuple[str, str]) -> None:
    """And nothing is stored."""
    with pytest.raises(UsageError):
        run("add", "shop", "--scope", "read", *options)
    assert stored(gallery) == ()


def test_a_revoked_key_is_gone(run: Run, gallery: Path) -> None:
    """The last one warns that nobody is left; an unknown one is an error."""
    run("add", "a", "--scope", "read")
    with pytest.raises(ConflictError):
        run("add", "a", "--scope", "read")
    _, err = run("revoke", "a")

    assert "nobody can use" in err
    assert stored(gallery) == ()
    assert "nobody can use" in run("list")[1]
    with pytest.raises(NotFoundError):
        run("revoke", "a")


def test_no_keys_is_an_open_gallery(run: Run, gallery: Path) -> None:
    """Listing says so and makes nothing."""
    assert "whoever reaches" in run("list")[1]
    assert json.loads(run("list", "--json")[0]) == {"keys": []}
    assert not gallery.exists()


def test_a_key_that_is_over_says_so(
    run: Run, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list marks it; it stays until it is revoked."""
    run("add", "shop", "--scope", "read", "--expires", "2100-02-28")
    monkeypatch.setattr(time, "time", lambda: 4_200_000_000.0)

    assert "2100-02-28 (over)" in run("list")[0]
