"""What administrators see of the others, and that nobody else does."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.accounts import admin_pages
from app.accounts.models import Invitation, User
from app.db import writing
from app.db.audit import Actor, AuditEntry, record
from app.settings import ROOT
from tests import make
from tests.accounts.conftest import PASSWORD, TEST

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LogIn = Callable[..., FlaskClient]

PAGES = ["/users", "/audit", "/audit.csv"]
ACTIONS = [
    "/users",
    "/users/1",
    "/users/1/disable",
    "/users/1/enable",
    "/users/1/password-link",
    "/invitations/1/withdraw",
]


@pytest.mark.parametrize("page", PAGES)
def test_only_admins_see(log_in: LogIn, client: FlaskClient, alice: int, bob: int, carol: int, page: str) -> None:
    assert log_in("alice@example.com").get(page).status_code == 200
    assert log_in("bob@example.com").get(page).status_code == 403
    assert log_in("carol@example.com").get(page).status_code == 403
    assert client.get(page).status_code == 303


@pytest.mark.parametrize("action", ACTIONS)
def test_only_admins_act(
    log_in: LogIn, client: FlaskClient, session: Session, alice: int, bob: int, carol: int, action: str
) -> None:
    form = {"email": "dora@example.com", "role": "viewer"}
    assert log_in("bob@example.com").post(action, data=form).status_code == 403
    assert log_in("carol@example.com").post(action, data=form).status_code == 403
    assert client.post(action, data=form).status_code == 303
    assert session.get_one(User, alice).role == "admin"
    assert session.scalar(sa.select(sa.func.count()).select_from(Invitation)) == 0


def test_settings_show_others_only_to_admins(log_in: LogIn, alice: int, bob: int) -> None:
    assert 'href="/users"' in log_in("alice@example.com").get("/account").text
    assert 'href="/users"' not in log_in("bob@example.com").get("/account").text


def test_invitation_link_is_shown_once_and_opens(app: Flask, log_in: LogIn, alice: int) -> None:
    client = log_in("alice@example.com")
    answer = client.post("/users", data={"email": "Dora@example.com", "role": "viewer"})
    assert answer.headers["Cache-Control"] == "no-store"
    (path,) = set(re.findall(r"http://[^/]+(/invitation/[\w-]+)", answer.text))
    assert app.test_client().get(path).status_code == 200
    later = client.get("/users").text
    assert "dora@example.com" in later
    assert path not in later


def test_invitation_that_cannot_be_made_says_why_and_keeps_what_was_typed(log_in: LogIn, alice: int, bob: int) -> None:
    client = log_in("alice@example.com")
    taken = client.post("/users?lang=en", data={"email": "bob@example.com", "role": "viewer"})
    assert taken.status_code == 422
    assert "has an account already" in taken.text
    assert 'value="bob@example.com"' in taken.text
    wrong = client.post("/users?lang=en", data={"email": "bob", "role": "viewer"})
    assert wrong.status_code == 422
    assert "does not look like an e-mail address" in wrong.text
    assert client.post("/users", data={"email": "x@example.com", "role": "owner"}).status_code == 422


def test_withdrawn_invitation_no_longer_opens(app: Flask, log_in: LogIn, session: Session, alice: int) -> None:
    client = log_in("alice@example.com")
    page = client.post("/users", data={"email": "dora@example.com", "role": "viewer"}).text
    (path,) = set(re.findall(r"http://[^/]+(/invitation/[\w-]+)", page))
    invitation_id = session.scalars(sa.select(Invitation.id)).one()
    assert client.post(f"/invitations/{invitation_id}/withdraw").status_code == 303
    assert app.test_client().get(path).status_code == 404
    assert client.post(f"/invitations/{invitation_id}/withdraw").status_code == 404


def test_role_is_changed_and_written_down(log_in: LogIn, session: Session, alice: int, bob: int) -> None:
    client = log_in("alice@example.com")
    assert client.post(f"/users/{bob}", data={"role": "viewer"}).status_code == 303
    assert session.get_one(User, bob).role == "viewer"
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.actor, entry.user_id) == ("alice@example.com", alice)
    for wrong in ({"role": "owner"}, {"role": " "}, {"role": ""}, {}):
        assert client.post(f"/users/{bob}", data=wrong).status_code == 422
    assert client.post("/users/999", data={"role": "viewer"}).status_code == 404


def test_user_is_disabled_and_enabled_again(log_in: LogIn, session: Session, alice: int, bob: int) -> None:
    client, bobs = log_in("alice@example.com"), log_in("bob@example.com")
    client.post(f"/users/{bob}/disable")
    assert bobs.get("/account").status_code == 303
    client.post(f"/users/{bob}/enable")
    log_in("bob@example.com")


def test_last_admin_stays(log_in: LogIn, session: Session, alice: int) -> None:
    client = log_in("alice@example.com")
    client.post(f"/users/{alice}/disable?lang=en")
    assert session.get_one(User, alice).is_active
    assert "last administrator" in client.get("/users").text


def test_password_link_is_for_an_active_user(log_in: LogIn, alice: int, bob: int) -> None:
    client = log_in("alice@example.com")
    assert "/invitation/" in client.post(f"/users/{bob}/password-link").text
    assert client.post("/users/999/password-link").status_code == 404


def entries(session: Session) -> None:
    with writing(session):
        record(session, Actor("bob@example.com", 2), "member.swapped", "member", 7, before={"v": 1}, after={"v": 2})
        record(session, Actor("=cmd()"), "live_code.created", "live_code", 3, after={"name": "=HYPERLINK(1)"})
        record(session, TEST, "live_code.changed", "live_code", 3, after={"name": "春节 100%_"})


def test_audit_log_is_filtered_by_who_what_and_which(log_in: LogIn, session: Session, alice: int) -> None:
    entries(session)
    client = log_in("alice@example.com")
    assert 'title="member.swapped"' in client.get("/audit").text
    assert 'title="member.swapped"' in client.get("/audit?actor=BOB").text
    assert 'title="member.swapped"' not in client.get("/audit?action=live_code").text
    assert 'title="live_code.changed"' in client.get("/audit?object_type=live_code&object_id=3").text
    assert 'title="member.swapped"' not in client.get("/audit?actor=%25").text  # no wildcard


def test_audit_log_speaks_the_readers_language(log_in: LogIn, session: Session, alice: int) -> None:
    entries(session)
    with writing(session):
        after = {"state": "disabled", "is_fallback": False, "kind": "wechat_group", "position": 4, "role": "viewer"}
        record(session, Actor("command line"), "member.created", "member", 8, after=after)
    page = log_in("alice@example.com").get("/audit?lang=zh").text
    assert ">登录</span>" in page
    assert ">子码 7</span>" in page
    for words in ("命令行", "已停用", "否", "微信群", "排序", "只读"):
        assert words in page
    for raw in ("command line", "disabled", ">false<", "wechat_group", "position"):
        assert raw not in page.replace(f'title="{raw}"', "")


def test_audit_log_names_what_it_is_about(log_in: LogIn, session: Session, alice: int) -> None:
    with writing(session):
        code = make.live_code_row(session, session.get_one(User, alice), name="spring fair")
        member = make.member_row(session, code, label="group 3")
        record(session, TEST, "live_code.changed", "live_code", code.id, after={"name": "spring fair"})
        record(session, TEST, "member.counted", "member", member.id, after={"headcount": 9})
        record(session, TEST, "member.counted", "member", 4711, after={"headcount": 9})
    page = log_in("alice@example.com").get("/audit?lang=en").text
    assert f'href="/codes/{code.id}">spring fair</a>' in page and f'href="/members/{member.id}">group 3</a>' in page
    assert ">member code 4711</span>" in page


CONDITIONS = [{"fact": "scans", "comparison": "at_least", "number": 3, "word": "", "days": 7}]


@pytest.mark.parametrize(
    ("action", "after", "told"),
    [
        ("alert_channel.made", {"is_active": True, "kind": "wecom"}, ("Switched on", "WeCom group robot")),
        ("alert_rule.changed", {"work_from": 540, "work_days": [1, 2]}, ("Work begins", "09:00", "Monday, Tuesday")),
        ("webhook.created", {"url": "https://x", "events": ["press"]}, ("Web address", "Somebody long-pressed")),
        ("tag_rule.saved", {"conditions": CONDITIONS, "keeps": False}, ("All of this must hold", "within 7 days")),
        ("spend.entered", {"amount_cents": 9950, "currency": "CNY"}, ("Amount", "99.50")),
        ("token.created", {"scopes": ["read"]}, ("May do", "Read live codes, members and statistics")),
    ],
)
def test_audit_log_says_in_words_what_was_set(
    log_in: LogIn, session: Session, alice: int, action: str, after: dict[str, Any], told: tuple[str, ...]
) -> None:
    with writing(session):
        record(session, TEST, action, "live_code", 1, after=after)
    page = log_in("alice@example.com").get(f"/audit?lang=en&action={action}").text
    for words in told:
        assert words in page


def test_audit_log_has_words_for_everything_that_is_written_into_it(app: Flask) -> None:
    written, things = set(), set()
    for file in (ROOT / "app").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for found in re.finditer(r"record\(\s*[\w.]+,\s*[\w.()]+,\s*\"([a-z_]+\.[a-z_]+)\",\s*\"([a-z_]+)\"", text):
            written.add(found[1])
            things.add(found[2])
    assert len(written) > 40 and len(things) > 10
    assert written - set(app.extensions[admin_pages.WORDS][0]) == set()
    assert things - set(admin_pages.OBJECTS) == set()


def test_audit_log_is_filtered_by_day(log_in: LogIn, session: Session, alice: int) -> None:
    entries(session)
    client = log_in("alice@example.com")
    assert 'title="member.swapped"' not in client.get("/audit?until=2020-01-01").text
    assert 'title="member.swapped"' in client.get("/audit?since=2020-01-01").text
    assert 'title="member.swapped"' in client.get("/audit?since=nonsense&object_id=x7").text


def test_audit_log_comes_in_pages(log_in: LogIn, session: Session, alice: int) -> None:
    with writing(session):
        for number in range(45):
            record(session, TEST, f"x.done_{number:02}", "x", number)
    client = log_in("alice@example.com")
    assert 'title="x.done_44"' in client.get("/audit?action=x").text
    last = client.get("/audit?action=x&page=3").text
    assert 'title="x.done_04"' in last
    assert 'title="x.done_05"' not in last
    assert "page=2" in last
    assert client.get("/audit?page=0").status_code == 422


def test_audit_log_is_exported_whole_and_harmless(log_in: LogIn, session: Session, alice: int) -> None:
    entries(session)
    with writing(session):
        for number in range(1200):
            record(session, TEST, "x.done", "x", number)
    answer = log_in("alice@example.com").get("/audit.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len([row for row in rows if row["action"] == "x.done"]) == 1200
    (formula,) = [row for row in rows if row["action"] == "live_code.created"]
    assert formula["actor"] == "'=cmd()"
    (chinese,) = [row for row in rows if row["action"] == "live_code.changed"]
    assert chinese["after"] == '{"name": "春节 100%_"}'


def test_no_password_and_no_token_is_in_the_audit_log(log_in: LogIn, alice: int) -> None:
    client = log_in("alice@example.com")
    page = client.post("/account/tokens", data={"name": "x", "scopes": ["read"], "lifetime": "0"}).text
    (token,) = set(re.findall(r"hz_[\w-]{43}", page))
    client.post("/account/password", data={"current": PASSWORD, "password": "another horse battery"})
    log = client.get("/audit.csv").text
    assert "user.password_changed" in log
    for secret in (token, PASSWORD, "another horse battery", "argon2"):
        assert secret not in log
