"""One member through time: every version side by side, who brought it, when and why, a way back; and what happened in
between. Beside it the quick entry of a headcount, for somebody who holds the phone with the group on it."""

from flask import render_template
from flask_babel import gettext, lazy_gettext

from app.codes import history_wording, timeline, versions
from app.codes.cards import card_of
from app.codes.shell import Answer, blueprint, desk, found_member, now
from app.db import db
from app.web.i18n import language

# What happened by itself, as the alerts have noted it.
HAPPENED = {
    "expiring": lazy_gettext("Code about to expire"),
    "expired": lazy_gettext("Code expired"),
    "filling": lazy_gettext("Group filling up"),
    "full": lazy_gettext("Group full"),
    "suspect": lazy_gettext("People cannot get in"),
    "reserve": lazy_gettext("Reserve called in"),
    "headcount": lazy_gettext("Headcount wanted"),
}


@blueprint.get("/members/<int:member_id>/timeline")
def member_timeline(member_id: int) -> Answer:
    """Versions side by side, and everything that became of this member."""
    row = found_member(member_id)
    shown = versions.versions_of(db.session, member_id)
    why = timeline.reasons_of(db.session, member_id, shown)
    return render_template(
        "codes/timeline.html",
        live_code=row.live_code,
        card=card_of(db.session, desk().ledger, row.live_code, row, now()),
        versions=shown,
        reasons={number: HAPPENED[kind] for number, kind in why.items()},
        events=[_told(event) for event in timeline.events_of(db.session, member_id)],
    )


def _told(event: timeline.Event) -> history_wording.PastChange:
    if event.entry is not None:
        return history_wording.past_change(event.entry, "", desk().zone, language())
    words = str(HAPPENED.get(event.kind, event.kind))
    if event.kind == "filling":
        words = gettext("%(percent)s %% of the places taken", percent=event.rank)
    elif event.kind == "expiring":
        words = gettext("Expires within %(hours)s hours", hours=-event.rank)
    return history_wording.PastChange(event.at, "", words, "", [])


@blueprint.get("/members/<int:member_id>/headcount")
def headcount_entry(member_id: int) -> Answer:
    """One number, big enough for a thumb."""
    row = found_member(member_id)
    card = card_of(db.session, desk().ledger, row.live_code, row, now())
    return render_template("codes/headcount.html", live_code=row.live_code, card=card)
