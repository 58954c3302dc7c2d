"""With whom a live code is shared, for programs."""

from typing import Any

import marshmallow as ma
from flask import Response
from flask_babel import lazy_gettext as _

from app.codes import shares, store
from app.codes.changes import Refused
from app.codes.models import SHARE_LEVELS
from app.codes.shared_api import asker, blueprint, invalid, reply, seen, taken
from app.codes.shares import Colleague
from app.db import db, writing
from app.web.fields import Form, Text, Word

NOBODY = _("There is no marketer with this address to share with.")


class ShareForm(Form):
    email = Text(254, required=True, metadata={"description": "A marketer's; administrators see everything anyway."})
    level = Word(*SHARE_LEVELS, load_default="view", metadata={"description": "`edit` lets them change it, too."})


class ShareAnswer(ma.Schema):
    user_id = ma.fields.Integer()
    name = ma.fields.String()
    email = ma.fields.String()
    level = Word(*SHARE_LEVELS)


class ShareList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ShareAnswer))


def _told(one: Colleague) -> dict[str, Any]:
    return {"user_id": one.user_id, "name": one.name, "email": one.email, "level": one.level}


@blueprint.route("/live-codes/<int:live_code_id>/shares", methods=["GET"])
@blueprint.response(200, ShareList)
def list_shares(live_code_id: int) -> Response:
    """Who sees it besides its owner."""
    seen(store.find_live_code(db.session, asker(), live_code_id))
    return reply({"items": [_told(one) for one in shares.shared_with(db.session, live_code_id)]})


@blueprint.route("/live-codes/<int:live_code_id>/shares", methods=["POST"])
@blueprint.arguments(ShareForm)
@blueprint.response(200, ShareAnswer)
def share(values: dict[str, Any], live_code_id: int) -> Response:
    """Let a colleague see it, or change it; its owner and administrators may. Again: the level becomes this one."""
    with writing(db.session) as session:
        user_id = shares.user_of(session, values["email"])
        done = shares.share(session, asker(), live_code_id, user_id or 0, values["level"])
        if isinstance(done, Refused) and done.code == "invalid":
            raise invalid("email", NOBODY)
        body = _told(taken(done))
    return reply(body)


@blueprint.route("/live-codes/<int:live_code_id>/shares/<int:user_id>", methods=["DELETE"])
@blueprint.response(204)
def unshare(live_code_id: int, user_id: int) -> Response:
    """Take a colleague off."""
    with writing(db.session) as session:
        taken(shares.unshare(session, asker(), live_code_id, user_id))
    return Response(status=204)
