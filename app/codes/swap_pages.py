"""Swapping a code: one member's page, made for a phone; the queue of all that are due; what to do after it.

With scripts the new picture is read as soon as it is chosen (`check`), shown beside the old one and bound by one tap;
without them the same form uploads and swaps in one go. Decides what is said before and after; what a swap does is up to
`versions`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext

from app.codes import forms, limits, members, panel_forms, uploads, versions, wording
from app.codes.cards import card_of
from app.codes.changes import Refused
from app.codes.models import Member
from app.codes.needs import SWAPPED
from app.codes.pending import pending_of, pending_token
from app.codes.shell import (
    Answer,
    asker,
    back,
    blueprint,
    changed,
    desk,
    found_member,
    image_url,
    needed,
    now,
    refuse,
    to,
)
from app.codes.upload_pages import Pick, bytes_of, picks_of
from app.codes.versions import Bound
from app.db import db
from app.outside.files import StoreFull
from app.rules.kinds import KINDS
from app.web.toast import say


@dataclass(frozen=True, slots=True)
class Checked:
    """What the new picture is. `token` binds it; `why` says that it cannot be bound; `picks`: which of several?"""

    token: str = ""
    image: str = ""
    kind: str = ""
    other_kind: bool = False
    expires_at: datetime | None = None
    why: str = ""
    other: Member | None = None
    picks: list[Pick] | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """This is the `number`th of `total` that are due."""

    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Warned:
    text: str
    url: str = ""
    label: str = ""
    name: str = ""
    value: str = ""


@blueprint.route("/members/<int:member_id>/swap", methods=["GET", "POST"])
def swap(member_id: int) -> Answer:
    row = found_member(member_id)
    queue = _queue_of_form()
    if request.method == "GET":
        return _page(row, _defaults(row), queue=queue)
    bound = _chosen(row)
    if isinstance(bound, Checked):
        return _page(row, request.form, checked=bound, queue=queue), 422
    at = now()
    values, errors = _values(at)
    if errors:
        token = pending_token(bound, row.live_code_id, desk().key, at)
        return _page(row, request.form, errors=errors, bound=token, checked=_read(row, bound), queue=queue), 422
    before = row.current_version
    result = changed(lambda: versions.swap(db.session, asker(), member_id, bound, values, now=at))
    if isinstance(result, Refused):
        return _page(found_member(member_id), request.form, checked=_refused(result), queue=queue), 422
    if queue is None:
        return to("codes.swapped", member_id=member_id, before=before)
    undo = url_for("codes.rollback", member_id=member_id), {"version": before, "next": url_for("codes.queue")}
    name = result.label or result.public_name or wording.code_number(member_id)
    say(gettext("“%(name)s” is swapped: whoever scans next sees the new code.", name=name), undo=undo)
    return to("codes.queue")


def _page(
    row: Member,
    typed: Any,
    *,
    errors: dict[str, list[str]] | None = None,
    checked: Checked | None = None,
    bound: str = "",
    queue: Queue | None = None,
) -> str:
    at = now()
    card = card_of(db.session, desk().ledger, row.live_code, row, at)
    hours = KINDS[card.version.kind].lifetime_hours
    guess = versions.expiry_of(_as_bound(card.version.kind), {}, at).at if hours else None
    chips = panel_forms.expiry_chips(at, desk().zone, guess)
    return render_template(
        "codes/swap.html",
        live_code=row.live_code,
        card=card,
        typed=_shown(typed),
        errors=errors or {},
        wrong=gettext("Please look at the marked fields.") if errors else "",
        checked=checked,
        bound=bound or (checked.token if checked else ""),
        chips=chips if guess else [chip for chip in chips if chip.day],
        queue=queue,
    )


def _as_bound(kind: str) -> Bound:
    return Bound(kind, "", "", "")


def _shown(typed: Any) -> dict[str, Any]:
    return {
        "new_group": typed.get("new_group") in ("1", True),
        "expiry": typed.get("expiry", panel_forms.GUESS),
        "expires_at": typed.get("expires_at", ""),
        "headcount": typed.get("headcount", ""),
    }


def _defaults(row: Member) -> dict[str, Any]:
    """A full group is followed by a new one, any other by its own new code."""
    card = card_of(db.session, desk().ledger, row.live_code, row, now())
    expires = card.version.expires_at is not None or KINDS[card.version.kind].lifetime_hours
    return {"new_group": card.status == "full", "expiry": panel_forms.GUESS if expires else panel_forms.NEVER}


@blueprint.post("/members/<int:member_id>/swap/check")
def check(member_id: int) -> Answer:
    """What the new picture is, before anything is changed; a partial."""
    row = found_member(member_id)
    bound = _chosen(row)
    checked = bound if isinstance(bound, Checked) else _read(found_member(member_id), bound)
    row = found_member(member_id)
    card = card_of(db.session, desk().ledger, row.live_code, row, now())
    return render_template("codes/_checked.html", card=card, live_code=row.live_code, checked=checked)


def _chosen(row: Member) -> Bound | Checked:
    """The code the form brings: checked before, picked from several, or in the picture that comes along."""
    live_code_id = row.live_code_id
    for name in ("pick", "bound"):
        if token := request.form.get(name, ""):
            bound = pending_of(token, live_code_id, desk().key, now())
            if bound is not None:
                return bound
    file = request.files.get("image")
    if file is None or not file.filename:
        return Checked(why=gettext("Choose a picture of the new code first."))
    data = bytes_of(file)
    db.session.rollback()  # reading takes its time, and nobody shall wait for our transaction meanwhile
    try:
        read = uploads.bind_picture(desk().shelves, data)
        if isinstance(read, Bound):
            return read
        if read.code != "several_qr_found":
            return _refused(read)
        shelves = desk().shelves
        return Checked(picks=picks_of(live_code_id, read, lambda index: uploads.bind_picture(shelves, data, index)))
    except StoreFull:
        return Checked(why=gettext("There is no room left for pictures. Nothing was changed."))


def _read(row: Member, bound: Bound) -> Checked:
    """A code that was read: still refused if it is the one shown now, or another member's."""
    version, _ = versions.current_versions(db.session, [row])[row.id]
    if bound.canonical == version.canonical:
        return _refused(Refused("same_code"))
    other = limits.find_duplicate(db.session, row, bound.canonical)
    if other is not None and not row.is_fallback:
        return _refused(Refused("duplicate_member", about={"member_id": other.id}))
    return Checked(
        token=pending_token(bound, row.live_code_id, desk().key, now()),
        image=image_url(bound.image),
        kind=bound.kind,
        other_kind=bound.kind != version.kind,
        expires_at=versions.expiry_of(bound, {}, now()).at,
    )


