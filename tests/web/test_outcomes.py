"""Every outcome that is listed has a word of its own, in both languages."""

import re

import pytest
from flask import Flask
from flask_babel import force_locale

from app.rules.model import Outcome
from app.web.i18n import LOCALES
from app.web.outcomes import OUTCOMES


def test_every_outcome_has_a_word() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome} - {Outcome.UNKNOWN.value}  # no live code, no list


@pytest.mark.parametrize(("language", "letters"), [("en", "[A-Za-z '?]+"), ("zh", "[一-鿿，（）]+")])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_two_outcomes_are_called_the_same(language: str, letters: str, app: Flask) -> None:
    with app.test_request_context(), force_locale(LOCALES[language]):
        said = [str(word) for word in OUTCOMES.values()]
    assert all(re.fullmatch(letters, word) for word in said), said
    assert len(set(said)) == len(said)
