"""The door and one's own account: log in and out, accept an invitation, name, password, devices, tokens.

Decides what is said; who is let in is `sessions`' business. What administrators see is in `admin_pages`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import forms, guard, sessions, shell, store, tokens
from app.accounts.guard import current_user, login_required
from app.db import db
from app.web import settings
from app.web.i18n import COOKIE as LANGUAGE_COOKIE
from app.web.i18n import COOKIE_SECONDS as LANGUAGE_COOKIE_SECONDS
from app.web.i18n import language

Answer = str | AnyResponse | tuple[str, int]

blueprint = Blueprint("accounts", __name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _to(endpoint: str, **arguments: Any) -> AnyResponse:
    return redirect(url_for(endpoint, **arguments), code=303)


def _private(page: str) -> Response:
    """A page with a secret on it: shown once, kept by nobody."""
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/")
def front() -> Answer:
    """The bare address leads to the panel: to its first room, or to the door."""
    return redirect(shell.home_url() if guard.is_logged_in() else url_for("accounts.login"), code=302)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> Answer:
    wanted = guard.safe_next(request.args.get("next"))
    if guard.is_logged_in():
        return redirect(wanted or shell.home_url(), code=303)
    form = forms.LogIn()
    if not form.validate_on_submit():
        return render_template("accounts/login.html", form=form), 422 if form.is_submitted() else 200
    found = sessions.log_in(
        db.session,
        settings().secret_key,
        form.email.data.lower(),
        form.password.data,
        remember=form.remember.data,
        browser=guard.browser(),
        now=_now(),
    )
    if isinstance(found, sessions.Refused):
        return _refused(form, found)
    guard.enter(found.token, remember=form.remember.data)
    return redirect(wanted or shell.home_url(), code=303)


def _refused(form: forms.LogIn, refused: sessions.Refused) -> Response:
    if refused.wait is None:
        wrong, status = gettext("E-mail or password is not right."), 422
    else:
        wrong, status = gettext("Too many attempts. Try again in %(wait)s.", wait=_in_words(refused.wait)), 429
    response = make_response(render_template("accounts/login.html", form=form, wrong=wrong), status)
    if refused.wait is not None:
        response.headers["Retry-After"] = str(int(refused.wait.total_seconds()) + 1)
    return response


def _in_words(wait: timedelta) -> str:
    seconds = int(wait.total_seconds()) + 1
    if seconds < 60:
        return str(ngettext("%(num)s second", "%(num)s seconds", seconds))
    return str(ngettext("%(num)s minute", "%(num)s minutes", -(-seconds // 60)))


@blueprint.post("/logout")
def logout() -> Answer:
    if guard.is_logged_in():
        guard.leave()
    return _to("accounts.login")


@blueprint.route("/invitation/<invitation_token>", methods=["GET", "POST"])
def invitation(invitation_token: str) -> Answer:
    found = store.find_invitation(db.session, invitation_token, _now())
    if found is None:
        return render_template("accounts/invitation_gone.html"), 404
    form = forms.SetPassword(found.email) if found.user_id else forms.AcceptInvitation(found.email)
    if not form.validate_on_submit():
        page = render_template("accounts/invitation.html", form=form, invitation=found)
        return page, 422 if form.is_submitted() else 200
    token = store.accept_invitation(
        db.session,
        invitation_token,
        form.password.data,
        now=_now(),
        browser=guard.browser(),
        name="" if found.user_id else form.name.data,
        language=language(),
    )
    if isinstance(token, store.Refusal):
        return render_template("accounts/invitation_gone.html"), 404
    guard.enter(token, remember=True)
    flash(gettext("Welcome. You are logged in on this device for 30 days."), "success")
    return redirect(shell.home_url(), code=303)


@blueprint.route("/account", methods=["GET", "POST"])
@login_required
def account() -> Answer:
    form = forms.Profile(name=current_user.name, language=current_user.language)
    if not form.validate_on_submit():
        role_name = forms.ROLE_NAMES[current_user.role]
        page = render_template("accounts/account.html", form=form, role_name=role_name)
        return page, 422 if form.is_submitted() else 200
    changes = {"name": form.name.data, "language": form.language.data}
    store.change_user(db.session, guard.actor(), current_user.id, **changes)
    flash(gettext("Saved."), "success")
    response = _to("accounts.account")
    response.set_cookie(
        LANGUAGE_COOKIE,
        form.language.data,
        max_age=LANGUAGE_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


@blueprint.route("/account/password", methods=["GET", "POST"])
@login_required
def password() -> Answer:
    form = forms.ChangePassword(current_user.email)
    if form.validate_on_submit():
        token = store.change_own_password(
            db.session,
            settings().secret_key,
            current_user.id,
            form.current.data,
            form.password.data,
            browser=guard.browser(),
            now=_now(),
        )
        if not isinstance(token, store.Refusal):
            guard.enter(token, remember=True)
            flash(gettext("Password changed. Every other device was logged out."), "success")
            return _to("accounts.password")
        form.current.errors = [gettext("This is not your current password, or it was wrong too often just now.")]
    return render_template("accounts/password.html", form=form), 422 if form.is_submitted() else 200


@blueprint.get("/account/devices")
@login_required
def devices() -> Answer:
    rows = sessions.of_user(db.session, current_user.id, _now())
    return render_template("accounts/devices.html", sessions=rows, this_session_id=current_user.session_id)


@blueprint.post("/account/devices/<int:session_id>/revoke")
@login_required
def revoke_device(session_id: int) -> Answer:
    if not sessions.revoke(db.session, guard.actor(), current_user.id, session_id):
        abort(404)
    flash(gettext("That device was logged out."), "success")
    return _to("accounts.devices")


@blueprint.post("/account/devices/revoke-all")
@login_required
def revoke_all_devices() -> Answer:
    store.log_out_everywhere(db.session, guard.actor(), current_user.id)
    return _to("accounts.login")


@blueprint.route("/account/tokens", methods=["GET", "POST"])
@login_required
def api_tokens() -> Answer:
    form, token = forms.NewToken(), None
    if form.validate_on_submit():
        days = int(form.lifetime.data)
        token = tokens.create(
            db.session,
            guard.actor(),
            current_user.id,
            form.name.data,
            now=_now(),
            scopes=form.scopes.data,
            expires_at=_now() + timedelta(days=days) if days else None,
        )
        form = forms.NewToken(formdata=None)
    rows = tokens.of_user(db.session, current_user.id)
    page = render_template(
        "accounts/tokens.html", form=form, tokens=rows, fresh=token, now=_now(), scope_names=forms.SCOPE_NAMES
    )
    return _private(page) if token else (page, 422 if form.is_submitted() else 200)


@blueprint.post("/account/tokens/<int:token_id>/revoke")
@login_required
def revoke_token(token_id: int) -> Answer:
    if not tokens.revoke(db.session, guard.actor(), token_id, now=_now(), user_id=current_user.id):
        abort(404)
    flash(gettext("The token no longer works."), "success")
    return _to("accounts.api_tokens")


@blueprint.post("/appearance")
def appearance() -> Answer:
    """Light, dark or as the device wants it. For everybody, the log-in page included."""
    response = redirect(guard.safe_next(request.form.get("next")) or shell.home_url(), code=303)
    choice = request.form.get("theme", "")
    if choice in shell.THEMES:
        shell.keep_theme(response, choice)
    return response
