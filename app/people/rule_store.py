"""Tag rules as their owners keep them: listed, written, tried out, explained. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db.audit import Actor, record
from app.people.histories import Scope, histories
from app.people.models import Tag, TagRule, Visitor, VisitorLiveCode, VisitorTag
from app.people.store import live_code_owner
from app.people.tag_rules import conditions_of, scope_of
from app.people.tag_store import make_tag
from app.rules.tagging import Condition, Verdict, judge

# What must be seen of a table that belongs to `accounts`.
_USERS = sa.table("users", sa.column("id", sa.Integer))

MOST_RULES = 50
MICROSECOND = 1_000_000
# So many are judged one by one (0.3 s); of more, every n-th.
TRIED_AT_MOST = 5000
TRIED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as somebody wants it."""

    name: str
    tag: str
    category: str
    conditions: tuple[Condition, ...]
    live_code_id: int | None = None
    keeps: bool = False
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule with what a list says of it. `carriers`: people who carry its tag through it."""

    rule: TagRule
    tag: str
    category: str
    live_code: str | None
    carriers: int


@dataclass(frozen=True, slots=True)
class Tried:
    """How many of the people it sees a rule would tag. `tagged` is estimated when fewer were judged than there are."""

    tagged: int
    judged: int
    people: int

    @property
    def is_estimate(self) -> bool:
        return self.judged < self.people


def list_rules(session: Session, asker_id: int | None, rule_id: int | None = None) -> list[Listed]:
    """The asker's rules, everybody's for None, the newest first; or one of them."""
    carriers = (
        sa.select(VisitorTag.rule_id, sa.func.count().label("number"))
        .where(VisitorTag.rule_id.is_not(None))
        .group_by(VisitorTag.rule_id)
        .subquery()
    )
    names = sa.table("live_codes", sa.column("id", sa.Integer), sa.column("name", sa.String))
    query = (
        sa.select(TagRule, Tag.name, Tag.category, names.c.name, sa.func.coalesce(carriers.c.number, 0))
        .join(Tag, Tag.id == TagRule.tag_id)
        .outerjoin(names, names.c.id == TagRule.live_code_id)
        .outerjoin(carriers, carriers.c.rule_id == TagRule.id)
        .where(TagRule.state != "gone", _is_own(asker_id))
        .order_by(TagRule.id.desc())
    )
    if rule_id is not None:
        query = query.where(TagRule.id == rule_id)
    return [Listed(*row) for row in session.execute(query)]


def has_room(session: Session, owner_id: int, rule_id: int | None = None) -> bool:
    """Whether this user may have one more, or this one; asked where it is written, in one transaction after the
    other."""
    session.execute(sa.select(_USERS.c.id).where(_USERS.c.id == owner_id).with_for_update())
    return not is_full(session, owner_id, rule_id)


def is_full(session: Session, owner_id: int, rule_id: int | None = None) -> bool:
    """Whether this user has as many rules as they may, this one apart."""
    query = sa.select(sa.func.count()).where(TagRule.owner_id == owner_id, TagRule.state != "gone")
    if rule_id is not None:
        query = query.where(TagRule.id != rule_id)
    return (session.scalar(query) or 0) >= MOST_RULES


def wish_of(session: Session, rule: TagRule, changes: Mapping[str, Any]) -> Wish:
    """A rule as it is, but for what is changed."""
    tag = session.get_one(Tag, rule.tag_id)
    wish = Wish(
        rule.name, tag.name, tag.category, conditions_of(rule.conditions), rule.live_code_id, rule.keeps,
        rule.state == "active",
    )  # fmt: skip
    return replace(wish, **changes)


def find_rule(session: Session, asker_id: int | None, rule_id: int) -> TagRule | None:
    return session.scalar(sa.select(TagRule).where(TagRule.id == rule_id, TagRule.state != "gone", _is_own(asker_id)))


def lock_rule(session: Session, asker_id: int | None, rule_id: int) -> TagRule | None:
    """The rule, read anew and nobody else's until the transaction ends."""
    mine = sa.select(TagRule).where(TagRule.id == rule_id, TagRule.state != "gone", _is_own(asker_id))
    return session.scalar(mine.with_for_update().execution_options(populate_existing=True))


