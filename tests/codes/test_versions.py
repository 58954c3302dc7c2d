"""Swaps, rollbacks and headcounts: what belongs to a version, what to a generation, and what is never touched."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.codes import members, versions
from app.codes.changes import NOT_FOUND, Asker, Refused
from app.codes.models import LiveCode, Member
from app.codes.versions import Bound, current_versions
from app.db import writing
from tests import make

LATER = make.NOW + timedelta(days=5)


@pytest.fixture
def member(session: Session, asker: Asker, live_code: LiveCode) -> Member:
    with writing(session):
        added = members.add_member(session, asker, live_code.id, make.bound(), {}, now=make.NOW)
    assert isinstance(added, Member)
    return added


def swap(session: Session, asker: Asker, member: Member, bound: Bound | None = None, **values: Any) -> Any:
    with writing(session):
        return versions.swap(session, asker, member.id, bound or make.bound(), values, now=LATER)


def count(session: Session, asker: Asker, member: Member, number: int) -> Any:
    with writing(session):
        return versions.take_headcount(session, asker, member.id, number, now=LATER)


def roll_back(session: Session, asker: Asker, member: Member, number: int) -> Any:
    with writing(session):
        return versions.rollback(session, asker, member.id, number)


def group(session: Session, member: Member) -> tuple[int, int, int | None]:
    """(generation, counted_from, headcount) of what is shown now."""
    _, generation = current_versions(session, [member])[member.id]
    return generation.number, generation.counted_from, generation.headcount


def test_swap_shows_the_next_version_and_keeps_the_count(
    session: Session, asker: Asker, member: Member, live_code: LiveCode
) -> None:
    count(session, asker, member, 40)
    before, stood = live_code.version, group(session, member)
    swap(session, asker, member)
    assert member.current_version == 2
    assert group(session, member) == stood == (1, 2, 40)
    assert live_code.version == before + 1


def test_swap_without_an_expiry_takes_the_kinds_life_from_now(session: Session, asker: Asker, member: Member) -> None:
    swap(session, asker, member)
    version = versions.versions_of(session, member.id)[0]
    assert (version.expires_at, version.expiry_source) == (LATER + timedelta(hours=166), "guessed")


def test_new_group_begins_the_next_count_from_its_headcount(session: Session, asker: Asker, member: Member) -> None:
    count(session, asker, member, 40)
    swap(session, asker, member, new_group=True)
    assert group(session, member) == (2, 3, None)
    swap(session, asker, member, new_group=True, headcount=12)
    assert group(session, member) == (3, 5, 12)


def test_headcount_given_with_a_swap_of_the_same_group_counts(session: Session, asker: Asker, member: Member) -> None:
    swap(session, asker, member, headcount=90)
    assert group(session, member) == (1, 2, 90)


def test_no_count_is_used_by_two_groups(session: Session, asker: Asker, member: Member) -> None:
    swap(session, asker, member, new_group=True)
    roll_back(session, asker, member, 1)
    count(session, asker, member, 10)
    count(session, asker, member, 11)
    used = [generation.counted_from for generation in versions.generations_of(session, member.id)]
    assert used == [4, 2]


def test_current_target_again_is_the_same_code(
    session: Session, asker: Asker, member: Member, live_code: LiveCode
) -> None:
    again = make.bound(versions.versions_of(session, member.id)[0].target)
    before = live_code.version
    assert swap(session, asker, member, again) == Refused("same_code")
    assert live_code.version == before


def test_swap_to_what_a_neighbour_shows_is_a_duplicate(
    session: Session, asker: Asker, member: Member, live_code: LiveCode
) -> None:
    with writing(session):
        neighbour = make.member_row(session, live_code, target=make.group_url("next-door"))
    refused = swap(session, asker, member, make.bound(make.group_url("next-door")))
    assert isinstance(refused, Refused) and refused.about["member_id"] == neighbour.id


def test_swap_to_another_kind_makes_the_member_that_kind(session: Session, asker: Asker, member: Member) -> None:
    swap(session, asker, member, make.bound(make.personal_url()))
    assert member.kind == "wechat_personal"
    assert versions.versions_of(session, member.id)[0].expires_at is None
    roll_back(session, asker, member, 1)
    assert member.kind == "wechat_group"


def test_swap_enables_nobody_and_clears_suspicion(session: Session, asker: Asker, member: Member) -> None:
    with writing(session):
        member.state, member.suspect_at = "disabled", make.NOW
    swap(session, asker, member)
    assert (member.state, member.suspect_at, member.trusted_at) == ("disabled", None, LATER)


def test_rollback_points_back_with_all_the_version_owned(session: Session, asker: Asker, member: Member) -> None:
    count(session, asker, member, 40)
    swap(session, asker, member, new_group=True, expires_at=None)
    roll_back(session, asker, member, 1)
    assert member.current_version == 1
    assert group(session, member) == (1, 2, 40)
    swap(session, asker, member)
    assert member.current_version == 3
    assert group(session, member)[0] == 1


def test_rollback_to_the_current_version_changes_nothing(
    session: Session, asker: Asker, member: Member, live_code: LiveCode
) -> None:
    before = live_code.version
    assert roll_back(session, asker, member, 1) is member
    assert live_code.version == before


def test_rollback_to_a_version_there_never_was_is_refused(session: Session, asker: Asker, member: Member) -> None:
    assert roll_back(session, asker, member, 7) == Refused("invalid", {"version": "unknown"})


def test_rollback_to_what_a_neighbour_shows_by_now_is_a_duplicate(
    session: Session, asker: Asker, member: Member, live_code: LiveCode
) -> None:
    first = versions.versions_of(session, member.id)[0].target
    swap(session, asker, member)
    with writing(session):
        make.member_row(session, live_code, target=first)
    assert roll_back(session, asker, member, 1).code == "duplicate_member"


def test_headcount_clears_suspicion_and_says_when(session: Session, asker: Asker, member: Member) -> None:
    with writing(session):
        member.suspect_at = make.NOW
    count(session, asker, member, 0)
    _, generation = current_versions(session, [member])[member.id]
    assert (generation.headcount, generation.headcount_at) == (0, LATER)
    assert member.suspect_at is None


def test_trust_clears_suspicion_once(session: Session, asker: Asker, member: Member, live_code: LiveCode) -> None:
    with writing(session):
        member.suspect_at = make.NOW
    before = live_code.version
    for _ in range(2):
        with writing(session):
            versions.trust(session, asker, member.id, now=LATER)
    assert (member.suspect_at, member.trusted_at) == (None, LATER)
    assert live_code.version == before + 1


def test_another_marketers_member_is_not_found(session: Session, member: Member) -> None:
    with writing(session):
        stranger = make.asker(make.user_row(session))
    assert swap(session, stranger, member) is NOT_FOUND
    assert roll_back(session, stranger, member, 1) is NOT_FOUND
    assert count(session, stranger, member, 1) is NOT_FOUND
    with writing(session):
        assert versions.trust(session, stranger, member.id, now=LATER) is NOT_FOUND
