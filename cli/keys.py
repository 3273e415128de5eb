"""``sightline keys``: who may use a served gallery."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import note, print_json, print_lines, print_table
from cli.settings import default_gallery
from core.errors import UsageError

if TYPE_CHECKING:
    from service.keys import ApiKey

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|min|h)\Z")

_gallery = click.option(
    "--gallery", type=click.Path(path_type=Path), help="Folder of the gallery.  [default: gallery]"
)


@click.group(name="keys")
def command() -> None:
    """Add, list and revoke the API keys of a gallery, also while it is served.

    With the first key a server of the gallery closes: every request then needs a key, and a
    running server notices at once.

    \b
    Examples:
      sightline keys add shop --scope read --rate 20/s
      sightline keys add importer --scope write --expires 2027-01-31
      sightline keys list
      sightline keys revoke shop
    """


@command.command(name="add")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    required=True,
    help="read: search, classify, look; write: also add, change, delete; admin: also metrics.",
)
@click.option("--rate", help="Most requests in a time: 5/s, 300/min, 1000/h.  [default: setting]")
@click.option("--expires", help="Last day on which it works, UTC: 2027-01-31.  [default: never]")
@_gallery
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(
    *,
    name: str,
    scope: str,
    rate: str | None,
    expires: str | None,
    gallery: Path | None,
    as_json: bool,
) -> None:
    """Make a key and print it, this one time: only its digest is stored."""
    from service.keys import Scope, add_key, keys_path, read_keys

    path = keys_path(gallery or default_gallery())
    is_first = not read_keys(path)
    secret = add_key(
        path,
        name,
        Scope(scope),
        now=time.time(),
        expires_at=None if expires is None else _end_of(expires),
        rate=None if rate is None else _per_second(rate),
    )
    if as_json:
        print_json({"name": name, "scope": scope, "key": secret})
    else:
        print_lines([secret])
    note(f"This is the key {name!r} with the scope {scope}; it cannot be shown again.")
    if is_first:
        note("From now on every request to this gallery's server needs a key.")


@command.command(name="list")
@_gallery
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(*, gallery: Path | None, as_json: bool) -> None:
    """List the keys by name; the keys themselves are not stored."""
    from service.keys import keys_path, read_keys

    keys = read_keys(keys_path(gallery or default_gallery()))
    if as_json:
        print_json(
            {
                "keys": [
                    {
                        "name": key.name,
                        "scope": str(key.scope),
                        "rate": key.rate,
                        "created_at": key.created_at,
                        "expires_at": key.expires_at,
                    }
                    for key in keys or ()
                ]
            }
        )
    elif keys:
        print_table(["name", "scope", "rate", "made", "expires"], [_row(key) for key in keys])
    elif keys is None:
        note("there are no keys: whoever reaches a server of this gallery may use it")
    else:
        note("there are no keys left: nobody can use a server of this gallery; add one")


@command.command(name="revoke")
@click.argument("name")
@_gallery
def revoke(*, name: str, gallery: Path | None) -> None:
    """Make a key useless, in a running server too."""
    from service.keys import keys_path, revoke_key

    left = revoke_key(keys_path(gallery or default_gallery()), name)
    note(f"The key {name!r} is revoked.")
    if not left:
        note("No key is left: nobody can use a server of this gallery. Add one with 'keys add'.")


def _per_second(text: str) -> float:
    match = _RATE.match(text)
    if match is None or float(match[1]) == 0:
        raise UsageError(f"{text!r} is no rate: write 5/s, 300/min or 1000/h")
    return float(match[1]) / _SECONDS[match[2]]


def _end_of(text: str) -> int:
    """Return the Unix time at which a day is over."""
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no date: write 2027-01-31") from error
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _row(key: ApiKey) -> list[str]:
    expires = "never"
    if key.expires_at is not None:
        expires = _day(key.expires_at - 1)
        if key.has_expired(time.time()):
            expires += " (over)"
    rate = "setting" if key.rate is None else f"{key.rate:g}/s"
    return [key.name, str(key.scope), rate, _day(key.created_at), expires]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
