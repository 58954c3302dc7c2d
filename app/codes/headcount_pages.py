"""How many people are in a group by now: one number on a card, or all groups of a live code in a list."""

from typing import Any

from flask import render_template, request
from flask_babel import gettext, ngettext

from app.codes import forms, panel_forms, versions
from app.codes.cards import cards_of
from app.codes.changes import Refused
from app.codes.member_pages import home_of
from app.codes.shell import Answer, asker, back, blueprint, changed, desk, found, found_member, now, refuse, to
from app.db import db
from app.web.toast import say


@blueprint.post("/members/<int:member_id>/headcount")
def headcount(member_id: int) -> Answer:
    home = home_of(found_member(member_id))
    values, errors = panel_forms.load(forms.HeadcountForm(), {"count": _number(request.form.get("count", ""))})
    if errors:
        say(gettext("Type how many people are in the group: a number."), "danger")
        return back(home)
    result = changed(lambda: versions.take_headcount(db.session, asker(), member_id, values["count"], now=now()))
    if isinstance(result, Refused):
        refuse(result)
    else:
        say(gettext("Counting goes on from %(count)s.", count=values["count"]))
    return back(home)


def _number(typed: str) -> Any:
    return int(typed) if typed.strip().isdecimal() and len(typed) < 10 else typed


@blueprint.route("/codes/<int:live_code_id>/headcounts", methods=["GET", "POST"])
def headcounts(live_code_id: int) -> Answer:
    """All groups of one live code in a list, to be read off the phone one by one."""
    live_code = found(live_code_id)
    cards = cards_of(db.session, desk().ledger, [live_code], now())[live_code_id]
    groups = [card for card in cards if card.fact.is_group and not card.row.is_fallback]
    if request.method == "GET":
        return render_template("codes/headcounts.html", live_code=live_code, groups=groups, typed={}, wrong="")
    typed = {card.id: text for card in groups if (text := request.form.get(f"count-{card.id}", "").strip())}
    counts = {
        card_id: panel_forms.load(forms.HeadcountForm(), {"count": _number(text)}) for card_id, text in typed.items()
    }
    if any(errors for _, errors in counts.values()):
        wrong = gettext("Only numbers, please. Nothing was saved yet.")
        page = render_template(
            "codes/headcounts.html", live_code=live_code, groups=groups, typed=request.form, wrong=wrong
        )
        return page, 422
    at = now()
    changed(
        lambda: [
            versions.take_headcount(db.session, asker(), one, v["count"], now=at) for one, (v, _) in counts.items()
        ]
    )
    if counts:
        say(ngettext("%(num)s headcount saved.", "%(num)s headcounts saved.", len(counts)))
    return to("codes.show", live_code_id=live_code_id)
