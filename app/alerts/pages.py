"""The panel's alert pages: what holds now, who is told how, what was sent, thresholds, swap links for owners.

A channel is its maker's own and nobody else's; alerts, thresholds and links follow the live code they belong to.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.accounts.guard import actor, current_user, protect_pages, safe_next
from app.alerts import deliveries, form_wording, forms, links, store, wording
from app.alerts.desk import DESK, Desk
from app.alerts.models import Alert, AlertChannel, Delivery, SwapLink
from app.alerts.survey import labels
from app.db import db, writing
from app.ledger import LedgerDown
from app.rules.alerting import QUEUED, SWAPPED
from app.rules.forecast import Outlook
from app.web.conflicts import Differences, differences, form_version, is_stale
from app.web.paging import read_page
from app.web.toast import say

Answer = str | Response | tuple[str, int]

blueprint = Blueprint("alerts", __name__)
protect_pages(blueprint)

DAYS = (1, 2, 3, 4, 5, 6, 7)
MOST_TOLD = 3  # alerts that the log names of one message


def desk() -> Desk:
    return cast(Desk, current_app.extensions[DESK])


def _seen(level: str | None = None) -> Any:
    """The query of live codes this user sees, or may change; None: all."""
    return None if current_user.sees_all else desk().seen_by(current_user.id, level=level)


@blueprint.context_processor
def words() -> dict[str, Any]:
    now, zone = desk().clock(), desk().zone
    return {
        "wording": wording,
        "moment_of": lambda at: wording.moment(at, zone),
        "clock": forms.clock,
        "can_write": current_user.can_write,
        "now": now,
    }


@blueprint.get("/alerts")
def index() -> Answer:
    """What holds now, and the channels that tell of it."""
    alerts = store.open_alerts(db.session, _seen())
    channels = store.channels_of(db.session, current_user.id)
    to_swap = len({alert.member_id for alert in alerts if alert.kind in QUEUED})
    return render_template("alerts/index.html", alerts=_shown(alerts), channels=channels, to_swap=to_swap)


def _shown(alerts: list[Alert]) -> list[dict[str, Any]]:
    now, zone = desk().clock(), desk().zone
    codes = store.names_of_codes(db.session, [alert.live_code_id for alert in alerts])
    names = labels(db.session, [alert.member_id for alert in alerts if alert.member_id is not None])
    found = []
    for alert in alerts:
        member = names.get(alert.member_id or 0, ("", ""))[0]
        code = codes.get(alert.live_code_id, "")
        line = wording.Line(alert.id, alert.kind, code, member, alert.numbers, alert.due_at, "")
        found.append(
            {"alert": alert, "line": line, "what": wording.what(line, now, zone), "swaps": alert.kind in SWAPPED}
        )
    return found


@blueprint.post("/alerts/<int:alert_id>/seen")
def seen(alert_id: int) -> Answer:
    """Somebody takes care of it."""
    with writing(db.session):
        if not store.mark_seen(db.session, actor(), alert_id, _seen("edit"), desk().clock()):
            db.session.rollback()
            abort(404)
    say(gettext("Noted: nobody is reminded of it again."))
    return _to("alerts.index")


@blueprint.get("/alerts/log")
def log() -> Answer:
    """What was sent to this user's channels, and what was not."""
    page = read_page(request.args)
    rows, total = store.deliveries_of(db.session, current_user.id, limit=page.limit, offset=page.offset)
    told = _told([row for row, _ in rows])
    return render_template("alerts/log.html", rows=rows, page=page, total=total, told=told, most=MOST_TOLD)


def _told(rows: Sequence[Delivery]) -> dict[int, list[str]]:
    """What each of these messages told of: "3群 · Code expired"."""
    alerts = store.told_alerts(db.session, {alert_id for row in rows for alert_id in row.alert_ids}, _seen())
    codes = store.names_of_codes(db.session, [alert.live_code_id for alert in alerts.values()])
    names = labels(db.session, [alert.member_id for alert in alerts.values() if alert.member_id is not None])
    return {
        row.id: [
            f"{names.get(alert.member_id or 0, ('', ''))[0] or codes.get(alert.live_code_id, '')} · "
            f"{wording.KINDS[alert.kind]}"
            for alert_id in row.alert_ids
            if (alert := alerts.get(alert_id)) is not None
        ]
        for row in rows
    }


