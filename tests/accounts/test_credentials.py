"""Passwords and tokens."""

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from app.accounts import credentials


def test_passwords_are_hashed_with_argon2id_and_owasp_memory() -> None:
    parameters = extract_parameters(credentials.hash_password("correct horse battery"))
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 46 * 1024
    assert parameters.time_cost >= 1
    assert parameters.salt_len >= 16


def test_same_password_is_never_hashed_the_same_twice() -> None:
    assert credentials.hash_password("correct horse") != credentials.hash_password("correct horse")


def test_only_the_password_matches() -> None:
    password_hash = credentials.hash_password("correct horse battery")
    assert credentials.matches(password_hash, "correct horse battery")
    assert not credentials.matches(password_hash, "Correct horse battery")
    assert not credentials.matches(password_hash, "")


def test_nobody_has_no_password_but_costs_as_much() -> None:
    assert extract_parameters(credentials._NOBODY) == extract_parameters(credentials.hash_password("x"))
    assert not credentials.matches(None, "")
    assert not credentials.matches(None, "correct horse battery")


def test_broken_hash_matches_nothing() -> None:
    assert not credentials.matches("plain text", "plain text")


def test_two_ways_to_type_a_character_are_one_password() -> None:
    assert credentials.matches(credentials.hash_password("caf\u00e9 au lait"), "cafe\u0301 au lait")


def test_odd_bytes_in_a_password_are_no_error() -> None:
    assert not credentials.matches(credentials.hash_password("correct horse"), "\udcff\x00" * 10)


def test_enormous_password_is_cut_before_it_is_hashed() -> None:
    assert not credentials.matches(credentials.hash_password("correct horse"), "x" * 10_000_000)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("九个字符的密码不够", "too_short"),
        ("short", "too_short"),
        ("x" * 257, "too_long"),
        ("1234567890", "too_simple"),
        ("Password123", "too_simple"),
        ("aaaaaaaaaaaa", "too_simple"),
        ("bob@example.com", "too_simple"),
        ("correct horse battery", None),
        ("一句自己才记得住的话", None),
    ],
)
def test_password_is_judged(password: str, problem: str | None) -> None:
    assert credentials.password_problem(password, "bob@example.com") == problem


def test_random_password_passes_its_own_judge() -> None:
    password = credentials.random_password()
    assert credentials.password_problem(password) is None
    assert password != credentials.random_password()


def test_token_has_256_random_bits_and_its_digest_says_nothing() -> None:
    token = credentials.new_token("hz_")
    assert token.startswith("hz_")
    assert len(token) == 3 + 43
    assert token not in credentials.digest(token)
    assert len(credentials.digest(token)) == 64


def test_guessable_things_are_digested_under_the_installations_key() -> None:
    here = credentials.keyed_digest("one key", "account", "bob@example.com")
    assert here != credentials.keyed_digest("another key", "account", "bob@example.com")
    assert credentials.keyed_digest("k", "ab", "c") != credentials.keyed_digest("k", "a", "bc")
