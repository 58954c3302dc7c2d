"""Whose request this is: the one address that place, limits and the audit log go by.

The peer of the connection, unless the operator named it as a proxy (`HUOZI_TRUSTED_PROXIES`): then X-Forwarded-For
is walked from its right end, the one our own proxies wrote, to the first address that is not a proxy. Everything to
the left of that is what the client claims and is never looked at. Without named proxies the header is not read at
all. What an address means for a place is `outside.geo`'s business. Knows nothing of Flask, so that the scan door may
use it.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# No chain of proxies is longer; a header that is must not cost us more.
LONGEST_CHAIN = 32
LONGEST_HEADER = 4096
# [ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%zone]:65535
LONGEST_ADDRESS = 80

_NAT64 = IPv6Network("64:ff9b::/96")


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> Address | None:
    """The client's address, or None where it cannot be known (garbage in the part of the header that counts).

    `peer` is REMOTE_ADDR; empty, as on a Unix socket, it counts as a proxy once any proxy is trusted. An IPv4
    address dressed as IPv6 (mapped, 6to4, NAT64) comes back as the IPv4 address, for that is the one whose place is
    known.
    """
    if not trusted or not forwarded_for:
        return _undressed(_parse(peer))
    return _undressed(_walk(peer, forwarded_for, trusted))


def _walk(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> Address | None:
    client = _parse(peer)
    if peer and not _is_trusted(client, trusted):
        return client
    for entry in _from_the_right(forwarded_for):
        client = _parse(entry)
        if not _is_trusted(client, trusted):
            return client
    return client


def _from_the_right(header: str) -> list[str]:
    """The last entries of the header, newest first. What is too long becomes garbage, which stops the walk."""
    entries = header[-LONGEST_HEADER:].rsplit(",", LONGEST_CHAIN)
    if len(header) > LONGEST_HEADER or len(entries) > LONGEST_CHAIN:
        entries[0] = ""
    entries = [entry.strip(" \t") for entry in reversed(entries)]
    return [entry if len(entry) <= LONGEST_ADDRESS else "" for entry in entries]


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address | None:
    """The address in `text`, with or without port, brackets and zone; None for anything else.

    Only the mapped form ::ffff:a.b.c.d is unwrapped here, because a listening IPv6 socket writes IPv4 peers so. 6to4
    and NAT64 are not: anybody may own 2002:7f00:1::1, and it must not pass for the trusted 127.0.0.1.
    """
    try:
        host = _without_port(text)
        if ":" not in host:
            return IPv4Address(host)
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def _without_port(text: str) -> str:
    """Raises ValueError for a bracket or port that is none."""
    host, port = text, "0"
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(text)
        port = rest[1:] if rest else "0"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise ValueError(text)
    return host


def _undressed(address: Address | None) -> Address | None:
    """The IPv4 address that a 6to4 or NAT64 one carries, or the address itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address
