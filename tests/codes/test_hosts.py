"""Several public hosts: who sets them, which one a printed code says, and that what is printed stays."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import create_app
from app.accounts.models import User
from app.codes import hosts
from app.codes.hosts import Origins
from app.codes.models import Host, LiveCode
from app.db import db, make_engine, writing
from app.db.audit import AuditEntry
from app.db.migrate import migrations
from app.outside import qr_write
from tests import make
from tests.codes.conftest import Browser, api_of, fresh, refused, told
from tests.conftest import close, make_settings

OWN, OTHER = "https://go.example.com", "https://q.example.org"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(public_url=OWN)


@pytest.fixture
def boss(app: Flask, session: Session) -> Browser:
    with writing(session):
        user = make.user_row(session, role="admin")
    return Browser(app, session, user)


@pytest.fixture
def other(boss: Browser, session: Session) -> Host:
    boss.post("/hosts", origin=OTHER)
    return fresh(session).scalars(sa.select(Host)).one()


def newest(session: Session) -> LiveCode:
    return fresh(session).scalars(sa.select(LiveCode).order_by(LiveCode.id.desc())).first()  # type: ignore[return-value]


def test_new_codes_take_the_default_and_printed_ones_keep_theirs(
    boss: Browser, panel: Browser, session: Session, other: Host
) -> None:
    panel.post("/codes/new", name="before")
    first = newest(session)
    boss.post("/hosts/default", host_id=str(other.id))
    panel.post("/codes/new", name="after")
    second = newest(session)
    assert (first.host, second.host) == (OWN, OTHER)
    for code in (first, second):
        svg = panel.client.get(f"/codes/{code.id}/qr.svg?download=1")
        qr_write.prove_svg(svg.data, f"{code.host}/s/{code.slug}")
        page = panel.get(f"/codes/{code.id}/print")
        assert f"{code.host}/s/{code.slug}" in page and "do not print" not in page


def test_code_without_a_host_gets_the_one_it_was_printed_with_before_the_default_moves(
    boss: Browser, session: Session, live_code: LiveCode, other: Host
) -> None:
    assert live_code.host is None
    boss.post("/hosts/default", host_id=str(other.id))
    assert fresh(session).get_one(LiveCode, live_code.id).host == OWN


def test_codes_made_while_trying_out_go_with_the_address_set_later(
    make_app: Callable[..., Flask], session: Session, owner: User
) -> None:
    trying = Browser(make_app(public_url="http://127.0.0.1:8000"), session, owner)
    trying.post("/codes/new", name="first steps")
    code = newest(session)
    assert code.host is None
    later = Browser(make_app(public_url=OWN), session, owner)
    assert f"{OWN}/s/{code.slug}" in later.get(f"/codes/{code.id}/print")


def test_host_can_be_chosen_while_the_code_is_made(panel: Browser, session: Session, other: Host) -> None:
    assert OTHER in panel.get("/codes/new")
    panel.post("/codes/new", name="for the other brand", host=OTHER)
    assert newest(session).host == OTHER
    assert "no such one here" in panel.post("/codes/new", 422, name="astray", host="https://evil.example.net").text


def test_program_reads_and_chooses_the_host(app: Flask, session: Session, owner: User, other: Host) -> None:
    api = api_of(app, session, owner)
    mine, chosen = api.live_code(), api.live_code(host=OTHER)
    assert (mine["host"], mine["short_url"]) == (OWN, f"{OWN}/s/{mine['slug']}")
    assert chosen["short_url"] == f"{OTHER}/s/{chosen['slug']}"
    refused(api.post("/live-codes", name="astray", host="https://evil.example.net"), 422, "invalid", "host")
    refused(api.patch(f"/live-codes/{mine['id']}", host=OTHER), 422, "invalid", "host")
    copied = told(api.get(f"/live-codes/{mine['id']}"))
    assert copied["host"] == OWN


@pytest.mark.parametrize(
    "typed", ["", "https://go.example.com/path", "http://plain.example.com", "https://192.168.1.4", OWN, "not a host"]
)
def test_odd_address_is_refused_and_stays_in_the_form(boss: Browser, session: Session, typed: str) -> None:
    page = boss.post("/hosts", 422, origin=typed).text
    assert typed in page and "field-error" in page
    assert fresh(session).scalar(sa.select(sa.func.count()).select_from(Host)) == 0


def test_host_that_a_code_says_cannot_be_removed(boss: Browser, panel: Browser, session: Session, other: Host) -> None:
    panel.post("/codes/new", name="printed", host=OTHER)
    panel.post(f"/codes/{newest(session).id}/state", state="archived")
    assert "cannot be taken away" in boss.follow(boss.post(f"/hosts/{other.id}/remove"))
    assert fresh(session).get(Host, other.id) is not None


def test_unused_host_is_removed_and_the_log_tells(boss: Browser, session: Session, other: Host) -> None:
    boss.post(f"/hosts/{other.id}/remove")
    assert fresh(session).scalar(sa.select(sa.func.count()).select_from(Host)) == 0
    told_of = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.object_type == "host"))
    assert list(told_of) == ["host.added", "host.removed"]
    assert "Address removed" in boss.get("/audit")


def test_only_administrators_see_and_set_hosts(panel: Browser, session: Session) -> None:
    panel.get("/hosts", 403)
    panel.post("/hosts", 403, origin=OTHER)
    assert fresh(session).scalar(sa.select(sa.func.count()).select_from(Host)) == 0


def test_forms_of_pages_under_every_host_are_ours(engine: sa.Engine, session: Session, other: Host) -> None:
    origins = Origins(engine, OWN)
    assert OWN in origins and OTHER in origins and "https://evil.example.net" not in origins


def test_origins_stay_known_while_sql_is_away(tmp_path: Path) -> None:
    origins = Origins(make_engine(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}"), OWN)
    assert OWN in origins and OTHER not in origins


@pytest.mark.parametrize(("public_url", "kept"), [(OWN, OWN), ("http://127.0.0.1:8000", None)])
def test_codes_from_before_there_were_hosts_keep_their_address(
    database_url: str, tmp_path: Path, public_url: str, kept: str | None
) -> None:
    app = create_app(replace(make_settings(tmp_path / "data", database_url), public_url=public_url))
    with app.app_context():
        migrations.downgrade("0001")
        at = datetime.now(UTC)
        with db.engine.begin() as connection:
            user = {
                "email": "a@example.com", "name": "a", "password_hash": "!", "role": "marketer", "language": "zh",
                "is_active": True, "session_epoch": 1, "created_at": at, "updated_at": at,
            }  # fmt: skip
            users = sa.Table("users", sa.MetaData(), autoload_with=connection)
            codes = sa.Table("live_codes", sa.MetaData(), autoload_with=connection)
            user = {name: value for name, value in user.items() if name in users.c}
            owner = connection.execute(users.insert().values(user).returning(users.c.id)).scalar_one()
            code = {
                "slug": "t-old", "owner_id": owner, "version": 1, "edited_version": 1, "name": "old", "title": "old",
                "notice": "", "contact_text": "", "contact_phone": "", "contact_url": "", "kind": "simple",
                "mode": "sequential", "region_policy": "prefer", "open": "page", "choice_policy": "one",
                "on_closed_member": "by_press", "unpressed_seat_hours": 48, "state": "active", "asks_city": False,
                "created_at": at, "updated_at": at,
            }  # fmt: skip
            connection.execute(codes.insert().values(code))
        migrations.upgrade()
        assert db.session.scalar(sa.select(LiveCode.host).where(LiveCode.slug == "t-old")) == kept
    close(app)


def test_hosts_are_refused_by_name(session: Session) -> None:
    own, asker = "https://go.example.com", make.asker()
    with writing(session):
        known = hosts.add_host(session, asker, "https://q.example.org", own)
        assert isinstance(known, hosts.Host)
        for again in (own, known.origin):
            assert hosts.add_host(session, asker, again, own).code == "duplicate_host"  # type: ignore[union-attr]
        hosts.make_default(session, asker, known.id, own)
        assert hosts.remove_host(session, asker, known.id).code == "host_in_use"  # type: ignore[union-attr]
        for number in range(hosts.MOST_HOSTS - 1):
            session.add(hosts.Host(origin=f"https://h{number}.example.org", is_default=False))
        session.flush()
        assert hosts.add_host(session, asker, "https://more.example.org", own).code == "host_limit"  # type: ignore[union-attr]


def test_who_may_not_is_told_forbidden(app: Flask, session: Session) -> None:
    with writing(session):
        user = make.user_row(session, role="marketer")
    answer = Browser(app, session, user).client.get("/hosts", headers={"Accept": "application/json"})
    assert answer.status_code == 403
    assert answer.json["error"]["code"] == "forbidden"  # type: ignore[index]
