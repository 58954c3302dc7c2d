"""With whom a live code is shared: the page its owner and administrators find in its menu."""

from flask import abort, render_template, request
from flask_babel import gettext, lazy_gettext

from app.codes import shares
from app.codes.changes import Refused
from app.codes.models import LiveCode
from app.codes.shell import Answer, asker, blueprint, changed, found, refuse, to
from app.db import db
from app.web.toast import say

LEVELS = {"view": lazy_gettext("may look"), "edit": lazy_gettext("may change it")}


def _shared(live_code_id: int) -> LiveCode:
    live_code = found(live_code_id)
    if not shares.may_share(asker(), live_code):
        abort(404)
    return live_code


@blueprint.get("/codes/<int:live_code_id>/sharing")
def sharing(live_code_id: int) -> Answer:
    live_code = _shared(live_code_id)
    return render_template(
        "codes/sharing.html",
        live_code=live_code,
        colleagues=shares.shared_with(db.session, live_code_id),
        others=shares.could_share_with(db.session, live_code),
        levels=LEVELS,
    )


@blueprint.post("/codes/<int:live_code_id>/sharing")
def share(live_code_id: int) -> Answer:
    _shared(live_code_id)
    typed = request.form.get("user_id", "")
    user_id = int(typed) if typed.isdecimal() and len(typed) < 10 else 0
    level = request.form.get("level", "")
    done = changed(lambda: shares.share(db.session, asker(), live_code_id, user_id, level))
    if isinstance(done, Refused):
        refuse(done)
    else:
        say(gettext("%(name)s %(may)s.", name=done.name, may=LEVELS[level]))
    return to("codes.sharing", live_code_id=live_code_id)


@blueprint.post("/codes/<int:live_code_id>/sharing/<int:user_id>/end")
def unshare(live_code_id: int, user_id: int) -> Answer:
    _shared(live_code_id)
    done = changed(lambda: shares.unshare(db.session, asker(), live_code_id, user_id))
    if isinstance(done, Refused):
        refuse(done)
    else:
        say(gettext("%(name)s no longer sees it.", name=done.name))
    return to("codes.sharing", live_code_id=live_code_id)
