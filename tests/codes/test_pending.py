"""A code that was read and waits in a signed form to be bound."""

from datetime import timedelta

from app.codes.pending import KEPT_FOR, pending_of, pending_token
from app.outside.files import SPARED_SECONDS
from tests import make

KEY = "a key"


def test_code_comes_back_as_it_was() -> None:
    bound = make.bound(read_expires_at=make.NOW, cut="c.png", card="d.jpg")
    token = pending_token(bound, 7, KEY, make.NOW)
    assert pending_of(token, 7, KEY, make.NOW + KEPT_FOR - timedelta(seconds=1)) == bound


def test_code_is_good_for_one_live_code_one_key_and_a_while() -> None:
    token = pending_token(make.bound(), 7, KEY, make.NOW)
    assert pending_of(token, 8, KEY, make.NOW) is None
    assert pending_of(token, 7, "another key", make.NOW) is None
    assert pending_of(token, 7, KEY, make.NOW + KEPT_FOR) is None
    assert pending_of(token[:-1] + "A", 7, KEY, make.NOW) is None
    assert pending_of("", 7, KEY, make.NOW) is None


def test_longest_link_fits() -> None:
    bound = make.bound("https://example.com/" + "x" * 2028)
    assert pending_of(pending_token(bound, 7, KEY, make.NOW), 7, KEY, make.NOW) == bound


def test_files_of_a_waiting_code_outlive_it() -> None:
    assert KEPT_FOR.total_seconds() < SPARED_SECONDS