@blueprint.route("/alerts/channels/new", methods=["GET", "POST"])
def new_channel() -> Answer:
    """Another way to be told."""
    if request.method == "GET":
        draft = AlertChannel(name="", kind="wecom", language=current_user.language, is_active=True, covers_all=False)
        draft.lowest_level, draft.quiet_from, draft.quiet_until, draft.digest_at = 1, 22 * 60, 8 * 60, 8 * 60 + 30
        return _channel_page(draft)
    return _save(None)


@blueprint.route("/alerts/channels/<int:channel_id>", methods=["GET", "POST"])
def channel(channel_id: int) -> Answer:
    """One way to be told; its address is never shown again."""
    row = _own(channel_id)
    return _channel_page(row) if request.method == "GET" else _save(row)


def _own(channel_id: int) -> AlertChannel:
    row = store.find_channel(db.session, current_user.id, channel_id)
    if row is None:
        abort(404)
    return row


def _channel_page(row: AlertChannel, errors: forms.Errors | None = None, *, theirs: Differences | None = None) -> str:
    target = deliveries.target_of(row, desk().key) if row.sealed else None
    drawn_from = form_version() if errors else None
    return render_template(
        "alerts/channel.html",
        row=row,
        version=row.version if drawn_from is None else drawn_from,
        to=target.to if target else "",
        typed=request.form,
        errors=errors or {},
        theirs=theirs,
    )


def _save(row: AlertChannel | None) -> Answer:
    stored = deliveries.target_of(row, desk().key) if row is not None else None
    channel_id = row.id if row is not None else None
    values, target, errors = forms.channel(
        request.form, desk().notifier, may_cover_all=current_user.is_admin, stored=stored
    )
    if errors:
        return _channel_page(_draft(row, values), errors), 422
    with writing(db.session) as session:
        fresh = store.lock_channel(session, current_user.id, channel_id) if channel_id is not None else None
        theirs = _theirs(fresh, values) if fresh is not None and is_stale(fresh.version) else None
        if theirs is not None:
            fresh = _draft(fresh, values)
        else:
            sealed = deliveries.sealed(target, desk().key) if target is not None else None
            if store.save_channel(session, actor(), current_user.id, channel_id, values, sealed) is None:
                abort(404)
    if fresh is not None and theirs is not None:
        return _channel_page(fresh, theirs=theirs), 409
    say(gettext("Saved. Send a test to see whether it arrives."))
    return _to("alerts.index")


def _theirs(fresh: AlertChannel, mine: dict[str, Any]) -> Differences:
    return differences(form_wording.CHANNEL_LABELS, mine, form_wording.of_channel(fresh), form_wording.words)


def _draft(row: AlertChannel | None, values: dict[str, Any]) -> AlertChannel:
    """What was typed, in a row that nobody will write."""
    if row is None:
        draft = AlertChannel()
    else:
        draft = row
        db.session.expunge(draft)
    for name, value in values.items():
        setattr(draft, name, value)
    return draft


@blueprint.post("/alerts/channels/<int:channel_id>/test")
def test(channel_id: int) -> Answer:
    """Sends a test now, and says what came of it."""
    row = _own(channel_id)
    why = deliveries.send_test(db.session, desk(), row, desk().clock())
    if why is None:
        say(gettext("Sent. Look whether it arrived."))
    else:
        say(gettext("It was not sent: %(why)s", why=wording.reason(why)), "danger")
    return _to("alerts.index")


@blueprint.post("/alerts/channels/<int:channel_id>/delete")
def delete_channel(channel_id: int) -> Answer:
    """Nobody is told this way any more; its log goes with it."""
    with writing(db.session):
        if not store.delete_channel(db.session, actor(), current_user.id, channel_id):
            abort(404)
    say(gettext("Deleted."))
    return _to("alerts.index")


@blueprint.route("/codes/<int:live_code_id>/alerts", methods=["GET", "POST"])
def rule(live_code_id: int) -> Answer:
    """When somebody is told about this live code."""
    name = store.live_code_name(db.session, live_code_id, _seen("edit" if request.method == "POST" else None))
    if name is None:
        abort(404)
    if request.method == "GET":
        return _rule_page(live_code_id, name, form_wording.of_rule(store.rule_of(db.session, live_code_id)))
    values, errors = forms.rule(request.form)
    if errors:
        return _rule_page(live_code_id, name, values, errors), 422
    with writing(db.session) as session:
        row = store.lock_rule(session, live_code_id)
        fresh = form_wording.of_rule(row)
        if not is_stale(fresh["version"]):
            store.save_rule(session, actor(), live_code_id, values)
            fresh = {}
    if fresh:
        theirs = differences(form_wording.RULE_LABELS, values, fresh, form_wording.words)
        return _rule_page(live_code_id, name, values | {"version": fresh["version"]}, theirs=theirs), 409
    say(gettext("Saved."))
    return _to("alerts.rule", live_code_id=live_code_id)


