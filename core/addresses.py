"""Which network addresses are public: everything else may be a machine that trusts us."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_RELAYS_4 = IPv4Network("192.88.99.0/24")
_TUNNELS_6 = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def is_public(address: Address) -> bool:
    """Return whether an address is of a machine on the open internet.

    Private, loopback, link-local, shared, multicast and reserved ranges are not; neither are IPv6
    addresses that carry an IPv4 address to a translator or tunnel (IPv4-compatible, NAT64, 6to4,
    Teredo, ISATAP), for which ``ipaddress.is_global`` says yes.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        return (
            address in _GLOBAL_UNICAST
            and address.is_global
            and not any(address in tunnel for tunnel in _TUNNELS_6)
            and (int(address) >> 32 & 0xFFFF_FFFF) not in _ISATAP
        )
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _RELAYS_4
    )


def parse_address(text: str) -> Address:
    """Return the address that a resolver gave; the scope of ``fe80::1%eth0`` does not count.

    Raises:
        ValueError: it is none.
    """
    return ip_address(text.partition("%")[0])
