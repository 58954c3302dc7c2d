"""Who gets past the guard of a page and of an API, on two blueprints made for the purpose."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask, jsonify
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.accounts import guard, store, tokens
from app.accounts.guard import Account, current_user
from app.accounts.models import ApiToken, User
from app.db import writing
from tests.accounts.conftest import TEST

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LogIn = Callable[..., FlaskClient]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app()
    rooms, calls, people = (Blueprint(name, __name__) for name in ("rooms", "calls", "calls_people"))

    @rooms.route("/room", methods=["GET", "POST"])
    @rooms.route("/room/simulate", methods=["POST"], endpoint="simulate")
    def room() -> str:
        return f"{current_user.name} {guard.actor().name}"

    def call() -> object:
        return jsonify(user=current_user.id, actor=guard.actor().name)

    calls.add_url_rule("/api/v1/thing", "thing", call, methods=["GET", "POST", "DELETE"])
    calls.add_url_rule("/api/v1/simulate", "simulate", call, methods=["POST"])
    people.add_url_rule("/api/v1/people", "people", call)
    guard.protect_pages(rooms, reads={"simulate"})
    guard.protect_api(calls, reads={"simulate"})
    guard.protect_api(people, scope="visitors")
    for blueprint in (rooms, calls, people):
        app.register_blueprint(blueprint)
    return app


@pytest.fixture
def bearer(session: Session) -> Callable[..., dict[str, str]]:
    """bearer(bob, scopes=["read"]) → the header of a program that acts as Bob."""

    def make(user_id: int, **more: object) -> dict[str, str]:
        token = tokens.create(session, TEST, user_id, "shop", now=datetime.now(UTC), **more)  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {token}"}

    return make


Bearer = Callable[..., dict[str, str]]


def test_page_wants_a_log_in(client: FlaskClient, log_in: LogIn, bob: int) -> None:
    answer = client.get("/room?tab=2")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/room?tab%3D2"
    assert log_in("bob@example.com").get("/room").text == "Bob bob@example.com"


def test_viewer_looks_but_does_not_post(log_in: LogIn, carol: int) -> None:
    client = log_in("carol@example.com")
    assert client.get("/room").status_code == 200
    assert client.post("/room/simulate").status_code == 200
    answer = client.post("/room")
    assert answer.status_code == 403


def test_marketer_posts(log_in: LogIn, bob: int) -> None:
    assert log_in("bob@example.com").post("/room").status_code == 200


def test_htmx_is_told_where_to_go_instead_of_swapping_the_log_in_page_in(client: FlaskClient) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/codes?q=1"}
    answer = client.get("/room", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/codes?q%3D1"
    foreign = client.get("/room", headers=headers | {"HX-Current-URL": "http://evil.example/codes"})
    assert foreign.headers["HX-Redirect"] == "/login"


def test_post_after_the_session_ended_leads_back_to_the_forms_page(client: FlaskClient) -> None:
    answer = client.post("/room", headers={"Referer": "http://localhost/codes/7", "Accept-Language": "en"})
    assert answer.status_code == 303
    assert answer.location == "/login?next=/codes/7"
    assert "logged out in the meantime" in client.get("/login").text


def test_program_asking_for_a_page_gets_401(client: FlaskClient) -> None:
    answer = client.get("/room", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json is not None
    assert answer.json["error"]["code"] == "not_logged_in"


def test_api_wants_a_bearer_token_in_the_contracts_words(client: FlaskClient) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer hz_wrong"},
        {"Authorization": "Basic eDp5"},
    ):
        answer = client.get("/api/v1/thing", headers=headers)
        assert answer.status_code == 401
        assert answer.json is not None
        assert set(answer.json["error"]) == {"code", "message", "fields"}
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_api_knows_the_tokens_user(client: FlaskClient, bearer: Bearer, bob: int) -> None:
    answer = client.get("/api/v1/thing", headers=bearer(bob))
    assert answer.json == {"user": bob, "actor": "bob@example.com (shop)"}


def test_api_does_not_take_the_browsers_cookie(log_in: LogIn, bob: int) -> None:
    client = log_in("bob@example.com")
    assert client.get("/api/v1/thing").status_code == 401
    assert client.post("/api/v1/thing", json={}).status_code == 401


def test_page_does_not_take_a_token(client: FlaskClient, bearer: Bearer, bob: int) -> None:
    assert client.get("/room", headers=bearer(bob)).status_code == 303


def test_api_needs_no_csrf_token(client: FlaskClient, bearer: Bearer, bob: int) -> None:
    assert client.post("/api/v1/thing", headers=bearer(bob), json={}).status_code == 200


def test_tokens_scopes_are_kept(client: FlaskClient, bearer: Bearer, bob: int) -> None:
    reader, writer = bearer(bob, scopes=["read"]), bearer(bob, scopes=["read", "write"])
    assert client.get("/api/v1/thing", headers=reader).status_code == 200
    assert client.post("/api/v1/simulate", headers=reader).status_code == 200
    refused = client.post("/api/v1/thing", headers=reader)
    assert refused.status_code == 403
    assert refused.json is not None
    assert refused.json["error"]["code"] == "scope_missing"
    assert client.delete("/api/v1/thing", headers=writer).status_code == 200
    assert client.get("/api/v1/people", headers=writer).status_code == 403
    assert client.get("/api/v1/people", headers=bearer(bob)).status_code == 200


def test_viewers_token_only_reads(client: FlaskClient, bearer: Bearer, carol: int) -> None:
    headers = bearer(carol)
    assert client.get("/api/v1/thing", headers=headers).status_code == 200
    answer = client.post("/api/v1/thing", headers=headers)
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["error"]["code"] == "read_only"


def test_revoked_token_and_disabled_user_are_out_on_the_next_call(
    client: FlaskClient, bearer: Bearer, session: Session, alice: int, bob: int
) -> None:
    first, second = bearer(bob), bearer(bob)
    assert client.get("/api/v1/thing", headers=first).status_code == 200
    first_id = session.scalars(sa.select(ApiToken.id).order_by(ApiToken.id)).first()
    assert first_id is not None
    session.rollback()
    tokens.revoke(session, TEST, first_id, now=datetime.now(UTC))
    assert client.get("/api/v1/thing", headers=first).status_code == 401
    assert client.get("/api/v1/thing", headers=second).status_code == 200
    store.change_user(session, TEST, bob, is_active=False)
    assert client.get("/api/v1/thing", headers=second).status_code == 401


def test_use_of_a_token_is_noted(client: FlaskClient, bearer: Bearer, session: Session, bob: int) -> None:
    client.get("/api/v1/thing", headers=bearer(bob))
    assert session.scalars(sa.select(ApiToken.last_used_at)).one() is not None


def test_single_pages_can_ask_for_a_log_in_or_a_role(app: Flask, log_in: LogIn, alice: int, bob: int) -> None:
    app.add_url_rule("/mine", "mine", guard.login_required(lambda: "mine"))
    app.add_url_rule("/keys", "keys", guard.role_required("admin")(lambda: "keys"))
    assert app.test_client().get("/mine").status_code == 303
    assert app.test_client().get("/keys").status_code == 303
    bobs = log_in("bob@example.com")
    assert bobs.get("/mine").text == "mine"
    assert bobs.get("/keys").status_code == 403
    assert log_in("alice@example.com").get("/keys").text == "keys"


def test_marketers_see_their_own_admins_and_viewers_everything(session: Session, alice: int, bob: int) -> None:
    def seen(role: str) -> set[int]:
        account = Account(id=bob, email="", name="", role=role, language="zh")
        return set(session.scalars(sa.select(User.id).where(guard.visible_to(account, User.id))))

    assert seen("marketer") == {bob}
    assert seen("admin") == seen("viewer") == {alice, bob}


def test_error_page_is_drawn_without_asking_who_reads_it(app: Flask, log_in: LogIn, session: Session, bob: int) -> None:
    client = log_in("bob@example.com")
    with writing(session):
        session.execute(sa.text("DROP TABLE sessions"))
    answer = client.get("/room")
    assert answer.status_code == 503
    assert client.get("/nothing-here").status_code == 404
