"""Who is meant by the lines of a file about people. Writes nothing.

A line may name somebody by several names at once, and a later line by a name that an earlier one gave. Lines about
people nobody knows yet, or whom the asker may not change, are passed over and counted: a list of customers holds more
people than ever scanned.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.people import orders, store
from app.people.lines import VISITOR, Problem, in_order
from app.people.orders import Called
from app.people.person_files import TagLine, Whom

# Each asks the ledger, and has a transaction of its own.
MOST_JOINS = 500


@dataclass(frozen=True, slots=True)
class Naming:
    """What a file of external ids comes to. names: visitor and name, new ones. joins: pairs who turn out to be one, and
    in which line. unknown: lines about nobody."""

    names: Sequence[tuple[int, Called]]
    joins: Mapping[tuple[int, int], int]
    unknown: int
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a file of tags comes to: tag and category → visitors."""

    tags: Mapping[tuple[str, str | None], set[int]]
    unknown: int
    problems: Sequence[Problem]


@dataclass(slots=True)
class _People:
    """Whom the asker may change, and by what names. `who`: by anybody's knowledge they may use; `own`: by theirs."""

    changeable: set[int]
    who: dict[Called, int]
    own: dict[Called, int] = field(default_factory=dict)

    def ids(self, whom: Whom) -> list[int]:
        """Everybody a line names, first the one it names by number."""
        named = [whom.visitor_id, *(self.who.get(each) for each in whom.called)]
        return [id_ for id_ in named if id_ in self.changeable]


def naming(
    session: Session, asker_id: int | None, owner_id: int, lines: Sequence[Whom], may_join: Callable[[int, int], bool]
) -> Naming:
    """`may_join`: whether these visitors' numbers may become one person."""
    people, problems = _people(session, asker_id, owner_id, lines)
    people.own = orders.find_own(session, owner_id, {each for whom in lines for each in whom.called})
    names: list[tuple[int, Called]] = []
    joins: dict[tuple[int, int], int] = {}
    unknown = 0
    for whom in lines:
        ids = people.ids(whom)
        if not ids:
            unknown += 1
            continue
        for each in whom.called:
            known = people.own.get(each)
            if known is None:
                people.own[each] = people.who[each] = ids[0]
                names.append((ids[0], each))
            elif known != ids[0]:
                joins.setdefault((ids[0], known), whom.line)
    if not problems:
        problems = _refused(joins, may_join)
    return Naming(names, joins, unknown, problems)


def _refused(joins: Mapping[tuple[int, int], int], may_join: Callable[[int, int], bool]) -> list[Problem]:
    if len(joins) > MOST_JOINS:
        return [Problem(list(joins.values())[MOST_JOINS], "", "many_joins")]
    return in_order([Problem(line, "", "elsewhere") for pair, line in joins.items() if not may_join(*pair)])


def tagging(session: Session, asker_id: int | None, owner_id: int, lines: Sequence[TagLine]) -> Tagging:
    people, problems = _people(session, asker_id, owner_id, [line.whom for line in lines])
    tags: dict[tuple[str, str | None], set[int]] = {}
    unknown = 0
    for line in lines:
        ids = people.ids(line.whom)
        if ids:
            tags.setdefault((line.tag, line.category), set()).add(ids[0])
        else:
            unknown += 1
    return Tagging(tags, unknown, problems)


def _people(
    session: Session, asker_id: int | None, owner_id: int, lines: Sequence[Whom]
) -> tuple[_People, list[Problem]]:
    who = orders.find_called(session, owner_id, {each for whom in lines for each in whom.called})
    numbers = {whom.visitor_id: whom.line for whom in reversed(lines) if whom.visitor_id is not None}
    changeable = store.changeable_ids(session, asker_id, sorted({*who.values(), *numbers}))
    problems = [Problem(line, VISITOR, "unknown") for id_, line in numbers.items() if id_ not in changeable]
    return _People(changeable, who), in_order(problems)
