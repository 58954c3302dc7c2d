"""What one button changes about a member: its state, its place in the order, the pin, that it works after all.

Decides what is told afterwards and how it is taken back. Its page with all fields is in `member_pages`.
"""

from collections.abc import Sequence

from flask import request, url_for
from flask_babel import gettext

from app.codes import archiving, members, store, uploads, versions, wording
from app.codes.changes import Refused
from app.codes.member_pages import home_of
from app.codes.models import Member
from app.codes.shell import Answer, asker, back, blueprint, changed, desk, found, found_member, now, refuse
from app.db import db
from app.web.toast import say


@blueprint.post("/members/<int:member_id>/state")
def member_state(member_id: int) -> Answer:
    row = found_member(member_id)
    before, wanted, home = row.state, request.form.get("state", ""), home_of(row)
    if wanted not in wording.MEMBER_STATES:
        return back(home)
    leaves = wanted == "archived" and before != "archived"
    way_back, others = archiving.way_back(db.session, desk().shelves, row, desk().key, now()) if leaves else ("", set())
    result = changed(lambda: _set_state(member_id, wanted))
    if isinstance(result, Refused):
        refuse(result)
    elif wanted != before:
        uploads.forget(db.session, desk().shelves, others)
        fields = {"state": before, "next": home} | ({"back": way_back} if leaves else {})
        say(_told(result, wanted), undo=(url_for("codes.member_state", member_id=member_id), fields))
    return back(home)


def _set_state(member_id: int, wanted: str) -> Member | Refused:
    if wanted == "archived":
        return members.archive_member(db.session, asker(), member_id)
    result = members.update_member(db.session, asker(), member_id, {"state": wanted})
    if isinstance(result, Member) and (text := request.form.get("back", "")):
        archiving.bring_back(db.session, asker(), desk().shelves, result, text, desk().key, now())
    return result


def _told(row: Member, state: str) -> str:
    name = row.label or row.public_name or wording.code_number(row.id)
    words = {
        "active": gettext("“%(name)s” is switched on.", name=name),
        "reserve": gettext("“%(name)s” is a reserve now: it steps in when all others are full.", name=name),
        "disabled": gettext("“%(name)s” is switched off: nobody new is sent there.", name=name),
        "archived": gettext("“%(name)s” is archived.", name=name),
    }
    return str(words[state])


@blueprint.post("/members/<int:member_id>/move")
def move(member_id: int) -> Answer:
    """One place up or down among its own choice's."""
    row = found_member(member_id)
    by, home, live_code_id = request.form.get("by"), home_of(row), row.live_code_id
    mine = [m.id for m in members.members_of(db.session, live_code_id) if m.choice_id == row.choice_id]
    if member_id in mine and by in ("-1", "1"):
        here = mine.index(member_id)
        there = min(max(here + int(by), 0), len(mine) - 1)
        mine.insert(there, mine.pop(here))
        changed(lambda: members.reorder(db.session, asker(), live_code_id, _woven(live_code_id, mine)))
    return back(home)


def _woven(live_code_id: int, mine: Sequence[int]) -> list[int]:
    """All members in order, these ones among themselves in the new order: the places they take stay the same."""
    rest = iter(mine)
    chosen = set(mine)
    return [next(rest) if m.id in chosen else m.id for m in members.members_of(db.session, live_code_id)]


@blueprint.post("/codes/<int:live_code_id>/order")
def order(live_code_id: int) -> Answer:
    """The order somebody dragged them into."""
    found(live_code_id)
    ids = [int(text) for text in request.form.getlist("ids")[:400] if text.isdecimal() and len(text) < 10]
    known = {row.id for row in members.members_of(db.session, live_code_id)}
    mine = [member_id for member_id in dict.fromkeys(ids) if member_id in known]
    result = changed(lambda: members.reorder(db.session, asker(), live_code_id, _woven(live_code_id, mine)))
    if isinstance(result, Refused):
        refuse(result)
    return "", 204


@blueprint.post("/members/<int:member_id>/pin")
def pin(member_id: int) -> Answer:
    row = found_member(member_id)
    live_code_id, home, before = row.live_code_id, home_of(row), row.live_code.pinned_member_id
    result = changed(lambda: store.pin(db.session, asker(), live_code_id, member_id))
    if isinstance(result, Refused):
        refuse(result)
    else:
        undo = (
            (url_for("codes.pin", member_id=before), {"next": home})
            if before is not None
            else (url_for("codes.unpin", live_code_id=live_code_id), {"next": home})
        )
        say(gettext("Pinned: every new visitor gets this one until you release it."), undo=undo)
    return back(home)


@blueprint.post("/codes/<int:live_code_id>/unpin")
def unpin(live_code_id: int) -> Answer:
    before = found(live_code_id).pinned_member_id
    result = changed(lambda: store.unpin(db.session, asker(), live_code_id))
    if isinstance(result, Refused):
        refuse(result)
    elif before is not None:
        undo = url_for("codes.pin", member_id=before), {"next": request.form.get("next", "")}
        say(gettext("Released: the rules decide again."), undo=undo)
    return back(url_for("codes.show", live_code_id=live_code_id))


@blueprint.post("/members/<int:member_id>/trust")
def trust(member_id: int) -> Answer:
    home = home_of(found_member(member_id))
    result = changed(lambda: versions.trust(db.session, asker(), member_id, now=now()))
    if isinstance(result, Refused):
        refuse(result)
    else:
        say(gettext("People are sent there again."))
    return back(home)
