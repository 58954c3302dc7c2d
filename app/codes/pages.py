"""The list of live codes and how one is begun: search, filter, sort, create, pause, archive, duplicate.

Decides what a row of the list shows; which rows, `listing`. The pages of one live code have files of their own;
importing this one hangs them all on the blueprint.
"""

import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext

from app.accounts.guard import current_user
from app.codes import (  # noqa: F401
    bulk_pages,
    card_pages,
    choice_pages,
    code_pages,
    forms,
    headcount_pages,
    host_pages,
    hosts,
    many_pages,
    member_pages,
    member_state_pages,
    panel_forms,
    places_pages,
    print_pages,
    rules_pages,
    share_pages,
    store,
    swap_pages,
    timeline_pages,
    upload_pages,
)
from app.codes.cards import Overview, cards_of, overview
from app.codes.changes import Refused
from app.codes.listing import NO_FOLDER, read_filters
from app.codes.models import LiveCode
from app.codes.needs import Need
from app.codes.shell import Answer, asker, back, blueprint, changed, desk, figures, found, needed, now, refuse, to
from app.db import db, writing
from app.db.once import Answered, OtherRequest, answered, make_once, remember
from app.web.paging import read_page
from app.web.partial import render
from app.web.toast import say

__all__ = ["blueprint"]

SPARK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """`is_stuck`: nobody new gets in anywhere. `days`: scans of the last seven, None where nobody counts them."""

    live_code: LiveCode
    overview: Overview
    is_stuck: bool
    days: list[int] | None


@blueprint.get("/codes")
def index() -> Answer:
    filters, page = read_filters(request.args), read_page(request.args)
    needs = needed()
    live_codes, total = store.list_live_codes(
        db.session, asker(), **filters.wanted(), sort=filters.sort, limit=page.limit, offset=page.offset
    )
    context = {
        "filters": filters,
        "paging": page,
        "total": total,
        "rows": _rows(live_codes, needs),
        "folders": store.folders_of(db.session, asker()),
        "no_folder": NO_FOLDER,
        "export_arguments": {name: text for name, text in asdict(filters).items() if text and name != "sort"},
    }
    return render("codes/index.html", "codes/_list.html", **context)


def _rows(live_codes: list[LiveCode], needs: list[Need]) -> list[Row]:
    cards = cards_of(db.session, desk().ledger, live_codes, now())
    stuck = {need.live_code_id for need in needs if need.why == "nobody"}
    counted = _scans(live_codes)
    return [
        Row(code, overview(cards[code.id]), code.id in stuck, counted.get(code.id) if counted is not None else None)
        for code in live_codes
    ]


def _scans(live_codes: list[LiveCode]) -> dict[int, list[int]] | None:
    counter = figures()
    if counter is None:
        return None
    today = now().astimezone(desk().zone).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(SPARK_DAYS))]
    found = counter.by_day(db.session, [code.id for code in live_codes], days)
    return {code.id: found.get(code.id, [0] * SPARK_DAYS) for code in live_codes}


@blueprint.route("/codes/new", methods=["GET", "POST"])
def new() -> Answer:
    if request.method == "GET":
        return _new_form({}, {})
    typed = request.form
    contact = {name: typed.get(f"contact_{name}", "") for name in ("text", "phone", "url")}
    values, errors = panel_forms.load(
        forms.LiveCodeForm(), panel_forms.read(forms.LiveCodeForm(), typed, zone=desk().zone, more={"contact": contact})
    )
    host = typed.get("host") or hosts.default_host(db.session, desk().own_host)
    if host is not None and not hosts.is_known(db.session, host, desk().own_host):
        errors["host"] = [str(forms.REASONS["unknown"])]
    if errors:
        return _new_form(typed, errors, gettext("Please look at the marked fields.")), 422
    live_code_id = _create_once(values, host)
    return to("codes.show", live_code_id=live_code_id, new=1)


def _new_form(typed: Any, errors: Any, wrong: str = "") -> str:
    token = request.form.get("form_token") or secrets.token_urlsafe(12)
    return render_template(
        "codes/new.html", typed=typed, errors=errors, wrong=wrong, form_token=token, hosts=_hosts_offered()
    )


def _hosts_offered() -> list[tuple[str, str]]:
    """What the code may be printed with, the default first; nothing to choose where there is one only."""
    known = [host.origin for host in hosts.hosts_of(db.session)]
    if not known:
        return []
    default = hosts.default_host(db.session, desk().own_host)
    every = dict.fromkeys([default, *([desk().own_host] if desk().own_host else []), *known])
    return [(origin, origin.partition("://")[2]) for origin in every if origin is not None]


def _create_once(values: dict[str, Any], host: str | None) -> int:
    """However often the form is sent, it makes one live code; changed and sent again, it makes another."""
    parts = [f"{name}={text}".encode() for name, text in sorted(request.form.items()) if name != "csrf_token"]
    once = make_once(current_user.id, "panel:" + "\n".join(map(repr, parts)), b"live code")
    with writing(db.session) as session:
        before = answered(session, once, now())
        if isinstance(before, Answered):
            return int(before.answer["id"])
        assert not isinstance(before, OtherRequest), "the key names the whole request"
        live_code = store.create_live_code(session, asker(), values, owner_id=current_user.id, host=host)
        live_code_id = live_code.id
        remember(session, once, 201, {"id": live_code_id}, now())
    return live_code_id


@blueprint.post("/codes/<int:live_code_id>/state")
def set_state(live_code_id: int) -> Answer:
    """Paused, active again, archived, restored; each can be taken back."""
    before = found(live_code_id).state
    wanted = request.form.get("state", "")
    if wanted not in ("active", "paused", "archived"):
        return back(url_for("codes.show", live_code_id=live_code_id))
    result = changed(lambda: store.set_state(db.session, asker(), live_code_id, wanted))
    if isinstance(result, Refused):
        refuse(result)
    elif wanted != before:
        undo = url_for("codes.set_state", live_code_id=live_code_id), {"state": before, "next": _next()}
        say(_told(result.name, before, wanted), undo=undo)
    return back(url_for("codes.show", live_code_id=live_code_id))


def _next() -> str:
    return request.form.get("next", "")


def _told(name: str, before: str, wanted: str) -> str:
    if wanted == "archived":
        return str(gettext("“%(name)s” is archived: its scans read that it has ended.", name=name))
    if before == "archived":
        return str(gettext("“%(name)s” is back.", name=name))
    if wanted == "paused":
        return str(gettext("“%(name)s” is paused.", name=name))
    return str(gettext("“%(name)s” goes on.", name=name))


@blueprint.post("/codes/<int:live_code_id>/duplicate")
def duplicate(live_code_id: int) -> Answer:
    name = gettext("%(name)s (copy)", name=found(live_code_id).name)[:100]
    result = changed(
        lambda: store.duplicate_live_code(
            db.session,
            asker(),
            live_code_id,
            name=name,
            owner_id=current_user.id,
            host=hosts.default_host(db.session, desk().own_host),
        )
    )
    if isinstance(result, Refused):
        refuse(result)
        return back(url_for("codes.show", live_code_id=live_code_id))
    say(gettext("Duplicated with its rules and texts. Now put codes behind it."))
    return to("codes.show", live_code_id=result.id, new=1)
