"""Live codes in SQL: slugs, owners, versions, staleness, pins."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import store
from app.codes.changes import ARCHIVED, NOT_FOUND, STALE, Asker, Refused
from app.codes.models import Choice, LiveCode
from app.db import writing
from app.db.audit import AuditEntry
from app.rules.slugs import ALPHABET
from tests import make

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def actions(session: Session) -> list[str]:
    return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def create(session: Session, asker: Asker, owner: User, **values: object) -> LiveCode:
    with writing(session):
        return store.create_live_code(session, asker, {"name": "spring"} | values, owner_id=owner.id)


def update(session: Session, asker: Asker, live_code: LiveCode, version: int | None = None, **values: object) -> object:
    with writing(session):
        return store.update_live_code(session, asker, live_code.id, values, version=version)


def test_new_live_code_takes_the_defaults_and_its_name_as_title(session: Session, asker: Asker, owner: User) -> None:
    made = create(session, asker, owner)
    assert (made.title, made.mode, made.state, made.version) == ("spring", "sequential", "active", 1)
    assert made.unpressed_seat_hours == 48 and made.on_closed_member == "by_press"
    assert actions(session) == ["live_code.created"]


def rolls(*numbers: int) -> Callable[[int], int]:
    left = iter(numbers)
    return lambda _: next(left)


def test_slug_of_an_archived_live_code_is_never_given_again(session: Session, asker: Asker, owner: User) -> None:
    with writing(session):
        first = store.create_live_code(session, asker, {"name": "a"}, owner_id=owner.id, roll=rolls(*[0] * 6))
        store.archive_live_code(session, asker, first.id)
    with writing(session):
        second = store.create_live_code(
            session, asker, {"name": "b"}, owner_id=owner.id, roll=rolls(*[0] * 6, *[1] * 6)
        )
    assert first.slug == ALPHABET[0] * 6
    assert second.slug == ALPHABET[1] * 6
    assert actions(session) == ["live_code.created", "live_code.archived", "live_code.created"]


def test_another_marketers_live_code_is_not_found(session: Session, live_code: LiveCode) -> None:
    with writing(session):
        stranger = make.asker(make.user_row(session))
    assert store.find_live_code(session, stranger, live_code.id) is None
    assert store.list_live_codes(session, stranger) == ([], 0)
    with writing(session):
        assert store.update_live_code(session, stranger, live_code.id, {"name": "mine"}) is NOT_FOUND
        assert store.archive_live_code(session, stranger, live_code.id) is NOT_FOUND
        assert store.pin(session, stranger, live_code.id, 1) is NOT_FOUND
        assert store.unpin(session, stranger, live_code.id) is NOT_FOUND
        assert store.restore_live_code(session, stranger, live_code.id) is NOT_FOUND
        copied = store.duplicate_live_code(session, stranger, live_code.id, name="mine", owner_id=live_code.owner_id)
        assert copied is NOT_FOUND


def test_admin_sees_everybodys_live_codes(session: Session, live_code: LiveCode) -> None:
    with writing(session):
        admin = make.asker(make.user_row(session, role="admin"))
    assert store.find_live_code(session, admin, live_code.id) is live_code


def test_change_raises_the_version_and_is_written_down(session: Session, asker: Asker, live_code: LiveCode) -> None:
    update(session, asker, live_code, mode="random", title="new")
    assert live_code.version == live_code.edited_version == 2
    entry = session.scalars(sa.select(AuditEntry)).one()
    assert entry.before == {"mode": "sequential", "title": entry.before["title"]}
    assert entry.after == {"mode": "random", "title": "new"}


def test_change_to_what_it_is_already_changes_nothing(session: Session, asker: Asker, live_code: LiveCode) -> None:
    update(session, asker, live_code, mode="sequential")
    assert live_code.version == 1 and actions(session) == []


def test_change_after_somebody_elses_is_stale(session: Session, asker: Asker, live_code: LiveCode) -> None:
    update(session, asker, live_code, version=1, mode="random")
    assert update(session, asker, live_code, version=1, mode="round_robin") is STALE
    assert update(session, asker, live_code, version=99, mode="round_robin") is STALE
    assert live_code.mode == "random"


def test_member_added_meanwhile_does_not_make_a_change_stale(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    with writing(session):
        store.bump(session, live_code.id)
    assert update(session, asker, live_code, version=1, mode="random") is live_code


def test_end_before_the_stored_start_is_refused(session: Session, asker: Asker, live_code: LiveCode) -> None:
    update(session, asker, live_code, starts_at=make.NOW)
    refused = update(session, asker, live_code, ends_at=make.NOW - make.hours(1))
    assert refused == Refused("invalid", {"ends_at": "before_start"})


def test_archived_live_code_keeps_its_fields_until_restored(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    with writing(session):
        store.archive_live_code(session, asker, live_code.id)
    assert update(session, asker, live_code, name="x") is ARCHIVED
    with writing(session):
        store.restore_live_code(session, asker, live_code.id)
    assert live_code.state == "active"
    assert actions(session) == ["live_code.archived", "live_code.restored"]


def test_restoring_what_is_not_archived_changes_nothing(session: Session, asker: Asker, live_code: LiveCode) -> None:
    update(session, asker, live_code, state="paused")
    with writing(session):
        assert store.restore_live_code(session, asker, live_code.id) is live_code
    assert live_code.state == "paused"


@sqlite_only
def test_list_finds_by_name_title_or_slug_and_leaves_out_archived(session: Session, asker: Asker, owner: User) -> None:
    names = {}
    for name in ("Spring 100%", "Summer", "Autumn"):
        names[name] = create(session, asker, owner, name=name, title="春 " + name)
    with writing(session):
        store.archive_live_code(session, asker, names["Autumn"].id)

    def found(**query: object) -> list[str]:
        rows, total = store.list_live_codes(session, asker, **query)  # type: ignore[arg-type]
        assert total >= len(rows)
        return [row.name for row in rows]

    assert found() == ["Summer", "Spring 100%"]
    assert found(q="spring") == ["Spring 100%"]
    assert found(q="0%") == ["Spring 100%"]
    assert found(q="春") == ["Summer", "Spring 100%"]
    assert found(q=names["Summer"].slug) == ["Summer"]
    assert found(state="archived") == ["Autumn"]
    assert found(state="paused") == []
    assert found(sort="name") == ["Spring 100%", "Summer"]
    assert found(limit=1, offset=1) == ["Spring 100%"]


@sqlite_only
def test_duplicate_takes_rules_and_choices_but_no_members(session: Session, asker: Asker, owner: User) -> None:
    pattern = create(session, asker, owner, kind="grouped", mode="random", contact_text="ring us")
    with writing(session):
        make.choice_row(session, pattern, title="skin")
        make.choice_row(session, pattern, title="gone", state="archived")
        make.member_row(session, pattern)
    with writing(session):
        copy = store.duplicate_live_code(session, asker, pattern.id, name="copy", owner_id=owner.id)
    assert isinstance(copy, LiveCode)
    assert (copy.name, copy.mode, copy.contact_text) == ("copy", "random", "ring us")
    assert copy.slug != pattern.slug
    assert [choice.title for choice in copy.choices] == ["skin"]
    assert copy.members == []


def test_grouped_live_code_with_choices_cannot_become_simple(session: Session, asker: Asker, owner: User) -> None:
    grouped = create(session, asker, owner, kind="grouped")
    with writing(session):
        choice = make.choice_row(session, grouped)
    assert update(session, asker, grouped, kind="simple") == Refused("has_choices")
    with writing(session):
        session.get_one(Choice, choice.id).state = "archived"
    assert update(session, asker, grouped, kind="simple") is grouped


def test_pin_and_release_raise_the_version_once_each(session: Session, asker: Asker, live_code: LiveCode) -> None:
    with writing(session):
        member = make.member_row(session, live_code)
    for _ in range(2):
        with writing(session):
            store.pin(session, asker, live_code.id, member.id)
    assert (live_code.pinned_member_id, live_code.version) == (member.id, 2)
    for _ in range(2):
        with writing(session):
            store.unpin(session, asker, live_code.id)
    assert (live_code.pinned_member_id, live_code.version) == (None, 3)
    assert actions(session) == ["live_code.pinned", "live_code.unpinned"]


def test_pin_wants_a_standing_member_of_this_live_code(
    session: Session, asker: Asker, owner: User, live_code: LiveCode
) -> None:
    with writing(session):
        foreign = make.member_row(session, make.live_code_row(session, owner))
        archived = make.member_row(session, live_code, state="archived")
        fallback = make.member_row(session, live_code, is_fallback=True)
    with writing(session):
        assert store.pin(session, asker, live_code.id, foreign.id) is NOT_FOUND
        assert store.pin(session, asker, live_code.id, archived.id) is ARCHIVED
        refused = store.pin(session, asker, live_code.id, fallback.id)
    assert refused == Refused("invalid", {"member_id": "is_fallback"})


@sqlite_only
def test_dedupe_groups_in_use_are_offered_once(session: Session, asker: Asker, owner: User) -> None:
    for name in ("b", "a", "b", None):
        create(session, asker, owner, dedupe_group=name)
    assert store.dedupe_groups(session, asker, owner.id) == ["a", "b"]


def test_refused_insert_that_is_not_about_the_slug_is_no_endless_loop(session: Session, asker: Asker) -> None:
    with pytest.raises(sa.exc.IntegrityError), writing(session):
        store.create_live_code(session, asker, {"name": "x"}, owner_id=999_999)
