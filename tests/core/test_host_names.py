"""Which hosts a list of patterns lets through."""

from __future__ import annotations

import pytest

from core.host_names import is_listed


@pytest.mark.parametrize(
    ("host", "patterns"),
    [
        ("cdn.example", ["cdn.example"]),
        ("cdn.example", ["other.example", "CDN.example"]),
        ("a.cdn.example", ["*.cdn.example"]),
        ("a.b.cdn.example", ["*.cdn.example"]),
        ("cdn.example", ["*"]),
        ("93.184.216.34", ["*"]),
        ("2606:2800:220:1::1", ["*"]),
        ("xn--bcher-kva.example", ["*"]),
        ("localhost", ["localhost"]),
        ("store.internal", ["store.internal"]),
    ],
)
def test_a_host_that_fits_is_listed(host: str, patterns: list[str]) -> None:
    """By its name, by what it lies below, or because it looks public."""
    assert is_listed(host, patterns)


@pytest.mark.parametrize(
    ("host", "patterns"),
    [
        ("cdn.example", []),
        ("evilcdn.example", ["cdn.example", "*.cdn.example"]),
        ("cdn.example.evil.example", ["cdn.example", "*.cdn.example"]),
        ("cdn.example", ["*.cdn.example"]),
        (".cdn.example", ["*.cdn.example"]),
        ("cdn.example.", ["cdn.example", "*.example", "*"]),
        ("localhost", ["*"]),
        ("intranet", ["*"]),
        ("2130706433", ["*"]),
        ("0x7f000001", ["*"]),
        ("printer.local", ["*"]),
        ("api.internal", ["*"]),
        ("nas.home.arpa", ["*"]),
        ("a.localhost", ["*"]),
        ("", ["*"]),
        (".", ["*"]),
    ],
)
def test_another_host_is_not(host: str, patterns: list[str]) -> None:
    """Look-alikes, other spellings, single names and names of local networks."""
    assert not is_listed(host, patterns)
