"""Rules of core.addresses: what is on the open internet."""

from __future__ import annotations

import pytest

from core.addresses import is_public, parse_address


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
        *("64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378::1"),
        *("2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:a00:1"),
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    """Own, shared and reserved ranges, and IPv4 addresses packed into IPv6 ones."""
    assert not is_public(parse_address(text))


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8"],
)
def test_addresses_that_are_public(text: str) -> None:
    """Ordinary hosts, also in the mapped form that dual-stack sockets report."""
    assert is_public(parse_address(text))


def test_what_is_no_address_is_an_error() -> None:
    """A resolver gives numbers only."""
    with pytest.raises(ValueError, match="does not appear"):
        parse_address("localhost")
