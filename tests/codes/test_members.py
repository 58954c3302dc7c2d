"""Members in SQL: defaults by kind, duplicates, the limit of 200, order, archiving."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import limits, members, store
from app.codes.changes import NOT_FOUND, STALE, Asker, Refused
from app.codes.models import LiveCode, Member, MemberVersion
from app.codes.versions import Bound, current_versions
from app.db import writing
from tests import make

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def add(
    session: Session, asker: Asker, live_code: LiveCode, bound: Bound | None = None, allow: bool = False, **values: Any
) -> Any:
    with writing(session):
        return members.add_member(
            session, asker, live_code.id, bound or make.bound(), values, now=make.NOW, allow_duplicate=allow
        )


def update(session: Session, asker: Asker, member: Member, **more: Any) -> Any:
    options = {"now": make.NOW} | {
        name: more.pop(name) for name in ("version", "revision", "allow_duplicate", "image", "now") if name in more
    }
    with writing(session):
        return members.update_member(session, asker, member.id, more, **options)


def shown(session: Session, member: Member) -> MemberVersion:
    return current_versions(session, [member])[member.id][0]


def test_wechat_group_gets_195_seats_and_seven_days_less_two_hours(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    member = add(session, asker, live_code)
    version = shown(session, member)
    assert member.capacity == 195
    assert version.expires_at == make.NOW + timedelta(hours=166)
    assert version.expiry_source == "guessed"
    assert live_code.version == 2


def test_personal_code_has_neither_capacity_nor_expiry(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code, make.bound(make.personal_url()))
    version = shown(session, member)
    assert (member.capacity, version.expires_at, version.expiry_source) == (None, None, "none")


def test_what_is_given_beats_what_the_kind_says(session: Session, asker: Asker, live_code: LiveCode) -> None:
    until = make.NOW + timedelta(days=2)
    member = add(session, asker, live_code, capacity=None, expires_at=until, headcount=3, position=7)
    version, generation = current_versions(session, [member])[member.id]
    assert (member.capacity, member.position) == (None, 7)
    assert (version.expires_at, version.expiry_source) == (until, "entered")
    assert (generation.headcount, generation.headcount_at) == (3, make.NOW)


def test_date_read_from_the_picture_beats_the_guess_but_not_the_entry(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    read = make.NOW + timedelta(days=3)
    first = add(session, asker, live_code, make.bound(read_expires_at=read))
    second = add(session, asker, live_code, make.bound(read_expires_at=read), expires_at=None)
    assert (shown(session, first).expires_at, shown(session, first).expiry_source) == (read, "read")
    assert (shown(session, second).expires_at, shown(session, second).expiry_source) == (None, "entered")


def test_archived_live_code_takes_no_members(session: Session, asker: Asker, live_code: LiveCode) -> None:
    with writing(session):
        store.archive_live_code(session, asker, live_code.id)
    assert add(session, asker, live_code) == Refused("archived")


def test_new_member_stands_last(session: Session, asker: Asker, live_code: LiveCode) -> None:
    first, second = add(session, asker, live_code), add(session, asker, live_code)
    assert (first.position, second.position) == (1, 2)


def test_the_same_target_twice_is_refused_naming_the_other(session: Session, asker: Asker, live_code: LiveCode) -> None:
    first = add(session, asker, live_code, make.bound(make.group_url("same")), label="the first")
    refused = add(session, asker, live_code, make.bound(make.group_url("same")), allow=True)
    assert refused == Refused("duplicate_member", about={"member_id": first.id, "label": "the first"})
    assert live_code.version == 2


def test_contact_may_stand_twice_on_purpose(session: Session, asker: Asker, live_code: LiveCode) -> None:
    add(session, asker, live_code, make.bound(make.personal_url("same")))
    assert add(session, asker, live_code, make.bound(make.personal_url("same"))).code == "duplicate_member"
    assert isinstance(add(session, asker, live_code, make.bound(make.personal_url("same")), allow=True), Member)


def test_archived_members_and_fallbacks_are_no_duplicates(session: Session, asker: Asker, live_code: LiveCode) -> None:
    same = make.group_url("same")
    first = add(session, asker, live_code, make.bound(same))
    assert isinstance(add(session, asker, live_code, make.bound(same), is_fallback=True), Member)
    with writing(session):
        members.archive_member(session, asker, first.id)
    assert isinstance(add(session, asker, live_code, make.bound(same)), Member)


def test_the_same_target_may_stand_in_another_choice_or_live_code(
    session: Session, asker: Asker, owner: User, live_code: LiveCode
) -> None:
    same = make.group_url("same")
    with writing(session):
        choice = make.choice_row(session, live_code)
        other = make.live_code_row(session, owner)
    for where, values in ((live_code, {}), (live_code, {"choice_id": choice.id}), (other, {})):
        assert isinstance(add(session, asker, where, make.bound(same), **values), Member)


def test_change_that_would_make_a_duplicate_is_refused_and_changes_nothing(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    same = make.group_url("same")
    first = add(session, asker, live_code, make.bound(same), is_fallback=True)
    add(session, asker, live_code, make.bound(same))
    before = live_code.version
    assert update(session, asker, first, is_fallback=False, label="x").code == "duplicate_member"
    assert first.is_fallback and first.label == "" and live_code.version == before


def test_choice_of_another_live_code_is_unknown(
    session: Session, asker: Asker, owner: User, live_code: LiveCode
) -> None:
    with writing(session):
        foreign = make.choice_row(session, make.live_code_row(session, owner))
        gone = make.choice_row(session, live_code, state="archived")
    unknown = Refused("invalid", {"choice_id": "unknown"})
    assert add(session, asker, live_code, choice_id=foreign.id) == unknown
    assert add(session, asker, live_code, choice_id=gone.id) == unknown
    assert update(session, asker, add(session, asker, live_code), choice_id=foreign.id) == unknown


def test_another_marketers_member_is_not_found(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code)
    with writing(session):
        stranger = make.asker(make.user_row(session))
    assert members.find_member(session, stranger, member.id) is None
    assert members.find_member(session, asker, member.id) is member
    assert update(session, stranger, member, label="mine") is NOT_FOUND
    assert add(session, stranger, live_code) is NOT_FOUND
    with writing(session):
        assert members.archive_member(session, stranger, member.id) is NOT_FOUND
        assert members.archive_member(session, asker, 999_999) is NOT_FOUND
        assert members.reorder(session, stranger, live_code.id, [member.id]) is NOT_FOUND


def test_stale_change_is_refused_by_version_and_by_revision(
    session: Session, asker: Asker, live_code: LiveCode
) -> None:
    member = add(session, asker, live_code)
    seen = member.revision
    assert update(session, asker, member, version=1, revision=seen, label="a") is member
    assert update(session, asker, member, revision=seen, label="b") is STALE
    assert update(session, asker, member, version=2, label="b") is STALE
    assert member.label == "a"


def test_change_to_what_it_is_already_raises_no_version(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code, label="a")
    update(session, asker, member, label="a", weight=1)
    assert live_code.version == 2


def test_entered_expiry_goes_to_the_current_version(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code)
    until = make.NOW + timedelta(days=1)
    update(session, asker, member, expires_at=until)
    assert (shown(session, member).expires_at, shown(session, member).expiry_source) == (until, "entered")
    assert live_code.version == 3


def test_expiry_in_the_past_expires_a_live_code_now(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code)
    update(session, asker, member, expires_at=make.NOW - timedelta(days=999))
    assert shown(session, member).expires_at == make.NOW


def test_expiry_that_is_over_is_corrected_as_given(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code)
    update(session, asker, member, expires_at=make.NOW - timedelta(days=1))
    update(session, asker, member, expires_at=make.NOW - timedelta(days=2), now=make.NOW + timedelta(hours=1))
    assert shown(session, member).expires_at == make.NOW - timedelta(days=2)


def test_shown_file_may_be_the_cut(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code)
    for _ in range(2):
        update(session, asker, member, image="cut.png")
    assert shown(session, member).image == "cut.png" and shown(session, member).expiry_source == "guessed"
    assert live_code.version == 3


def test_archived_member_keeps_no_card_and_loses_its_pin(session: Session, asker: Asker, live_code: LiveCode) -> None:
    member = add(session, asker, live_code, make.bound(card="c.jpg"))
    with writing(session):
        store.pin(session, asker, live_code.id, member.id)
    with writing(session):
        members.archive_member(session, asker, member.id)
    session.expire_all()
    assert member.state == "archived" and shown(session, member).card is None
    assert live_code.pinned_member_id is None
    assert members.members_of(session, live_code.id) == []
    assert members.members_of(session, live_code.id, archived=True) == [member]
    before = live_code.version
    with writing(session):
        members.archive_member(session, asker, member.id)
    assert live_code.version == before


def fill(session: Session, live_code: LiveCode, number: int) -> None:
    with writing(session):
        for _ in range(number):
            make.member_row(session, live_code)


def test_the_201st_member_is_refused(session: Session, asker: Asker, live_code: LiveCode) -> None:
    fill(session, live_code, limits.MOST_MEMBERS)
    assert add(session, asker, live_code) == Refused("member_limit", about={"limit": 200})
    first = members.members_of(session, live_code.id)[0]
    with writing(session):
        members.archive_member(session, asker, first.id)
    assert isinstance(add(session, asker, live_code), Member)
    assert update(session, asker, first, state="active").code == "member_limit"


def test_threads_racing_for_the_last_place_add_one_member(
    engine: sa.Engine, session: Session, asker: Asker, live_code: LiveCode
) -> None:
    fill(session, live_code, limits.MOST_MEMBERS - 1)
    live_code_id, gate, answers = live_code.id, threading.Barrier(8), []
    session.rollback()

    def race() -> None:
        with Session(engine) as mine:
            gate.wait()
            with writing(mine):
                answer = members.add_member(mine, asker, live_code_id, make.bound(), {}, now=make.NOW)
            answers.append(answer.code if isinstance(answer, Refused) else "added")

    run_all([race] * 8)
    assert sorted(answers) == ["added"] + ["member_limit"] * 7
    assert len(members.members_of(session, live_code_id)) == limits.MOST_MEMBERS


def test_threads_binding_the_same_target_bind_it_once(
    engine: sa.Engine, asker: Asker, session: Session, live_code: LiveCode
) -> None:
    live_code_id, bound, answers = live_code.id, make.bound(), []
    session.rollback()

    def race() -> None:
        with Session(engine) as mine, writing(mine):
            answer = members.add_member(mine, asker, live_code_id, bound, {}, now=make.NOW)
            answers.append(answer.code if isinstance(answer, Refused) else "added")

    run_all([race] * 6)
    assert sorted(answers) == ["added"] + ["duplicate_member"] * 5


def run_all(jobs: list[Any]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@sqlite_only
def test_reorder_puts_the_named_first_and_the_others_after(session: Session, asker: Asker, live_code: LiveCode) -> None:
    a, b, c = (add(session, asker, live_code) for _ in range(3))
    before = live_code.version
    with writing(session):
        order = members.reorder(session, asker, live_code.id, [c.id, a.id, c.id])
    assert order == [c, a, b] == members.members_of(session, live_code.id)
    assert live_code.version == before + 1
    with writing(session):
        members.reorder(session, asker, live_code.id, [c.id, a.id, b.id])
        assert members.reorder(session, asker, live_code.id, [999]) == Refused("invalid", {"ids": "unknown"})
    assert live_code.version == before + 1
