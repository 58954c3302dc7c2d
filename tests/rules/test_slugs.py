import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.slugs import ALPHABET, RESERVED, SLUG_LENGTH, is_placement, is_slug, make_slug


def rolls_for(*words: str):
    """A roll that spells the words one after the other."""
    numbers = iter([ALPHABET.index(letter) for word in words for letter in word])
    return lambda _sides: next(numbers)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_made_slug_is_six_characters_of_the_alphabet(rng: random.Random) -> None:
    slug = make_slug(rng.randrange)
    assert len(slug) == SLUG_LENGTH
    assert set(slug) <= set(ALPHABET)
    assert is_slug(slug)


def test_the_alphabet_holds_one_of_each_look_alike_pair_at_most() -> None:
    for pair in ("0o", "1i", "1l", "2z", "5s", "8b"):
        assert len(set(pair) & set(ALPHABET)) <= 1
    assert len(set(ALPHABET.lower())) == len(ALPHABET)


def test_a_reserved_word_is_rolled_again() -> None:
    assert "create" in RESERVED
    assert make_slug(rolls_for("create", "update", "k3f9qa")) == "k3f9qa"


def test_slugs_cover_the_alphabet_evenly() -> None:
    rng = random.Random(7)
    letters = "".join(make_slug(rng.randrange) for _ in range(2000))
    counts = [letters.count(letter) for letter in ALPHABET]
    assert min(counts) > 0.75 * len(letters) / len(ALPHABET)
    assert max(counts) < 1.25 * len(letters) / len(ALPHABET)


@pytest.mark.parametrize("text", ["k3f9qa", "abcd", "a-b-c", "0000", "a" * 32])
def test_a_well_formed_slug_may_be_looked_up(text: str) -> None:
    assert is_slug(text)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "a" * 33, "K3F9QA", "k3f9q a", "k3f9qa\n", "-k3f9", "k3f9-", "k3f9_a", "k3f9/a", "ｋ3f9qa", "k3f9qé",
     "k3f9\x00", "٣٣٣٣", "..", "admin", "null"],
)  # fmt: skip
def test_anything_else_is_no_slug(text: str) -> None:
    assert not is_slug(text)


@pytest.mark.parametrize("text", ["a", "north-gate", "A_1", "南门", "x" * 32])
def test_a_placement_is_named_in_letters_digits_and_chinese(text: str) -> None:
    assert is_placement(text)


@pytest.mark.parametrize("text", ["", "x" * 33, "a b", "a/b", "é", "<b>", "a\n", "南 门"])
def test_anything_else_names_no_placement(text: str) -> None:
    assert not is_placement(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_what_is_no_plain_ascii_is_no_slug(text: str) -> None:
    if is_slug(text):
        assert text.isascii()
        assert text == text.lower().strip()
        assert 4 <= len(text) <= 32
