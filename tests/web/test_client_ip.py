"""Whose address a request has: headers are believed only as far as the operator's own proxies wrote them."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.client_ip import LONGEST_CHAIN, LONGEST_HEADER, Address, Network, client_address

NOBODY: tuple[Network, ...] = ()
PROXIES = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("2001:db8::/32"))
PROXY, CLIENT = "10.0.0.1", "114.114.114.114"


def asked(peer: str, forwarded_for: str | None, trusted: tuple[Network, ...] = PROXIES) -> str | None:
    found = client_address(peer, forwarded_for, trusted)
    return None if found is None else str(found)


def test_without_trusted_proxies_the_header_is_not_read() -> None:
    assert asked(CLIENT, "8.8.8.8", NOBODY) == CLIENT
    assert asked("127.0.0.1", "8.8.8.8", NOBODY) == "127.0.0.1"


def test_a_peer_that_is_no_proxy_of_ours_cannot_name_another_address() -> None:
    assert asked(CLIENT, "8.8.8.8") == CLIENT
    assert asked(CLIENT, "10.0.0.9, 127.0.0.1") == CLIENT


def test_behind_a_proxy_the_client_is_what_the_proxy_wrote() -> None:
    assert asked(PROXY, CLIENT) == CLIENT
    assert asked(PROXY, f" {CLIENT}\t") == CLIENT
    assert asked(PROXY, None) == asked(PROXY, "") == PROXY


def test_what_a_client_wrote_before_the_proxy_appended_is_ignored() -> None:
    assert asked(PROXY, f"8.8.8.8, {CLIENT}") == CLIENT
    assert asked(PROXY, f"10.0.0.7, 127.0.0.1, {CLIENT}") == CLIENT
    assert asked(PROXY, f"<script>, unknown,,,{CLIENT}") == CLIENT


def test_several_proxies_are_walked_through() -> None:
    assert asked(PROXY, f"8.8.8.8, {CLIENT}, 10.2.3.4, 2001:db8::5") == CLIENT


def test_a_chain_of_proxies_only_ends_at_its_first() -> None:
    assert asked(PROXY, "10.9.9.9, 10.0.0.2") == "10.9.9.9"


@pytest.mark.parametrize(
    "garbage",
    ["unknown", "_hidden", "<script>", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4:", "1.2.3.4:99999999", "1.2.3.4:http",
     "[1.2.3.4]:80", "[2400:3200::1", "2400:3200::1]", "[2400:3200::1]443", "[2400:3200::1]:x", "::1::2", "１.2.3.4",
     "1.2.3.4%eth0", "1.2.3.4 5.6.7.8", '"1.2.3.4"', "for=1.2.3.4", "16909060", "0x01020304", "", "\x00", "1.2.3.4\n"],
)  # fmt: skip
def test_garbage_where_the_client_should_stand_makes_it_unknown(garbage: str) -> None:
    assert asked(PROXY, garbage or ",") is None
    assert asked(PROXY, f"{CLIENT}, {garbage}") is None
    assert asked(PROXY, f"{CLIENT}, {garbage}, 10.0.0.2") is None


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("114.114.114.114:51234", CLIENT),
        ("[2400:3200::1]:443", "2400:3200::1"),
        ("[2400:3200::1]", "2400:3200::1"),
        ("2400:3200::1", "2400:3200::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:114.114.114.114", CLIENT),
        ("[::ffff:7272:7272]:80", CLIENT),
        ("2002:7272:7272::1", CLIENT),
        ("64:ff9b::7272:7272", CLIENT),
    ],
)
def test_every_way_to_write_an_address_is_read(written: str, address: str) -> None:
    assert asked(PROXY, written) == address
    assert asked(written, None) == address


def test_an_ipv4_peer_of_an_ipv6_socket_is_trusted_as_what_it_is() -> None:
    assert asked("::ffff:10.0.0.1", CLIENT) == CLIENT
    assert asked(PROXY, f"8.8.8.8, {CLIENT}, ::ffff:10.0.0.2") == CLIENT


@pytest.mark.parametrize("dressed", ["2002:7f00:1::1", "2002:a00:1::1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1"])
def test_nobody_passes_for_a_proxy_by_carrying_its_address_inside_their_own(dressed: str) -> None:
    assert asked(dressed, CLIENT) in ("127.0.0.1", "10.0.0.1")
    assert asked(PROXY, f"{CLIENT}, {dressed}") in ("127.0.0.1", "10.0.0.1")


def test_a_unix_socket_is_a_proxy_once_proxies_are_trusted() -> None:
    assert asked("", f"8.8.8.8, {CLIENT}, 10.0.0.2") == CLIENT
    assert asked("", CLIENT, NOBODY) is None
    assert asked("", None) is None


def test_an_endless_header_is_bounded_and_what_is_cut_off_is_not_believed() -> None:
    assert asked(PROXY, f"8.8.8.8{', 10.0.0.2' * LONGEST_CHAIN}") is None
    assert asked(PROXY, f"8.8.8.8{', 10.0.0.2' * (LONGEST_CHAIN - 1)}") == "8.8.8.8"
    assert asked(PROXY, f"{'9' * LONGEST_HEADER}, {CLIENT}") == CLIENT
    assert asked(PROXY, f"1{' ' * LONGEST_HEADER}8.8.8.8") is None
    assert asked(PROXY, "," * 10_000_000) is None


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
entries = st.one_of(addresses, st.text(max_size=20), st.sampled_from(["10.0.0.2", "unknown", "[::1]:80", ""]))


@given(st.one_of(addresses, st.text(max_size=30)), st.one_of(st.none(), st.text(max_size=300)), st.booleans())
def test_nothing_anybody_sends_raises(peer: str, forwarded_for: str | None, proxied: bool) -> None:
    found: Address | None = client_address(peer, forwarded_for, PROXIES if proxied else NOBODY)
    assert found is None or isinstance(found, IPv4Address | IPv6Address)


@given(st.lists(entries, max_size=6), st.ip_addresses(v=4), st.lists(st.just("10.0.0.2"), max_size=3))
def test_nothing_left_of_the_client_changes_the_answer(
    claimed: list[str], client: IPv4Address, proxies: list[str]
) -> None:
    if client in PROXIES[0] or client in PROXIES[1]:
        return
    assert asked(PROXY, ",".join([*claimed, str(client), *proxies])) == str(client)


@given(st.ip_addresses(), st.lists(entries, max_size=6))
def test_an_untrusted_peer_is_always_the_client(peer: IPv4Address | IPv6Address, claimed: list[str]) -> None:
    if any(peer in network for network in PROXIES):
        return
    assert client_address(str(peer), ",".join(claimed), PROXIES) == client_address(str(peer), None, NOBODY)


def test_an_address_reads_back_as_itself() -> None:
    for text in ("1.2.3.4", "2400:3200::1", "::1", "0.0.0.0"):
        assert client_address(text, None, NOBODY) == ip_address(text)