def version_of(rule: TagRule) -> int:
    """Rises with every change: the microsecond of the last one."""
    return int(rule.changed_at.timestamp() * MICROSECOND)


def _is_own(asker_id: int | None) -> sa.ColumnElement[bool]:
    return TagRule.owner_id == asker_id if asker_id is not None else sa.true()


def scope_of_wish(session: Session, asker_id: int | None, user_id: int, live_code_id: int | None) -> Scope | None:
    """Whose live codes a rule of this user would see; None where the live code is none of theirs."""
    if live_code_id is None:
        return Scope(user_id)
    owner_id = live_code_owner(session, live_code_id)
    if owner_id is None or asker_id not in (None, owner_id):
        return None
    return Scope(owner_id, live_code_id)


def save_rule(session: Session, actor: Actor, scope: Scope, wish: Wish, rule: TagRule | None, now: datetime) -> TagRule:
    """Writes a new rule, or this one anew; the pipeline then asks everybody it sees. Flushed."""
    before = _facts(rule) if rule is not None else None
    if rule is None:
        rule = TagRule(owner_id=scope.owner_id, created_at=now)
        session.add(rule)
    rule.owner_id, rule.live_code_id = scope.owner_id, scope.live_code_id
    rule.name, rule.keeps = wish.name, wish.keeps
    rule.tag_id = make_tag(session, wish.tag, wish.category)
    rule.conditions = [asdict(condition) for condition in wish.conditions]
    rule.state = "active" if wish.is_active else "paused"
    rule.swept_to, rule.changed_at = 0, now
    session.flush()
    record(session, actor, "tag_rule.saved", "tag_rule", rule.id, before=before, after=_facts(rule))
    return rule


def drop_rule(session: Session, actor: Actor, rule: TagRule, now: datetime) -> None:
    """The pipeline takes its tags off, then forgets it."""
    record(session, actor, "tag_rule.deleted", "tag_rule", rule.id, before=_facts(rule))
    rule.state, rule.swept_to, rule.changed_at = "gone", 0, now


def _facts(rule: TagRule) -> dict[str, Any]:
    names = ("name", "tag_id", "live_code_id", "conditions", "keeps", "state")
    return {name: getattr(rule, name) for name in names}


def try_out(
    session: Session,
    scope: Scope,
    conditions: Sequence[Condition],
    now: datetime,
    zone: tzinfo,
    at_most: int = TRIED_AT_MOST,
) -> Tried:
    """How many people a rule would tag now; of more than `at_most`, every n-th is judged."""
    seen = scope.holds(VisitorLiveCode.live_code_id)
    id_ = VisitorLiveCode.visitor_id
    people = session.scalar(sa.select(sa.func.count(sa.distinct(id_))).where(seen)) or 0
    every = -(-people // at_most) or 1
    some = sa.select(id_).where(seen, id_ % every == 0).distinct()
    ids = list(session.scalars(some))
    fits = 0
    for start in range(0, len(ids), TRIED_AT_ONCE):
        part = ids[start : start + TRIED_AT_ONCE]
        known = histories(session.connection(), scope, conditions, part, now, zone)
        fits += sum(judge(conditions, one.history, now).holds for one in known.values())
    tagged = fits if every == 1 else round(fits * people / max(1, len(ids)))
    return Tried(tagged, len(ids), people)


def explain(
    session: Session, asker_id: int | None, visitor: Visitor, now: datetime, zone: tzinfo
) -> list[tuple[TagRule, Tag, Verdict]]:
    """What each rule the asker may know says of this visitor; rules that never saw them are left out."""
    rules = (
        sa.select(TagRule, Tag).join(Tag, Tag.id == TagRule.tag_id).where(TagRule.state != "gone", _is_own(asker_id))
    )
    found = []
    for rule, tag in session.execute(rules.order_by(TagRule.id)).all():
        conditions = conditions_of(rule.conditions)
        known = histories(session.connection(), scope_of(rule), conditions, [visitor.id], now, zone)
        if visitor.id in known:
            found.append((rule, tag, judge(conditions, known[visitor.id].history, now)))
    return found
