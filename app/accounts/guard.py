"""Who is asking, and may they?

Every page and every API call learns its user here and nowhere else: from the browser's session or from a bearer token,
never from both. Roles: an admin may everything, a marketer works on their own, a viewer looks at everything and changes
nothing. Leaves to each feature which of its rows belong to whom (`visible_to` makes the condition).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import flask_login
import sqlalchemy as sa
from flask import Blueprint, Flask, Response, flash, g, make_response, redirect, request, session, url_for
from flask_babel import gettext
from flask_login import LoginManager
from sqlalchemy.exc import DBAPIError
from werkzeug.local import LocalProxy

from app.accounts import sessions, tokens
from app.accounts.models import SCOPES, User
from app.db import db
from app.db.audit import Actor
from app.web import settings
from app.web.client_ip import client_address
from app.web.csrf import SAFE_METHODS
from app.web.errors import Problem, wants_json
from app.web.partial import wants_partial

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Account:
    """The user behind this request, read once; stays readable whatever happens to the SQL session meanwhile."""

    id: int
    email: str
    name: str
    role: str
    language: str
    session_id: int | None = None
    token_name: str | None = None
    scopes: frozenset[str] = frozenset(SCOPES)
    secret: str = field(default="", repr=False)

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login keeps in the cookie: the session's token, not the user's number."""
        return self.secret

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def can_write(self) -> bool:
        return self.role != "viewer"

    @property
    def sees_all(self) -> bool:
        return self.role in ("admin", "viewer")


def _asking() -> Account | None:
    account: Account | None = g.get("api_account") or flask_login.current_user._get_current_object()
    return account


# The logged-in user or the token's, for use behind a guard; where there may be nobody, ask `is_logged_in` first.
current_user = cast(Account, LocalProxy(_asking))


def is_logged_in() -> bool:
    return _asking() is not None


def init_app(app: Flask) -> None:
    app.config["PERMANENT_SESSION_LIFETIME"] = sessions.REMEMBERED_FOR
    # Renewed with the session row, not by every answer: an image that may be kept for a year must not carry a cookie.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    logins = LoginManager()
    logins.session_protection = None  # it compares addresses, and a phone changes its own all day
    logins.anonymous_user = _nobody
    logins.user_loader(_from_session)
    logins.unauthorized_handler(ask_to_log_in)
    # The extension's own context processor asks SQL for every page, the page that says "SQL is down" included.
    logins.init_app(app, add_context_processor=False)
    app.context_processor(lambda: {"current_user": current_user})


def _nobody() -> None:
    return None


def _from_session(token: str) -> Account | None:
    now = datetime.now(UTC)
    row = sessions.find(db.session, token, now)
    if row is None:
        return None
    account = _account(row.user, session_id=row.id, secret=token)
    if sessions.is_due_for_touch(row, now):
        _touch(lambda: sessions.touch(db.session, row.id, account.id, now))
        session.modified = True  # the cookie's own month begins anew, too
    return account


def _account(user: User, **more: Any) -> Account:
    return Account(user.id, user.email, user.name, user.role, user.language, **more)


def _touch(write: Callable[[], None]) -> None:
    """A busy database must not keep anybody out for the sake of a "last seen"."""
    try:
        write()
    except DBAPIError:
        db.session.rollback()


def enter(token: str, *, remember: bool) -> None:
    """Puts a session just opened into this browser's cookie. Nothing of what was there before survives, the CSRF token
    included: whoever planted it must not share the log-in."""
    session.clear()
    account = _from_session(token)
    if account is None:
        raise RuntimeError("a session that was just opened is not there")
    flask_login.login_user(account)
    session.permanent = remember


def leave() -> None:
    """Logs this browser out."""
    if current_user.session_id is not None:
        sessions.end(db.session, current_user.session_id)
    flask_login.logout_user()
    session.clear()


def browser() -> sessions.Browser:
    address = client_address(
        request.remote_addr or "", request.headers.get("X-Forwarded-For"), settings().trusted_proxies
    )
    return sessions.Browser(str(address or ""), request.headers.get("User-Agent", ""), g.get("request_id"))


def user_language() -> str | None:
    """The logged-in reader's own language. Never asks SQL by itself, so that an error page can be drawn without it."""
    found = g.get("api_account") or g.get("_login_user")
    return found.language if isinstance(found, Account) else None