def _rule_page(
    live_code_id: int,
    name: str,
    limits: Mapping[str, Any],
    errors: forms.Errors | None = None,
    *,
    theirs: Differences | None = None,
) -> str:
    expected, groups = _expected(live_code_id)
    return render_template(
        "alerts/rule.html",
        expected=expected,
        groups=groups,
        live_code_id=live_code_id,
        name=name,
        limits=limits,
        version=limits.get("version", form_version()),
        typed=request.form,
        errors=errors or {},
        theirs=theirs,
        days=DAYS,
    )


def _expected(live_code_id: int) -> tuple[Outlook | None, list[dict[str, Any]]]:
    """The outlook, and each member's part in it; nothing while the ledger does not answer."""
    now = desk().clock()
    try:
        facts = desk().survey.expected(db.session, live_code_id, now)
    except LedgerDown:
        facts = None
    if facts is None or facts.outlook is None:
        return None, []
    full_at = facts.outlook.full_at
    shown = [member for member in facts.snapshot.members if member.id in full_at or member.id in facts.wants_headcount]
    names = labels(db.session, [member.id for member in shown])
    return facts.outlook, [
        {
            "id": member.id,
            "name": names[member.id][0],
            "taken": facts.taken.get(member.id, 0),
            "capacity": member.capacity,
            "full_at": full_at.get(member.id),
            "full_between": facts.outlook.full_between.get(member.id),
            "wants_headcount": member.id in facts.wants_headcount,
        }
        for member in shown
        if member.id in names
    ]


@blueprint.route("/members/<int:member_id>/links", methods=["GET", "POST"])
def member_links(member_id: int) -> Answer:
    """Swap links of one member: make one for the group's owner, see what became of the others."""
    member = store.find_member(db.session, member_id, _seen("edit" if request.method == "POST" else None))
    if member is None:
        abort(404)
    if request.method == "GET":
        return _links_page(member_id)
    errors: forms.Errors = {}
    days = forms.whole(request.form, "days", 1, links.LONGEST.days, errors)
    uses = forms.whole(request.form, "uses", 1, links.MOST_USES, errors)
    if errors:
        refused = _links_page(member_id, errors=errors)
        refused.status_code = 422
        return refused
    with writing(db.session):
        link = links.make(
            db.session,
            actor(),
            member_id,
            version=0,
            now=desk().clock(),
            lasts=timedelta(days=days or links.LASTS.days),
            most_uses=uses or 1,
        )
        token = links.token_of(link, desk().key)
    return _links_page(member_id, f"{desk().public_url}{url_for('links.page', link_token=token)}")


def _links_page(member_id: int, fresh: str = "", errors: forms.Errors | None = None) -> Response:
    now = desk().clock()
    rows = links.of_member(db.session, member_id)
    response = current_app.make_response(
        render_template(
            "alerts/links.html",
            member_id=member_id,
            name=labels(db.session, [member_id])[member_id][0],
            rows=[(row, _state(row, now)) for row in rows],
            fresh=fresh,
            errors=errors or {},
            typed=request.form,
        )
    )
    if fresh:
        response.headers["Cache-Control"] = "no-store"
    return response


def _state(row: SwapLink, now: Any) -> str:
    if row.revoked_at is not None:
        return str(gettext("withdrawn"))
    if row.uses >= row.most_uses:
        return str(gettext("used"))
    return str(gettext("expired")) if row.expires_at <= now else ""


@blueprint.post("/members/<int:member_id>/links/<int:link_id>/revoke")
def revoke(member_id: int, link_id: int) -> Answer:
    """Whoever holds this link can do nothing with it any more."""
    member = store.find_member(db.session, member_id, _seen("edit"))
    if member is None or link_id not in {row.id for row in links.of_member(db.session, member_id)}:
        abort(404)
    with writing(db.session):
        links.revoke(db.session, actor(), link_id, desk().clock())
    say(gettext("Withdrawn."))
    return _to("alerts.member_links", member_id=member_id)


def _to(endpoint: str, **arguments: Any) -> Response:
    return redirect(safe_next(request.form.get("next")) or url_for(endpoint, **arguments), code=303)
