"""What administrators see of the others: users and their roles, invitations, the audit log."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import audit_log, forms, guard, store
from app.accounts.guard import current_user
from app.db import db
from app.db.audit import AuditEntry
from app.web import settings
from app.web.csv_file import csv_file
from app.web.i18n import language
from app.web.paging import read_page

Answer = str | AnyResponse | tuple[str, int]
ValueWords = Callable[[str, Any, tzinfo, str], str | None]

WORDS = "huozi.audit_words"

# What the audit log calls what is done to accounts, and what things are called in it; other features' words for what is
# done to theirs come from the wiring.
ACTIONS: Mapping[str, Any] = {
    "session.began": lazy_gettext("Logged in"),
    "session.revoked": lazy_gettext("Device logged out"),
    "token.created": lazy_gettext("Token made"),
    "token.revoked": lazy_gettext("Token revoked"),
    "invitation.created": lazy_gettext("Invited"),
    "invitation.withdrawn": lazy_gettext("Invitation withdrawn"),
    "invitation.accepted": lazy_gettext("Invitation accepted"),
    "user.created": lazy_gettext("User made"),
    "user.changed": lazy_gettext("User changed"),
    "user.disabled": lazy_gettext("User switched off"),
    "user.enabled": lazy_gettext("User switched on"),
    "user.password_changed": lazy_gettext("Password changed"),
    "user.password_link_made": lazy_gettext("Password link made"),
    "user.logged_out_everywhere": lazy_gettext("Logged out everywhere"),
}
OBJECTS: Mapping[str, Any] = {
    "live_code": lazy_gettext("live code"),
    "member": lazy_gettext("member code"),
    "choice": lazy_gettext("choice"),
    "host": lazy_gettext("address"),
    "visitor": lazy_gettext("visitor"),
    "user": lazy_gettext("user"),
    "session": lazy_gettext("device"),
    "token": lazy_gettext("token"),
    "invitation": lazy_gettext("invitation"),
    "placement": lazy_gettext("placement"),
    "spend": lazy_gettext("spend"),
    "segment": lazy_gettext("segment"),
    "tag_rule": lazy_gettext("tag rule"),
    "visitor_task": lazy_gettext("export"),
    "people_setting": lazy_gettext("setting"),
    "alert_channel": lazy_gettext("way of being told"),
    "webhook": lazy_gettext("webhook"),
}
# Where a thing may be looked at.
PAGES: Mapping[str, str] = {"live_code": "/codes/%d", "member": "/members/%d", "visitor": "/visitors/%d"}
FIELDS: Mapping[str, Any] = {
    "device": lazy_gettext("Device"),
    "network": lazy_gettext("Network"),
    "email": lazy_gettext("E-mail"),
    "name": lazy_gettext("Name"),
    "role": lazy_gettext("Role"),
    "language": lazy_gettext("Language"),
    "is_active": lazy_gettext("May log in"),
    "scopes": lazy_gettext("May do"),
    "prefix": lazy_gettext("Begins with"),
    "expires_at": lazy_gettext("Works until"),
    "user_id": lazy_gettext("User"),
    "member_id": lazy_gettext("Number of the member code"),
    "live_code_id": lazy_gettext("Number of the live code"),
    "choice_id": lazy_gettext("Number of the choice"),
    "position": lazy_gettext("Place in the order"),
    "kind": lazy_gettext("Kind of code"),
}

blueprint = Blueprint("admin", __name__)


def init_app(
    app: Flask,
    actions: Mapping[str, Any],
    fields: Mapping[str, Any],
    value_words: ValueWords,
    special: Mapping[str, Callable[[str, Any], str | None]],
) -> None:
    """What other features call what is done to their things, the things' fields and the fields' values, by the audit
    log's names. A field that means something else in one kind of entry is named with the first word of its action,
    such as `webhook.is_active`; `special`: such entries' values, by that word."""
    app.extensions[WORDS] = ({**actions, **ACTIONS}, {**fields, **FIELDS}, value_words, special)


def _action_name(action: str) -> str:
    return str(current_app.extensions[WORDS][0].get(action, action))


def _differences(entry: AuditEntry) -> list[tuple[str, str, str, str]]:
    """(what it is called, before, after, its name in the log) of each field."""
    kind = entry.action.partition(".")[0]
    fields = current_app.extensions[WORDS][1]
    rows = audit_log.differences(entry, partial(_value_words, kind))
    return [
        (str(fields.get(f"{kind}.{name}", fields.get(name, name))), before, after, name) for name, before, after in rows
    ]


def _value_words(kind: str, name: str, value: Any) -> str | None:
    """None where a value says best itself what it is."""
    if name == "role" and value in forms.ROLE_NAMES:
        return str(forms.ROLE_NAMES[value])
    if name == "scopes" and isinstance(value, list):
        return str(gettext(", ")).join(str(forms.SCOPE_NAMES.get(scope, scope)) for scope in value)
    _, _, value_words, special = current_app.extensions[WORDS]
    words: str | None = special[kind](name, value) if kind in special else None
    return words if words is not None else value_words(name, value, settings().zone, language())