def _refused(refused: Refused) -> Checked:
    other = members.find_member(db.session, asker(), refused.about.get("member_id", 0))
    return Checked(why=wording.refusal(refused), other=other)


def _values(at: datetime) -> tuple[dict[str, Any], dict[str, list[str]]]:
    form = request.form
    more: dict[str, Any] = {
        "new_group": form.get("new_group") == "1",
        **panel_forms.expiry_of_form(form, at, desk().zone),
    }
    headcount = form.get("headcount", "").strip()
    if headcount:
        more["headcount"] = int(headcount) if headcount.isdecimal() and len(headcount) < 10 else headcount
    values, errors = panel_forms.load(forms.SwapForm(), more)
    if not errors and forms.in_the_past(values, "expires_at", at):
        errors = {"expires_at": [str(forms.PAST)]}
    return values, errors


@blueprint.get("/members/<int:member_id>/swapped")
def swapped(member_id: int) -> Answer:
    """What was done, with a way to look at it and a way back."""
    row = found_member(member_id)
    known = {version.number: version for version in versions.versions_of(db.session, member_id)}
    typed = request.args.get("before", "")
    before = known.get(int(typed)) if typed.isdecimal() and len(typed) < 10 else None
    if before is None or before.number == row.current_version:
        return to("codes.member", member_id=member_id)
    card = card_of(db.session, desk().ledger, row.live_code, row, now())
    return render_template(
        "codes/swapped.html",
        live_code=row.live_code,
        card=card,
        before=before,
        warnings=_warnings(card),
        others=len({need.member_id for need in needed() if need.why in SWAPPED}),
    )


def _warnings(card: Any) -> list[Warned]:
    found = []
    if card.row.state == "disabled":
        url = url_for("codes.member_state", member_id=card.id)
        words = gettext("It is still switched off, so nobody new is sent there.")
        found.append(Warned(words, url, gettext("Switch on"), "state", "active"))
    if card.room == 0:
        found.append(
            Warned(
                gettext("It is still full: the count went on. If this is a new group, undo and choose “A new group”.")
            )
        )
    return found


@blueprint.post("/members/<int:member_id>/rollback")
def rollback(member_id: int) -> Answer:
    row = found_member(member_id)
    before, home = row.current_version, url_for("codes.member", member_id=member_id, _anchor="versions")
    values, errors = panel_forms.load(forms.RollbackForm(), {"version": _whole(request.form.get("version", ""))})
    if errors:
        return back(home)
    result = changed(lambda: versions.rollback(db.session, asker(), member_id, values["version"]))
    if isinstance(result, Refused):
        refuse(result)
    elif before != values["version"]:
        undo = url_for("codes.rollback", member_id=member_id), {"version": before, "next": home}
        say(gettext("Version %(number)s is shown again.", number=values["version"]), undo=undo)
    return back(home)


def _whole(typed: str) -> Any:
    return int(typed) if typed.isdecimal() and len(typed) < 10 else typed


@blueprint.get("/swaps")
def queue() -> Answer:
    """All codes that are due, one after the other; `after`: the one that was skipped."""
    due = list(dict.fromkeys(need.member_id for need in needed() if need.why in SWAPPED and need.member_id))
    typed = request.args.get("after", "")
    skipped = due.index(int(typed)) + 1 if typed.isdecimal() and len(typed) < 10 and int(typed) in due else 0
    for number, member_id in enumerate(due[skipped:], skipped + 1):
        row = members.find_member(db.session, asker(), member_id)
        if row is not None:
            return _page(row, _defaults(row), queue=Queue(number, len(due)))
    return render_template("codes/queue_done.html", skipped=skipped)


def _queue_of_form() -> Queue | None:
    if "queue" not in request.form:
        return None
    number, total = _whole(request.form["queue"]), len({n.member_id for n in needed() if n.why in SWAPPED})
    return Queue(number if isinstance(number, int) else 1, max(total, 1))
