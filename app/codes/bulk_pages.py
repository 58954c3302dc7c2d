"""What is done to the live codes ticked in the list, and the list as a file."""

from collections.abc import Mapping
from datetime import datetime

from flask import request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from app.codes import bulk, store
from app.codes.bulk import Done
from app.codes.listing import LONGEST_FOLDER, read_filters
from app.codes.shell import Answer, asker, back, blueprint, changed, desk, now, to
from app.db import db
from app.web.csv_file import csv_file
from app.web.toast import say

STATES = ("active", "paused", "archived")
MOST_EXPORTED = 1000  # ids in one address; the whole list goes by its filters


@blueprint.post("/codes/bulk")
def bulk_change() -> Answer:
    """Whatever button was pressed, to all that are ticked."""
    ids, do, home = _ids(request.form.getlist("ids")), request.form.get("do", ""), url_for("codes.index")
    if not ids and do != "undo":
        say(gettext("Tick some live codes first."), "warning")
        return back(home)
    if do == "export":
        return to("codes.export", ids="-".join(map(str, ids)))
    if do in STATES:
        _tell_states(changed(lambda: bulk.set_states(db.session, asker(), dict.fromkeys(ids, do))), do)
    elif do == "undo":
        _tell_states(changed(lambda: bulk.set_states(db.session, asker(), _before(request.form.get("before", "")))), "")
    elif do == "move":
        _move(ids)
    return back(home)


def _move(ids: list[int]) -> None:
    """A name that was typed comes before the one that was chosen."""
    chosen = request.form.get("new_folder", "").strip() or request.form.get("into", "").strip()
    folder = " ".join(chosen.split())[:LONGEST_FOLDER] or None
    done = changed(lambda: bulk.move(db.session, asker(), ids, folder))
    if done.moved and folder:
        say(
            ngettext(
                "%(num)s live code is in “%(folder)s” now.",
                "%(num)s live codes are in “%(folder)s” now.",
                done.moved,
                folder=folder,
            )
        )
    elif done.moved:
        say(ngettext("%(num)s live code is in no folder.", "%(num)s live codes are in no folder.", done.moved))
    _tell_refused(done)


def _tell_states(done: Done, state: str) -> None:
    number = len(done.before)
    words = {
        "active": ngettext("%(num)s live code goes on.", "%(num)s live codes go on.", number),
        "paused": ngettext("%(num)s live code is paused.", "%(num)s live codes are paused.", number),
        "archived": ngettext(
            "%(num)s live code is archived: its scans read that it has ended.",
            "%(num)s live codes are archived: their scans read that they have ended.",
            number,
        ),
        "": ngettext("%(num)s live code is as it was.", "%(num)s live codes are as they were.", number),
    }
    if number:
        fields = {"do": "undo", "before": _as_text(done.before), "next": request.form.get("next", "")}
        say(words[state], undo=(url_for("codes.bulk_change"), fields))
    elif not done.refused:
        say(gettext("They are so already."), "info")
    _tell_refused(done)


def _tell_refused(done: Done) -> None:
    if done.refused:
        say(
            ngettext(
                "%(num)s live code could not be changed: it is gone, or you may only look at it.",
                "%(num)s live codes could not be changed: they are gone, or you may only look at them.",
                done.refused,
            ),
            "warning",
        )


def _as_text(before: Mapping[int, str]) -> str:
    """Short, because it travels in a cookie: "active:1-2;paused:5"."""
    groups: dict[str, list[str]] = {}
    for live_code_id, state in before.items():
        groups.setdefault(state, []).append(str(live_code_id))
    return ";".join(f"{state}:{'-'.join(ids)}" for state, ids in groups.items())


def _before(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for group in text[:4000].split(";")[: len(STATES)]:
        state, _, ids = group.partition(":")
        if state in STATES:
            found |= dict.fromkeys(_ids(ids.split("-")), state)
    return found


def _ids(texts: list[str], most: int = bulk.MOST) -> list[int]:
    return list(dict.fromkeys(int(text) for text in texts if text.isdecimal() and len(text) < 10))[:most]


@blueprint.get("/codes/export.csv")
def export() -> Response:
    """The live codes that are named, else all that the list's filters let through, with their members."""
    if "ids" in request.args:
        only = _ids(request.args["ids"].split("-"), MOST_EXPORTED)
        found = store.every_live_code(db.session, asker(), only=only, archived=True)
    else:
        found = store.every_live_code(db.session, asker(), **read_filters(request.args).wanted())
    at: datetime = now()
    name = f"huozi-{at.astimezone(desk().zone):%Y%m%d-%H%M}.csv"
    return csv_file(bulk.rows(db.session, desk(), found, at), name)