@blueprint.before_request
@guard.role_required("admin")
def _for_admins() -> None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


def _users_page(form: forms.Invite, link: str | None = None, link_for: str = "") -> str:
    return render_template(
        "accounts/users.html",
        form=form,
        users=store.everybody(db.session),
        invitations=store.open_invitations(db.session, _now()),
        role_names=forms.ROLE_NAMES,
        link=link,
        link_for=link_for,
    )


def _with_link(token: str, email: str) -> Response:
    """The page that shows a link, which is a key: this once, and kept by no cache."""
    link = settings().public_url + url_for("accounts.invitation", invitation_token=token)
    response = make_response(_users_page(forms.Invite(formdata=None), link, email))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/users")
def users() -> Answer:
    return _users_page(forms.Invite())


@blueprint.post("/users")
def invite() -> Answer:
    form = forms.Invite()
    if form.validate():
        found = store.invite(db.session, guard.actor(), current_user.id, form.email.data, form.role.data, _now())
        if isinstance(found, str):
            return _with_link(found, form.email.data)
        form.email.errors = [gettext("Somebody with this address has an account already.")]
    return _users_page(form), 422


@blueprint.post("/users/<int:user_id>")
def change(user_id: int) -> Answer:
    form = forms.ChangeUser()
    if not form.validate():
        abort(422)
    return _changed(user_id, role=form.role.data)


@blueprint.post("/users/<int:user_id>/disable")
def disable(user_id: int) -> Answer:
    return _changed(user_id, is_active=False)


@blueprint.post("/users/<int:user_id>/enable")
def enable(user_id: int) -> Answer:
    return _changed(user_id, is_active=True)


def _changed(user_id: int, **changes: Any) -> AnyResponse:
    found = store.change_user(db.session, guard.actor(), user_id, **changes)
    match found:
        case store.Refusal("last_admin"):
            flash(gettext("This is the last administrator. Make somebody else one first."), "danger")
        case store.Refusal():
            abort(404)
        case _:
            flash(gettext("%(email)s was changed.", email=found.email), "success")
    return redirect(url_for("admin.users"), code=303)


@blueprint.post("/users/<int:user_id>/password-link")
def password_link(user_id: int) -> Answer:
    found = store.make_password_link(db.session, guard.actor(), current_user.id, user_id, _now())
    user = store.find(db.session, user_id)
    if isinstance(found, store.Refusal) or user is None:
        abort(404)
    return _with_link(found, user.email)


@blueprint.post("/invitations/<int:invitation_id>/withdraw")
def withdraw(invitation_id: int) -> Answer:
    if not store.withdraw_invitation(db.session, guard.actor(), invitation_id, _now()):
        abort(404)
    flash(gettext("The invitation no longer works."), "success")
    return redirect(url_for("admin.users"), code=303)


@blueprint.get("/audit")
def audit() -> Answer:
    wanted, page = _wanted(), read_page(request.args)
    total = audit_log.count(db.session, wanted)
    entries = audit_log.entries(db.session, wanted, page.limit, page.offset)
    return render_template(
        "accounts/audit.html",
        entries=entries,
        names=audit_log.names(db.session, entries),
        pages=PAGES,
        actions=[(action, _action_name(action)) for action in audit_log.actions(db.session)],
        action_name=_action_name,
        object_names=OBJECTS,
        csv_url=f"{url_for('admin.audit_csv')}?{urlencode(request.args.to_dict())}",
        differences=_differences,
        page=page,
        total=total,
    )


@blueprint.get("/audit.csv")
def audit_csv() -> Response:
    return csv_file(_lines(_wanted()), f"huozi-audit-{_now():%Y%m%d}.csv")


def _wanted() -> audit_log.Wanted:
    zone = settings().zone
    since, until = _date("since"), _date("until")
    return audit_log.Wanted(
        actor=request.args.get("actor", "").strip()[:100],
        action=request.args.get("action", "").strip()[:60],
        since=datetime(since.year, since.month, since.day, tzinfo=zone) if since else None,
        until=datetime(until.year, until.month, until.day, tzinfo=zone) + timedelta(days=1) if until else None,
        object_type=request.args.get("object_type", "").strip()[:30],
        object_id=request.args.get("object_id", type=int),
    )


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _lines(wanted: audit_log.Wanted) -> Iterator[tuple[Any, ...]]:
    yield ("at", "actor", "action", "object_type", "object_id", "before", "after", "request_id")
    for entry in audit_log.every(db.session, wanted):
        yield _cells(entry)


def _cells(entry: AuditEntry) -> tuple[Any, ...]:
    before, after = (json.dumps(side, ensure_ascii=False) if side else "" for side in (entry.before, entry.after))
    at = entry.at.astimezone(settings().zone).isoformat(timespec="seconds")
    return at, entry.actor, entry.action, entry.object_type, entry.object_id, before, after, entry.request_id
