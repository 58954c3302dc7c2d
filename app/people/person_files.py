"""Files about people: what other programs call them, and tags. Decides what a line may say; who is meant by it, and
what becomes of it, is `imports`'."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TypeVar

import marshmallow as ma

from app.people.forms import TagForm
from app.people.identities import Digest
from app.people.lines import (
    MOST_LINES,
    MOST_PROBLEMS,
    PERSON,
    VISITOR,
    Columns,
    Problem,
    called_in,
    read_lines,
    visitor_number,
)
from app.people.models import CATEGORIES
from app.people.orders import Called

# Words are everybody's: a file whose columns are mixed up shall not fill everybody's list.
MOST_TAGS = 200

NAME_COLUMNS: Columns = PERSON
TAG_COLUMNS: Columns = {"tag": ("tag", "标签"), "category": ("category", "类别"), **PERSON}
TAG_NEEDED = ("tag",)
_CATEGORIES: Mapping[str, str] = {
    **{name: name for name in CATEGORIES},
    **dict(zip(("来源", "基础", "行为", "业务", "预测"), CATEGORIES, strict=True)),
}


@dataclass(frozen=True, slots=True)
class Whom:
    """Who a line is about: a visitor's number, or what they are called; all of it is one person."""

    line: int
    visitor_id: int | None
    called: tuple[Called, ...]


@dataclass(frozen=True, slots=True)
class TagLine:
    """`category` None: whichever the tag is in already."""

    whom: Whom
    tag: str
    category: str | None


_Line = TypeVar("_Line", Whom, TagLine)


def read_names(file: IO[bytes], digest: Digest) -> tuple[list[Whom], list[Problem]]:
    """What stands in a file of external ids, and what is wrong with it; the first fifty problems."""

    def name(values: Mapping[str, str], line: int) -> Whom | Problem:
        whom = _whom(values, line, digest)
        if isinstance(whom, Problem) or len(whom.called) + (whom.visitor_id is not None) > 1:
            return whom
        return Problem(line, "", "says_nothing")

    return _read(read_lines(file, NAME_COLUMNS, ()), name)


def read_tags(file: IO[bytes], digest: Digest) -> tuple[list[TagLine], list[Problem]]:
    """What stands in a file of tags, and what is wrong with it."""
    known: dict[tuple[str, str], tuple[str, str | None] | str] = {}

    def tag(values: Mapping[str, str], line: int) -> TagLine | Problem:
        words = (values.get("tag", ""), values.get("category", ""))
        found = known[words] = known.get(words) or _tag(*words)
        if isinstance(found, str):
            return Problem(line, found, "wrong")
        if len(known) > MOST_TAGS:
            return Problem(line, "tag", "many_tags")
        whom = _whom(values, line, digest)
        if isinstance(whom, Problem):
            return whom
        return TagLine(whom, *found) if whom.called or whom.visitor_id is not None else Problem(line, "", "nobody")

    return _read(read_lines(file, TAG_COLUMNS, TAG_NEEDED), tag)


def _read(
    lines: Iterator[tuple[int, Mapping[str, str] | Problem]],
    read: Callable[[Mapping[str, str], int], _Line | Problem],
) -> tuple[list[_Line], list[Problem]]:
    found: list[_Line] = []
    problems: list[Problem] = []
    for line, values in lines:
        one = values if isinstance(values, Problem) else read(values, line)
        if isinstance(one, Problem):
            problems.append(one)
        else:
            found.append(one)
        if len(found) > MOST_LINES:
            problems.append(Problem(line, "", "too_many"))
        if len(problems) >= MOST_PROBLEMS or len(found) > MOST_LINES:
            break
    return found, problems


def _tag(name: str, category: str) -> tuple[str, str | None] | str:
    """A tag's name and category, or which of them cannot be."""
    kind = _CATEGORIES.get(category.casefold())
    if category and kind is None:
        return "category"
    try:
        return TagForm().load({"name": name})["name"], kind
    except ma.ValidationError:
        return "tag"


def _whom(values: Mapping[str, str], line: int, digest: Digest) -> Whom | Problem:
    text = values.get(VISITOR, "")
    number = visitor_number(text) if text else None
    if text and number is None:
        return Problem(line, VISITOR, "wrong")
    called = list(called_in(values, line, digest))
    wrong = next((one for one in called if isinstance(one, Problem)), None)
    return wrong or Whom(line, number, tuple(one for one in called if isinstance(one, Called)))
