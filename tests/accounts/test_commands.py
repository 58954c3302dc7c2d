"""Accounts from the command line."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from app.accounts.models import ApiToken, User
from app.db.audit import AuditEntry
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_user_is_created_with_the_password_from_standard_input(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(
        args=["user", "create", "Dora@example.com", "--role", "marketer", "--password-stdin"], input=f"{PASSWORD}\n"
    )
    assert result.exit_code == 0, result.output
    form = {"email": "dora@example.com", "password": PASSWORD}
    assert app.test_client().post("/login", data=form).status_code == 303


def test_password_may_be_typed_on_the_terminal(app: Flask, runner: FlaskCliRunner) -> None:
    arguments = ["user", "create", "dora@example.com", "--role", "viewer", "--name", "Dora"]
    result = runner.invoke(args=arguments, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output


def test_weak_password_is_the_operators_own_decision(runner: FlaskCliRunner) -> None:
    arguments = ["user", "create", "dora@example.com", "--role", "viewer", "--password-stdin"]
    result = runner.invoke(args=arguments, input="pw\n")
    assert result.exit_code == 0
    assert "Warning" in result.stderr


@pytest.mark.parametrize("password", ["", "x" * 257])
def test_impossible_password_is_refused(runner: FlaskCliRunner, password: str) -> None:
    arguments = ["user", "create", "dora@example.com", "--role", "viewer", "--password-stdin"]
    assert runner.invoke(args=arguments, input=f"{password}\n").exit_code != 0


def test_same_address_and_no_address_are_refused_in_one_line(runner: FlaskCliRunner, bob: int) -> None:
    for email, said in (("BOB@example.com", "already"), ("bob", "not an e-mail address")):
        result = runner.invoke(
            args=["user", "create", email, "--role", "admin", "--password-stdin"], input=f"{PASSWORD}\n"
        )
        assert result.exit_code == 1
        assert said in result.stderr
        assert "Traceback" not in result.stderr


def test_unknown_role_is_refused(runner: FlaskCliRunner) -> None:
    arguments = ["user", "create", "dora@example.com", "--role", "owner", "--password-stdin"]
    assert runner.invoke(args=arguments, input=f"{PASSWORD}\n").exit_code == 2


def test_first_admin_is_printed_once(app: Flask, runner: FlaskCliRunner) -> None:
    first = runner.invoke(args=["user", "ensure-admin"])
    found = re.search(r"First admin: (\S+)\nPassword: +(\S+)\n", first.stdout)
    assert found is not None
    form = {"email": found[1], "password": found[2]}
    assert found[1] == "admin@localhost"
    assert app.test_client().post("/login", data=form).status_code == 303
    assert runner.invoke(args=["user", "ensure-admin"]).stdout == ""


def test_first_admins_address_comes_from_the_settings(make_app: Callable[..., Flask]) -> None:
    runner = make_app(admin_email="ops@example.com").test_cli_runner()
    assert "ops@example.com" in runner.invoke(args=["user", "ensure-admin"]).stdout


def test_users_are_listed(runner: FlaskCliRunner, alice: int, bob: int) -> None:
    lines = runner.invoke(args=["user", "list"]).stdout.splitlines()
    assert [line.split("\t")[:3] for line in lines] == [
        ["alice@example.com", "admin", "active"],
        ["bob@example.com", "marketer", "active"],
    ]


def test_user_is_disabled_and_enabled(runner: FlaskCliRunner, session: Session, alice: int, bob: int) -> None:
    assert runner.invoke(args=["user", "disable", "bob@example.com"]).exit_code == 0
    assert not session.get_one(User, bob).is_active
    session.rollback()
    assert runner.invoke(args=["user", "enable", "bob@example.com"]).exit_code == 0
    assert session.get_one(User, bob).is_active
    assert runner.invoke(args=["user", "disable", "alice@example.com"]).exit_code == 1
    assert runner.invoke(args=["user", "disable", "nobody@example.com"]).exit_code == 1


def test_forgotten_password_is_set_from_the_command_line(app: Flask, runner: FlaskCliRunner, bob: int) -> None:
    arguments = ["user", "password", "bob@example.com", "--password-stdin"]
    assert runner.invoke(args=arguments, input="another horse battery\n").exit_code == 0
    form = {"email": "bob@example.com", "password": "another horse battery"}
    assert app.test_client().post("/login", data=form).status_code == 303


def test_token_is_printed_alone(runner: FlaskCliRunner, session: Session, bob: int) -> None:
    result = runner.invoke(args=["token", "create", "bob@example.com", "--name", "nightly export"])
    assert re.fullmatch(r"hz_[\w-]{43}\n", result.stdout)
    row = session.scalars(sa.select(ApiToken)).one()
    assert (row.user_id, row.name, row.scopes) == (bob, "nightly export", ["read", "write", "visitors"])
    assert row.expires_at is None


def test_token_may_be_narrow_and_short_lived(runner: FlaskCliRunner, session: Session, bob: int) -> None:
    arguments = ["token", "create", "bob@example.com", "--name", "x", "--scope", "read", "--days", "7"]
    assert runner.invoke(args=arguments).exit_code == 0
    row = session.scalars(sa.select(ApiToken)).one()
    assert row.scopes == ["read"]
    assert row.expires_at is not None


def test_token_for_nobody_or_for_a_disabled_user_is_refused(runner: FlaskCliRunner, alice: int, bob: int) -> None:
    runner.invoke(args=["user", "disable", "bob@example.com"])
    for email in ("nobody@example.com", "bob@example.com"):
        result = runner.invoke(args=["token", "create", email, "--name", "x"])
        assert result.exit_code == 1
        assert result.stdout == ""


def test_tokens_are_listed_by_their_beginning_and_revoked(runner: FlaskCliRunner, bob: int) -> None:
    token = runner.invoke(args=["token", "create", "bob@example.com", "--name", "shop"]).stdout.strip()
    (line,) = runner.invoke(args=["token", "list", "bob@example.com"]).stdout.splitlines()
    number, beginning, name = line.split("\t")[:3]
    assert token.startswith(beginning.rstrip("…"))
    assert token not in line
    assert name == "shop"
    assert runner.invoke(args=["token", "revoke", number]).exit_code == 0
    assert runner.invoke(args=["token", "list", "bob@example.com"]).stdout == ""
    assert runner.invoke(args=["token", "revoke", number]).exit_code == 1


def test_command_line_is_named_in_the_audit_log(runner: FlaskCliRunner, session: Session, alice: int, bob: int) -> None:
    runner.invoke(args=["user", "disable", "bob@example.com"])
    assert session.scalars(sa.select(AuditEntry.actor)).all() == ["command line"]
