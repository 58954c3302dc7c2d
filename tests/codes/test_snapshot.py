"""Snapshots: what is in one, when one is read anew, and that a kept one costs no SQL."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes import members, snapshot, versions
from app.codes.changes import Asker, bump
from app.codes.models import LiveCode
from app.codes.snapshot import Snapshots
from app.db import writing
from app.rules.model import MemberState, Mode, Window
from tests import make


@pytest.fixture
def snapshots(engine: sa.Engine) -> Snapshots:
    return Snapshots(engine, make.ZONE)


@pytest.fixture
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Every statement sent over this engine."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


def change(session: Session, live_code: LiveCode, **values: object) -> None:
    with writing(session):
        for name, value in values.items():
            setattr(live_code, name, value)
        bump(session, live_code.id)


def test_snapshot_holds_all_that_a_scan_needs(session: Session, live_code: LiveCode, snapshots: Snapshots) -> None:
    with writing(session):
        live_code.mode, live_code.contact_text, live_code.kind = "random", "ring us", "grouped"
        choice = make.choice_row(session, live_code, tag="skin")
        make.choice_row(session, live_code, state="archived")
        member = make.member_row(
            session,
            live_code,
            target=make.group_url("x"),
            headcount=4,
            capacity=10,
            choice_id=choice.id,
            regions=["CN/CN-GD"],
            windows=[{"days": [1, 2], "from": "09:30", "to": "24:00"}],
            expires_at=make.NOW,
        )
    found = snapshots.by_slug(live_code.slug)
    assert found is not None
    assert (found.id, found.version, found.mode, found.contact.text) == (live_code.id, 1, Mode.RANDOM, "ring us")
    assert [c.tag for c in found.choices] == ["skin"]
    (seen,) = found.members
    assert (seen.id, seen.capacity, seen.headcount, seen.choice_id) == (member.id, 10, 4, choice.id)
    assert seen.windows == (Window(frozenset({1, 2}), 570, 1440),)
    assert (seen.regions, seen.expires_at, seen.is_group) == (("CN/CN-GD",), make.NOW, True)
    assert (seen.version, seen.generation, seen.counted_from) == (1, 1, 1)
    assert seen.target_url == make.group_url("x") and seen.name is None


def test_kept_snapshot_costs_no_sql(
    session: Session, live_code: LiveCode, snapshots: Snapshots, statements: list[str]
) -> None:
    slug = live_code.slug
    session.rollback()
    first = snapshots.by_slug(slug)
    assert first is not None and statements
    statements.clear()
    assert snapshots.by_slug(slug) is first
    assert snapshots.by_id(first.id) is first
    assert snapshots.by_id(first.id, at_least=1) is first
    assert statements == []


def test_newer_version_is_read_when_somebody_knows_of_it(
    session: Session, live_code: LiveCode, snapshots: Snapshots
) -> None:
    old = snapshots.by_slug(live_code.slug)
    change(session, live_code, title="new")
    assert snapshots.by_slug(live_code.slug) is old
    fresh = snapshots.by_id(live_code.id, at_least=2)
    assert fresh is not None and (fresh.version, fresh.title) == (2, "new")
    assert snapshots.by_slug(live_code.slug) is fresh


def test_reload_reads_whatever_is_kept(session: Session, live_code: LiveCode, snapshots: Snapshots) -> None:
    old = snapshots.by_id(live_code.id)
    fresh = snapshots.reload(live_code.id)
    assert fresh == old and fresh is not old


def test_unknown_slug_is_never_remembered(session: Session, live_code: LiveCode, snapshots: Snapshots) -> None:
    assert snapshots.by_slug("later") is None
    assert snapshots.by_slug("'; DROP TABLE live_codes") is None
    assert snapshots.by_id(999_999) is None
    with writing(session):
        live_code.slug = "later"
    assert snapshots.by_slug("later") is not None


def test_oldest_unused_snapshot_makes_room(engine: sa.Engine, session: Session, statements: list[str]) -> None:
    snapshots = Snapshots(engine, make.ZONE, most_kept=2)
    with writing(session):
        owner = make.user_row(session)
        slugs = [make.live_code_row(session, owner).slug for _ in range(3)]
    snapshots.by_slug(slugs[0])
    snapshots.by_slug(slugs[1])
    snapshots.by_slug(slugs[0])
    snapshots.by_slug(slugs[2])
    statements.clear()
    snapshots.by_slug(slugs[0])
    assert statements == []
    snapshots.by_slug(slugs[1])
    assert statements


def test_live_code_with_many_members_pushes_out_several_small_ones(
    engine: sa.Engine, session: Session, statements: list[str]
) -> None:
    snapshots = Snapshots(engine, make.ZONE, most_kept=4)
    with writing(session):
        owner = make.user_row(session)
        small = [make.live_code_row(session, owner).id for _ in range(3)]
        large = make.live_code_row(session, owner)
        for _ in range(2):
            make.member_row(session, large)
        large_id = large.id
    for live_code_id in (*small, large_id, large_id):
        snapshots.reload(live_code_id)
    statements.clear()
    assert snapshots.by_id(large_id) is not None and snapshots.by_id(small[2]) is not None
    assert statements == []
    snapshots.by_id(small[1])
    assert statements


def test_archived_members_are_known_but_never_open(
    session: Session, asker: Asker, live_code: LiveCode, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "MOST_ARCHIVED", 2)
    with writing(session):
        ids = [
            make.member_row(session, live_code, windows=[{"days": [1], "from": "09:00", "to": "10:00"}]).id
            for _ in range(4)
        ]
    for member_id in ids[:3]:
        with writing(session):
            members.archive_member(session, asker, member_id)
    found = snapshots.by_id(live_code.id)
    assert found is not None
    assert {member.id for member in found.members} == set(ids[1:])
    archived = found.member(ids[1])
    assert archived is not None and (archived.state, archived.windows) == (MemberState.ARCHIVED, ())


def test_snapshot_is_of_one_moment_while_members_are_swapped(
    engine: sa.Engine, session: Session, asker: Asker, live_code: LiveCode, snapshots: Snapshots
) -> None:
    """Every swap moves the live code's version and the member's in step; a torn read would show them out of step."""
    with writing(session):
        member_id = make.member_row(session, live_code).id
    live_code_id, done = live_code.id, threading.Event()
    session.rollback()

    def keep_swapping() -> None:
        with Session(engine) as mine:
            for _ in range(40):
                with writing(mine):
                    versions.swap(mine, asker, member_id, make.bound(), {}, now=make.NOW)
        done.set()

    swapper = threading.Thread(target=keep_swapping)
    swapper.start()
    seen = set()
    while not done.is_set():
        found = snapshots.reload(live_code_id)
        assert found is not None and found.members[0].version == found.version
        seen.add(found.version)
    swapper.join(60)
    assert len(seen) > 1


def test_threads_asking_for_the_same_version_read_it_once(
    session: Session, live_code: LiveCode, snapshots: Snapshots, statements: list[str]
) -> None:
    live_code_id = live_code.id
    session.rollback()
    statements.clear()
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        assert snapshots.by_id(live_code_id) is not None

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum("FROM live_codes" in statement for statement in statements) == 1
