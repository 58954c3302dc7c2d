"""`flask --app wsgi user …` and `token …`: accounts from the command line, for the first start and for scripts."""

import sys
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.accounts import credentials, store, tokens
from app.accounts.models import LANGUAGES, ROLES, SCOPES, User
from app.db import db
from app.db.audit import COMMAND_LINE
from app.settings import Settings

WEAK_PASSWORD = "Warning: the panel itself would refuse this password; it is short, or guessed first."
REFUSALS = {
    "bad_email": "This is not an e-mail address.",
    "email_taken": "There is a user with this e-mail address already.",
    "last_admin": "This is the last active admin; make another one first.",
    "not_found": "There is no such user.",
    "wrong_password": "The password is wrong.",
}

user = AppGroup("user", help="Panel users.")
token = AppGroup("token", help="API tokens.")

_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input (else it is asked for)."
)


def register(app: Flask) -> None:
    app.cli.add_command(user)
    app.cli.add_command(token)


@user.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--name", default="", help="What the panel calls them (default: the e-mail's first part).")
@click.option("--language", type=click.Choice(LANGUAGES), help="Default: HUOZI_LANGUAGE.")
@_password_option
def create_user(email: str, role: str, name: str, language: str | None, password_stdin: bool) -> None:
    """Make a panel user."""
    password = _read_password(email, password_stdin)
    settings: Settings = current_app.config["HUOZI"]
    language = language or settings.language
    made = store.create_user(db.session, COMMAND_LINE, email, password, role, name=name, language=language)
    if isinstance(made, store.Refusal):
        _refuse(REFUSALS[made.why])
    click.echo(f"{made.role} {made.email} was created.")


@user.command("ensure-admin")
@click.option("--email", help="Default: HUOZI_ADMIN_EMAIL.")
def ensure_admin(email: str | None) -> None:
    """Make a first admin with a random password, printed once. Does nothing where there is one."""
    settings: Settings = current_app.config["HUOZI"]
    made = store.ensure_admin(db.session, email or settings.admin_email, language=settings.language)
    if isinstance(made, store.Refusal):
        _refuse(REFUSALS[made.why])
    if made is not None:
        admin, password = made
        click.echo(f"First admin: {admin.email}\nPassword:    {password}\n(shown this once; change it in the panel)")


@user.command("list")
def list_users() -> None:
    """All users."""
    for row in store.everybody(db.session):
        seen = f"{row.last_seen_at:%Y-%m-%d}" if row.last_seen_at else "never"
        click.echo(f"{row.email}\t{row.role}\t{'active' if row.is_active else 'disabled'}\tlast seen {seen}")


@user.command("password")
@click.argument("email")
@_password_option
def change_password(email: str, password_stdin: bool) -> None:
    """Set a user's password and log them out everywhere."""
    found = _user(email)
    user_id, password = found.id, _read_password(found.email, password_stdin)
    store.set_password(db.session, COMMAND_LINE, user_id, password)
    click.echo("The password was changed.")


@user.command("disable")
@click.argument("email")
def disable_user(email: str) -> None:
    """Log a user out everywhere and keep them out; what they made stays."""
    _change(email, False)


@user.command("enable")
@click.argument("email")
def enable_user(email: str) -> None:
    """Let a disabled user in again."""
    _change(email, True)


@token.command("create")
@click.argument("email")
@click.option("--name", required=True, help="What the token is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="May be repeated (default: all).")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it works (default: until it is revoked).")
def create_token(email: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Print a new API token, alone on standard output."""
    now = datetime.now(UTC)
    found = _user(email)
    if not found.is_active:
        _refuse("This user is disabled.")
    expires_at = now + timedelta(days=days) if days else None
    made = tokens.create(
        db.session, COMMAND_LINE, found.id, name[:60], now=now, scopes=scopes or SCOPES, expires_at=expires_at
    )
    click.echo(made)


@token.command("list")
@click.argument("email")
def list_tokens(email: str) -> None:
    """A user's tokens: number, beginning, name, scopes, last use."""
    for row in tokens.of_user(db.session, _user(email).id):
        used = f"{row.last_used_at:%Y-%m-%d}" if row.last_used_at else "never"
        click.echo(f"{row.id}\t{row.prefix}…\t{row.name}\t{','.join(row.scopes)}\tlast used {used}")


@token.command("revoke")
@click.argument("token_id", type=int)
def revoke_token(token_id: int) -> None:
    """End a token, by its number in `token list`."""
    if not tokens.revoke(db.session, COMMAND_LINE, token_id, now=datetime.now(UTC)):
        _refuse("There is no such token.")
    click.echo("The token no longer works.")


def _user(email: str) -> User:
    found = store.find_by_email(db.session, email)
    if found is None:
        _refuse(REFUSALS["not_found"])
    return found


def _change(email: str, is_active: bool) -> None:
    changed = store.change_user(db.session, COMMAND_LINE, _user(email).id, is_active=is_active)
    if isinstance(changed, store.Refusal):
        _refuse(REFUSALS[changed.why])
    click.echo(f"{changed.email} is {'active' if changed.is_active else 'disabled'}.")


def _read_password(email: str, from_stdin: bool) -> str:
    """Standard input's first line, without the line's end, or what is typed twice on the terminal. A weak one is the
    operator's own decision."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    problem = credentials.password_problem(password, email)
    if not password or problem == "too_long":
        _refuse(f"The password must have 1 to {credentials.LONGEST_PASSWORD} characters.")
    if problem:
        click.echo(WEAK_PASSWORD, err=True)
    return password


def _refuse(why: str) -> NoReturn:
    raise click.ClickException(why)
