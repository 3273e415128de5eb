"""API keys on disk: made, listed, revoked, and never stored as they are."""

from __future__ import annotations

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import (
    ArtifactError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    StorageError,
    UsageError,
)
from service.key_ring import KeyRing
from service.keys import Scope, add_key, digest_of_key, read_keys, revoke_key

NOW = 1_800_000_000.0
_WITHOUT_DIGEST = (
    '{"name": "a", "digest": "x", "scope": "read", "created_at": 0, "expires_at": null, '
    '"rate": null}'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where keys go: in a gallery that does not exist yet."""
    return tmp_path / "gallery" / "keys.json"


def code_of(ring: KeyRing, secret: str, *, now: float = NOW) -> str:
    """Return why a key is refused."""
    with pytest.raises(AuthenticationError) as caught:
        ring.find(secret, now=now)
    return caught.value.code


def test_a_key_is_long_random_and_stored_as_its_digest(path: Path) -> None:
    """What lies on the disk does not hold the key, and only its owner may read it."""
    first = add_key(path, "a", Scope.READ, now=NOW)
    second = add_key(path, "b", Scope.READ, now=NOW)

    assert first.startswith("sl_")
    assert len(first) == 3 + 43
    assert first != second
    assert first not in path.read_text()
    assert digest_of_key(first) in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["keys.json", "keys.lock"]


def test_the_digest_is_sha256() -> None:
    """The value of FIPS 180-2 for the text abc."""
    assert digest_of_key("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize(
    ("scope", "contained"),
    [("read", ["read"]), ("write", ["read", "write"]), ("admin", ["read", "write", "admin"])],
)
def test_a_scope_contains_the_smaller_ones(scope: str, contained: list[str]) -> None:
    """Admin may write, write may read, and nobody more than that."""
    assert [str(needed) for needed in Scope if Scope(scope).allows(needed)] == contained


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a" * 65, "a\n", "\u00e9"])
def test_names_are_plain(path: Path, name: str) -> None:
    """A name stands in logs and on command lines."""
    with pytest.raises(UsageError, match="name of a key"):
        add_key(path, name, Scope.READ, now=NOW)
    assert not path.exists()


def test_a_key_that_could_never_work_is_refused(path: Path) -> None:
    """A date that has passed, a rate of nothing."""
    with pytest.raises(UsageError, match="has passed"):
        add_key(path, "a", Scope.READ, now=NOW, expires_at=int(NOW))
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="rate"):
            add_key(path, "a", Scope.READ, now=NOW, rate=rate)


def test_a_name_belongs_to_one_key(path: Path) -> None:
    """The second is refused, and the first goes on working."""
    secret = add_key(path, "a", Scope.READ, now=NOW)
    with pytest.raises(ConflictError, match="revoke it first"):
        add_key(path, "a", Scope.ADMIN, now=NOW)

    assert KeyRing(path).find(secret, now=NOW).scope is Scope.READ


def test_revoking_counts_what_is_left(path: Path) -> None:
    """An unknown name says which are known."""
    add_key(path, "a", Scope.READ, now=NOW)
    add_key(path, "b", Scope.READ, now=NOW)

    assert revoke_key(path, "a") == 1
    with pytest.raises(NotFoundError, match="known: b"):
        revoke_key(path, "a")
    assert revoke_key(path, "b") == 0
    assert read_keys(path) == ()


def test_keys_added_at_the_same_time_are_all_kept(path: Path) -> None:
    """Each change waits for the one before it."""
    start = threading.Barrier(8)

    def add(number: int) -> str:
        start.wait(30)
        return add_key(path, f"k{number}", Scope.READ, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(add, range(8)))
    ring = KeyRing(path)

    assert [ring.find(secret, now=NOW).name for secret in secrets] == [f"k{n}" for n in range(8)]


def test_a_ring_finds_keys_until_they_expire(path: Path) -> None:
    """The moment named is the first at which it is refused."""
    secret = add_key(path, "a", Scope.WRITE, now=NOW, expires_at=int(NOW) + 10, rate=2.5)
    ring = KeyRing(path)
    found = ring.find(secret, now=NOW + 9.9)

    assert (found.name, found.scope, found.rate) == ("a", Scope.WRITE, 2.5)
    assert code_of(ring, secret, now=NOW + 10) == "expired_key"
    assert code_of(ring, secret[:-1]) == "unknown_key"
    assert code_of(ring, "") == "unknown_key"
    assert code_of(ring, "\udcff" * 100_000) == "unknown_key"


def test_a_ring_notices_every_change(path: Path) -> None:
    """Added and revoked keys count at the next request, without a restart."""
    ring = KeyRing(path)
    assert not ring.is_closed()

    first = add_key(path, "a", Scope.READ, now=NOW)
    assert ring.is_closed()
    assert ring.find(first, now=NOW).name == "a"
    for number in range(20):
        revoke_key(path, "a")
        assert ring.is_closed()
        assert code_of(ring, first) == "unknown_key"
        first = add_key(path, "a", Scope.READ, now=NOW + number)
        assert ring.is_closed()
        assert ring.find(first, now=NOW).created_at == int(NOW) + number


def test_a_ring_that_was_closed_never_opens(path: Path) -> None:
    """Deleting the file by hand locks everybody out instead of letting everybody in."""
    secret = add_key(path, "a", Scope.READ, now=NOW)
    ring = KeyRing(path)
    path.unlink()

    assert ring.is_closed()
    assert code_of(ring, secret) == "unknown_key"


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"keys": []}',
        '{"format_version": 2, "keys": []}',
        '{"format_version": 1, "keys": {}}',
        '{"format_version": 1, "keys": [{"name": "a"}]}',
        f'{{"format_version": 1, "keys": [{_WITHOUT_DIGEST}]}}',
    ],
)
def test_a_damaged_file_lets_nobody_in_until_it_is_mended(path: Path, damage: str) -> None:
    """At a start it is refused; while running nobody gets in, and mending helps at once."""
    secret = add_key(path, "a", Scope.READ, now=NOW)
    whole = path.read_bytes()
    ring = KeyRing(path)
    path.write_text(damage)

    with pytest.raises(StorageError, match="cannot be read"):
        ring.is_closed()
    with pytest.raises(StorageError, match="cannot be read"):
        ring.is_closed()
    with pytest.raises(ArtifactError):
        KeyRing(path)
    path.write_bytes(whole + b"\n")
    assert ring.is_closed()
    assert ring.find(secret, now=NOW).name == "a"


def test_an_unknown_scope_is_damage(path: Path) -> None:
    """A scope of a later release is not guessed at."""
    add_key(path, "a", Scope.READ, now=NOW)
    document = json.loads(path.read_text())
    document["keys"][0]["scope"] = "root"
    path.write_text(json.dumps(document))

    with pytest.raises(ArtifactError, match="no key"):
        read_keys(path)