def actor() -> Actor:
    """Who the audit log names for what this request changes."""
    request_id = g.get("request_id")
    if not is_logged_in():
        return Actor("nobody", None, request_id)
    name = f"{current_user.email} ({current_user.token_name})" if current_user.token_name else current_user.email
    return Actor(name, current_user.id, request_id)


def visible_to(account: Account, owner: sa.ColumnElement[int] | Any) -> sa.ColumnElement[bool]:
    """The condition that keeps a marketer to rows of their own; `owner` is the column with the owning user's id."""
    return sa.true() if account.sees_all else cast(sa.ColumnElement[bool], owner == account.id)


def login_required(view: Callable[P, R]) -> Callable[P, R | Response]:
    """For one page: any user, a viewer too."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        return view(*args, **kwargs) if is_logged_in() else ask_to_log_in()

    return guarded


def role_required(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """For one page: a user of one of these roles; others get 403."""

    def decorate(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            if not is_logged_in():
                return ask_to_log_in()
            if current_user.role not in roles:
                raise _not_for_you()
            return view(*args, **kwargs)

        return guarded

    return decorate


def protect_pages(blueprint: Blueprint, reads: Collection[str] = ()) -> None:
    """Every page of this blueprint wants a login, and whatever is not GET or HEAD wants somebody who may write. `reads`
    names views that are posted to and yet change nothing (a simulator)."""

    @blueprint.before_request
    def guard_page() -> Response | None:
        if not is_logged_in():
            return ask_to_log_in()
        if _changes_something(blueprint, reads) and not current_user.can_write:
            raise _read_only()
        return None


def protect_api(blueprint: Blueprint, reads: Collection[str] = (), scope: str | None = None) -> None:
    """Every call to this blueprint wants a living bearer token: 401 without one. Reading wants the scope `read`,
    changing `write` and a user who may; `scope` is wanted besides."""

    @blueprint.before_request
    def guard_call() -> None:
        g.api_account = account = _from_bearer()
        changes = _changes_something(blueprint, reads)
        for wanted in ("write" if changes else "read", scope):
            if wanted and wanted not in account.scopes:
                message = gettext("This token lacks the scope %(scope)s.", scope=wanted)
                raise Problem(403, "scope_missing", message)
        if changes and not account.can_write:
            raise _read_only()


def _from_bearer() -> Account:
    now = datetime.now(UTC)
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    row = tokens.find(db.session, token.strip(), now) if kind.lower() == "bearer" and token.strip() else None
    if row is None:
        problem = Problem(401, "not_logged_in", gettext("Send a valid API token: Authorization: Bearer <token>."))
        problem.headers["WWW-Authenticate"] = 'Bearer realm="huozi"'
        raise problem
    account = _account(row.user, token_name=row.name, scopes=frozenset(row.scopes))
    if tokens.is_due_for_touch(row, now):
        _touch(lambda: tokens.touch(db.session, row.id, now))
    return account


def _changes_something(blueprint: Blueprint, reads: Collection[str]) -> bool:
    view = (request.endpoint or "").removeprefix(f"{blueprint.name}.")
    return request.method not in SAFE_METHODS and view not in reads


def _not_for_you() -> Problem:
    return Problem(403, "forbidden", gettext("You may not do this. Ask an administrator if you need to."))


def _read_only() -> Problem:
    return Problem(403, "read_only", gettext("Your account may look at everything but change nothing."))


def ask_to_log_in() -> Response:
    """To the log-in page and afterwards back here: a redirect for people, a header for htmx, 401 for programs."""
    if wants_json():
        raise Problem(401, "not_logged_in", gettext("Log in first, or send a valid API token."))
    wanted = _page_being_read()
    login = url_for("accounts.login", next=wanted) if wanted not in ("", "/") else url_for("accounts.login")
    if wants_partial():
        response = make_response("", 401)
        response.headers["HX-Redirect"] = login
        return response
    if request.method not in SAFE_METHODS:
        flash(gettext("You were logged out in the meantime. Log in and send the form again."), "warning")
    return cast(Response, redirect(login, code=303))


def _page_being_read() -> str:
    """The path of the page in front of the user, which for a form or an htmx call is not the address being called."""
    if request.method in SAFE_METHODS and not wants_partial():
        return request.full_path.rstrip("?")
    page = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    if page.netloc != request.host:
        return ""
    return page.path + (f"?{page.query}" if page.query else "")


def safe_next(target: str | None) -> str | None:
    """`target` if it is a path on this very host, else None: never a way to send somebody to another site."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return None
    if any(ord(mark) < 32 or ord(mark) == 127 for mark in target) or len(target) > 2000:
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None
