"""The door and one's own account, as a browser meets them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.accounts import shell, store
from app.accounts.models import ApiToken, PanelSession, User
from app.db import writing
from tests.accounts.conftest import PASSWORD, TEST

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LogIn = Callable[..., FlaskClient]
BOB = {"email": "bob@example.com", "password": PASSWORD, "remember": "y"}
NEW = "another horse battery"


def path_of(location: str) -> str:
    parts = urlsplit(location)
    assert parts.netloc in ("", "localhost")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def session_cookies(answer: TestResponse) -> list[str]:
    return [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("huozi_session=")]


def session_cookie(answer: TestResponse) -> str:
    (cookie,) = session_cookies(answer)
    return cookie


def test_log_in_page_is_there_for_everybody_in_both_languages(client: FlaskClient) -> None:
    assert "登录" in client.get("/login?lang=zh").text
    assert "Log in" in client.get("/login?lang=en").text


def test_right_password_leads_into_the_panel(client: FlaskClient, bob: int) -> None:
    answer = client.post("/login", data=BOB)
    assert answer.status_code == 303
    assert client.get("/account").status_code == 200


def test_address_may_be_typed_with_capitals_and_spaces(client: FlaskClient, bob: int) -> None:
    assert client.post("/login", data=BOB | {"email": " Bob@Example.com "}).status_code == 303


def test_wrong_password_unknown_and_disabled_users_get_the_very_same_answer(
    make_app: Callable[..., Flask], session: Session, bob: int, make_user: Callable[..., int]
) -> None:
    store.change_user(session, TEST, make_user("gone@example.com"), is_active=False)
    answers = []
    for email, password in [
        ("bob@example.com", "wrong horse"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
    ]:
        answer = make_app().test_client().post("/login", data={"email": email, "password": password})
        text = re.sub(r'(value|content)="[^"]*"', "", answer.text)
        answers.append((answer.status_code, text))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 422


def test_typed_address_is_kept_after_an_error_and_the_password_is_not(client: FlaskClient, bob: int) -> None:
    answer = client.post("/login", data={"email": "bob@example.com", "password": "wrong horse"})
    assert 'value="bob@example.com"' in answer.text
    assert "wrong horse" not in answer.text


def test_empty_fields_are_named(client: FlaskClient) -> None:
    answer = client.post("/login?lang=en", data={})
    assert answer.status_code == 422
    assert answer.text.count("Fill this in.") == 2
    assert answer.text.count('aria-invalid="true"') == 2


def test_too_many_attempts_are_told_to_wait_also_for_unknown_accounts(client: FlaskClient) -> None:
    wrong = {"email": "nobody@example.com", "password": "wrong horse"}
    codes = [client.post("/login", data=wrong).status_code for _ in range(6)]
    answer = client.post("/login?lang=en", data=wrong)
    assert codes == [422] * 6
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Too many attempts" in answer.text


def test_post_without_token_is_refused(app: Flask, bob: int) -> None:
    answer = app.test_client().post("/login", data=BOB, headers={"X-CSRFToken": "forged"})
    assert answer.status_code == 403


def test_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient, bob: int) -> None:
    cookie = session_cookie(client.post("/login", data=BOB))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # plain http, as in development
    assert "Expires=" in cookie


def test_cookie_is_secure_where_the_service_is_reached_by_https(make_app: Callable[..., Flask], bob: int) -> None:
    there = "https://qr.example.com"
    client = make_app(public_url=there).test_client()
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/login", base_url=there).text)
    assert token is not None
    answer = client.post("/login", data=BOB, base_url=there, headers={"X-CSRFToken": token[1], "Origin": there})
    assert answer.status_code == 303
    assert "Secure" in session_cookie(answer)


def test_unremembered_cookie_dies_with_the_browser(client: FlaskClient, bob: int) -> None:
    cookie = session_cookie(client.post("/login", data={"email": BOB["email"], "password": PASSWORD}))
    assert "Expires=" not in cookie


def test_pages_do_not_renew_the_cookie_each_time(log_in: LogIn, bob: int) -> None:
    client = log_in("bob@example.com")
    client.get("/account/devices")  # the first one puts the forms' token into it
    assert session_cookies(client.get("/account/devices")) == []


def test_cookie_is_renewed_when_the_session_is(log_in: LogIn, session: Session, bob: int) -> None:
    client = log_in("bob@example.com")
    with writing(session):
        row = session.scalars(sa.select(PanelSession)).one()
        row.last_seen_at = row.last_seen_at.replace(year=row.last_seen_at.year - 1)
    assert "Expires=" in session_cookie(client.get("/account"))


def test_session_planted_before_the_log_in_is_worth_nothing_after_it(app: Flask, bob: int) -> None:
    victim = app.test_client()
    victim.get("/login")
    with victim.session_transaction() as planted:
        planted["planted"] = "yes"
        planted["csrf_token"] = "known to the attacker"
    before = victim.get_cookie("huozi_session")
    victim.post("/login", data=BOB)
    after = victim.get_cookie("huozi_session")
    assert before is not None and after is not None
    assert before.value != after.value
    with victim.session_transaction() as fresh:
        assert "planted" not in fresh
        assert fresh.get("csrf_token") != "known to the attacker"
    attacker = app.test_client()
    attacker.set_cookie("huozi_session", before.value)
    assert attacker.get("/account").status_code == 303


def test_two_log_ins_are_two_sessions(log_in: LogIn, session: Session, bob: int) -> None:
    log_in("bob@example.com")
    log_in("bob@example.com")
    assert session.scalar(sa.select(sa.func.count(sa.distinct(PanelSession.token_hash)))) == 2


def test_asking_for_a_page_leads_to_the_log_in_and_back(client: FlaskClient, bob: int) -> None:
    answer = client.get("/account/tokens?page=2")
    assert answer.status_code == 303
    assert path_of(answer.location) == "/login?next=/account/tokens?page%3D2"
    entered = client.post(answer.location, data=BOB)
    assert path_of(entered.location) == "/account/tokens?page=2"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%09/evil.example\t",
        "/\n/evil.example",
        "evil.example",
        "///evil.example",
    ],
)
def test_next_never_leads_to_another_site(app: Flask, client: FlaskClient, bob: int, target: str) -> None:
    answer = client.post("/login", query_string={"next": target}, data=BOB)
    assert answer.status_code == 303
    with app.test_request_context():
        assert path_of(answer.location) == shell.home_url()


def test_whoever_is_logged_in_skips_the_door(log_in: LogIn, bob: int) -> None:
    client = log_in("bob@example.com")
    assert path_of(client.get("/login?next=/account/devices").location) == "/account/devices"


def test_log_out_ends_the_session_on_the_server_too(app: Flask, log_in: LogIn, session: Session, bob: int) -> None:
    client = log_in("bob@example.com")
    stolen = client.get_cookie("huozi_session")
    assert stolen is not None
    assert client.post("/logout").status_code == 303
    thief = app.test_client()
    thief.set_cookie("huozi_session", stolen.value)
    assert thief.get("/account").status_code == 303
    assert session.scalar(sa.select(sa.func.count()).select_from(PanelSession)) == 0


def test_logging_out_twice_is_no_error(client: FlaskClient) -> None:
    assert client.post("/logout").status_code == 303


def test_revoked_device_is_out_on_its_next_request(log_in: LogIn, session: Session, bob: int) -> None:
    lost, kept = log_in("bob@example.com", **{"User-Agent": "iPhone MicroMessenger"}), log_in("bob@example.com")
    page = kept.get("/account/devices").text
    assert "iPhone · WeChat" in page
    lost_id = session.scalars(sa.select(PanelSession.id).where(PanelSession.device == "iPhone · WeChat")).one()
    assert kept.post(f"/account/devices/{lost_id}/revoke").status_code == 303
    assert lost.get("/account").status_code == 303
    assert kept.get("/account").status_code == 200


def test_anothers_device_cannot_be_revoked(log_in: LogIn, session: Session, alice: int, bob: int) -> None:
    alices, bobs = log_in("alice@example.com"), log_in("bob@example.com")
    row = session.scalars(sa.select(PanelSession.id).where(PanelSession.user_id == alice)).one()
    assert bobs.post(f"/account/devices/{row}/revoke").status_code == 404
    assert alices.get("/account").status_code == 200


def test_logging_out_everywhere_includes_this_device(log_in: LogIn, bob: int) -> None:
    one, two = log_in("bob@example.com"), log_in("bob@example.com")
    one.post("/account/devices/revoke-all")
    assert one.get("/account").status_code == 303
    assert two.get("/account").status_code == 303


def test_disabled_user_is_out_on_the_next_request(log_in: LogIn, session: Session, alice: int, bob: int) -> None:
    client = log_in("bob@example.com")
    store.change_user(session, TEST, bob, is_active=False)
    assert client.get("/account").status_code == 303


def test_role_taken_away_is_gone_on_the_next_request(
    log_in: LogIn, session: Session, alice: int, make_user: Callable[..., int]
) -> None:
    dora = make_user("dora@example.com", "admin")
    client = log_in("dora@example.com")
    assert client.get("/users").status_code == 200
    store.change_user(session, TEST, dora, role="marketer")
    assert client.get("/users").status_code == 403


def test_new_password_keeps_this_device_and_drops_the_others(log_in: LogIn, bob: int) -> None:
    here, there = log_in("bob@example.com"), log_in("bob@example.com")
    assert here.post("/account/password", data={"current": PASSWORD, "password": NEW}).status_code == 303
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    log_in("bob@example.com", NEW)


@pytest.mark.parametrize(
    ("current", "password", "said"),
    [
        ("wrong horse", NEW, "not your current password"),
        (PASSWORD, "short", "At least 10 characters"),
        (PASSWORD, "bob@example.com", "guessed first"),
        ("", "", "Fill this in."),
    ],
)
def test_bad_new_password_is_explained_and_changes_nothing(
    log_in: LogIn, bob: int, current: str, password: str, said: str
) -> None:
    client = log_in("bob@example.com")
    answer = client.post("/account/password?lang=en", data={"current": current, "password": password})
    assert answer.status_code == 422
    assert said in answer.text
    log_in("bob@example.com")


def test_name_and_language_are_ones_own(log_in: LogIn, session: Session, carol: int) -> None:
    client = log_in("carol@example.com")
    assert client.post("/account", data={"name": "  王小\x00明 ", "language": "en"}).status_code == 303
    user = session.get_one(User, carol)
    assert (user.name, user.language) == ("王小明", "en")
    assert "Settings" in client.get("/account").text


def test_names_are_shown_harmless(log_in: LogIn, bob: int) -> None:
    client = log_in("bob@example.com")
    client.post("/account", data={"name": "<img src=x onerror=alert(1)>", "language": "zh"})
    page = client.get("/account").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_users_language_counts_where_the_browser_has_no_choice_of_its_own(
    log_in: LogIn, make_user: Callable[..., int]
) -> None:
    make_user("dora@example.com", language="en")
    assert "Settings" in log_in("dora@example.com").get("/account", headers={"Accept-Language": "zh-CN"}).text


def test_token_is_shown_once_and_never_stored(log_in: LogIn, session: Session, bob: int) -> None:
    client = log_in("bob@example.com")
    answer = client.post("/account/tokens", data={"name": "export", "scopes": ["read", "write"], "lifetime": "30"})
    (token,) = set(re.findall(r"hz_[\w-]{43}", answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    assert token not in client.get("/account/tokens").text
    row = session.scalars(sa.select(ApiToken)).one()
    assert (row.name, row.scopes) == ("export", ["read", "write"])
    assert row.expires_at is not None
    assert token not in row.token_hash


def test_token_without_name_or_scope_is_not_made(log_in: LogIn, session: Session, bob: int) -> None:
    client = log_in("bob@example.com")
    answer = client.post("/account/tokens?lang=en", data={"lifetime": "0"})
    assert answer.status_code == 422
    assert "Tick at least one." in answer.text
    assert session.scalar(sa.select(sa.func.count()).select_from(ApiToken)) == 0


def test_own_token_can_be_revoked_and_no_others(log_in: LogIn, session: Session, alice: int, bob: int) -> None:
    alices, bobs = log_in("alice@example.com"), log_in("bob@example.com")
    alices.post("/account/tokens", data={"name": "x", "scopes": ["read"], "lifetime": "0"})
    token_id = session.scalars(sa.select(ApiToken.id)).one()
    assert bobs.post(f"/account/tokens/{token_id}/revoke").status_code == 404
    assert alices.post(f"/account/tokens/{token_id}/revoke").status_code == 303
    assert alices.post(f"/account/tokens/{token_id}/revoke").status_code == 404


def test_invited_person_makes_the_account_and_is_in(app: Flask, session: Session, alice: int) -> None:
    token = store.invite(session, TEST, alice, "dora@example.com", "marketer", datetime.now(UTC))
    client = app.test_client()
    assert "dora@example.com" in client.get(f"/invitation/{token}").text
    short = client.post(f"/invitation/{token}?lang=en", data={"name": "Dora", "password": "short"})
    assert short.status_code == 422
    assert 'value="Dora"' in short.text
    assert client.post(f"/invitation/{token}", data={"name": "Dora", "password": NEW}).status_code == 303
    assert "Dora" in client.get("/account").text
    assert app.test_client().get(f"/invitation/{token}").status_code == 404


def test_password_link_asks_for_no_name(app: Flask, session: Session, alice: int, bob: int) -> None:
    token = store.make_password_link(session, TEST, alice, bob, datetime.now(UTC))
    client = app.test_client()
    assert 'name="name"' not in client.get(f"/invitation/{token}").text
    assert client.post(f"/invitation/{token}", data={"password": NEW}).status_code == 303
    assert client.get("/account").status_code == 200


def test_made_up_invitation_is_gone(client: FlaskClient) -> None:
    assert client.get("/invitation/made-up").status_code == 404
    assert client.post("/invitation/made-up", data={"name": "x", "password": NEW}).status_code == 404


def test_the_bare_address_leads_to_the_panel(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
