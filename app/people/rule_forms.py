"""Tag rules as pages and programs hand them in, made into what `rules.tagging` judges."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import marshmallow as ma

from app.people.forms import CATEGORY_BY_HAND
from app.people.models import CATEGORIES, TAG_CHARACTERS
from app.people.wording import RULE_PROBLEMS
from app.rules import regions
from app.rules.tagging import FACTS, LARGEST_NUMBER, LONGEST_DAYS, MOST_CONDITIONS, Condition, problem_of
from app.web.fields import Flag, Form, Id, Part, Several, Text, Whole, Word, refused

WORD_CHARACTERS = 100
COMPARISONS = ("at_least", "at_most", "is", "is_not")
_MONEY = re.compile(r"-?\d{1,11}(?:\.\d{1,2})?", re.ASCII)


class ConditionForm(Form):
    fact = Word(*FACTS, required=True)
    comparison = Word(*COMPARISONS, required=True)
    number = Whole(0, LARGEST_NUMBER, load_default=0, metadata={"description": "Amounts in hundredths."})
    word = Text(WORD_CHARACTERS, load_default="")
    days = Whole(1, LONGEST_DAYS, load_default=None, allow_none=True)


class TryForm(Form):
    conditions = Several(Part(ConditionForm), MOST_CONDITIONS, required=True)
    live_code_id = Id(load_default=None, allow_none=True, metadata={"description": "Only there; all of yours if null."})

    @ma.post_load
    def _judged(self, values: dict[str, Any], **_more: Any) -> dict[str, Any]:
        if "conditions" not in values:  # of a change that leaves them
            return values
        found = tuple(Condition(**{**one, "word": _place(one)}) for one in values["conditions"])
        problem = "region" if any(one.word is None for one in found) else problem_of(found)
        if problem:
            raise ma.ValidationError({"conditions": refused(RULE_PROBLEMS[problem]).messages})
        return {**values, "conditions": found}


class RuleForm(TryForm):
    name = Text(100, blank=False, required=True)
    tag = Text(TAG_CHARACTERS, blank=False, required=True)
    category = Word(*CATEGORIES, load_default=CATEGORY_BY_HAND, metadata={"description": "The tag's."})
    keeps = Flag(load_default=False, metadata={"description": "Whether the tag stays on when it no longer fits."})
    is_active = Flag(load_default=True)


class RulePatch(RuleForm):
    """What is not named stays. To be made with `partial=CHANGEABLE`: a condition that is named is whole, which
    `partial=True` would not ask for."""


CHANGEABLE = tuple(RuleForm().fields)


def _place(one: Mapping[str, Any]) -> Any:
    return regions.normalise(one["word"]) if one["fact"] == "region" and one["word"] else one["word"]


@dataclass(frozen=True, slots=True)
class Row:
    """One condition of the panel's form, as typed."""

    fact: str = ""
    comparison: str = "at_least"
    value: str = ""
    days: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.fact or self.value or self.days)


@dataclass(frozen=True, slots=True)
class Read:
    """What the rows come to. `problems`: by row, or None for the rule as a whole → a key of RULE_PROBLEMS."""

    conditions: tuple[Condition, ...] = ()
    problems: Mapping[int | None, str] = field(default_factory=dict)


def read_rows(rows: Sequence[Row], region_of: Any) -> Read:
    """`region_of`: the key of a place as somebody calls it, None where there is none."""
    found: list[Condition] = []
    problems: dict[int | None, str] = {}
    for number, row in enumerate(rows):
        if row.is_empty:
            continue
        one = _read(row, region_of)
        problem = one if isinstance(one, str) else problem_of([one])
        if problem:
            problems[number] = problem
        elif not isinstance(one, str):
            found.append(one)
    if not problems and (problem := problem_of(found)):
        problems[None] = problem
    return Read(tuple(found), problems)


def _read(row: Row, region_of: Any) -> Condition | str:
    fact = FACTS.get(row.fact)
    if fact is None:
        return "unknown_fact"
    days = None
    if row.days:
        if not (row.days.isascii() and row.days.isdigit() and len(row.days) < 4):
            return "days"
        days = int(row.days)
    if fact.is_word:
        word = region_of(row.value) if row.fact == "region" else row.value[:WORD_CHARACTERS]
        return Condition(row.fact, row.comparison, word=word, days=days) if word is not None else "region"
    number = cents(row.value) if row.fact == "amount" else _whole(row.value)
    return Condition(row.fact, row.comparison, number, days=days) if number is not None else "number"


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def cents(text: str) -> int | None:
    """ "99.5" → 9950; None for what is no amount of money."""
    text = text.strip().removeprefix("¥").replace(",", "").strip()
    if not _MONEY.fullmatch(text):
        return None
    try:
        return int(Decimal(text) * 100)
    except InvalidOperation:
        return None
