"""Live codes for programs: made, listed, changed, pinned, tried out, drawn.

Choices and members have their own files; importing this one registers them all on one blueprint.
"""

import ipaddress
from datetime import datetime
from typing import Any

from flask import Response
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.accounts.guard import current_user
from app.codes import (  # noqa: F401
    choices_api,
    forms,
    hosts,
    members_api,
    placements_api,
    print_api,
    shares_api,
    simulator,
    store,
)
from app.codes.models import LiveCode
from app.codes.schemas import (
    LiveCodeAnswer,
    LiveCodePage,
    SimulateAnswer,
    TrialAnswer,
    live_code_answer,
    trial_answer,
)
from app.codes.shared_api import IF_MATCH, ONCE, asker, blueprint, change, desk, if_match, invalid, reply, seen
from app.codes.snapshot import read_snapshot
from app.codes.trial import TRIAL_LASTS, trial_token
from app.db import db
from app.rules import routing
from app.rules.model import Snapshot
from app.rules.regions import Place, nearest_city
from app.web.fields import PageQuery, Text, Word, page_of
from app.web.paging import envelope

__all__ = ["blueprint"]


class LiveCodeQuery(PageQuery):
    q = Text(100, load_default="", metadata={"description": "Part of the name, the title or the slug."})
    state = Word("active", "paused", "archived", metadata={"description": "All but archived unless given."})
    folder = Text(50, metadata={"description": "In this folder of the panel's list; empty: in none."})
    sort = Word(*store.SORTS, load_default="newest")


def tell(live_code_id: int, status: int = 200) -> Response:
    row = seen(store.find_live_code(db.session, asker(), live_code_id))
    return reply(live_code_answer(desk(), row), status, etag=str(row.version))


@blueprint.route("/live-codes", methods=["POST"])
@blueprint.arguments(forms.NewLiveCode)
@blueprint.response(201, LiveCodeAnswer)
@blueprint.doc(parameters=[ONCE])
def create_live_code(values: dict[str, Any]) -> Response:
    """Make a live code."""
    if forms.in_the_past(values, "ends_at", desk().clock()):
        raise invalid("ends_at", forms.PAST)
    owner_id, own = current_user.id, desk().own_host
    host = values.pop("host", None)
    if host is not None and not hosts.is_known(db.session, host, own):
        raise invalid("host", forms.REASONS["unknown"])

    def make(session: Session) -> LiveCode:
        printed = host or hosts.default_host(session, own)
        return store.create_live_code(session, asker(), values, owner_id=owner_id, host=printed)

    return change(make, tell, 201)


@blueprint.route("/live-codes", methods=["GET"])
@blueprint.arguments(LiveCodeQuery, location="query")
@blueprint.response(200, LiveCodePage)
def list_live_codes(query: dict[str, Any]) -> Response:
    """List live codes, the newest first."""
    page = page_of(query)
    rows, total = store.list_live_codes(
        db.session, asker(), q=query["q"], state=query.get("state"), folder=query.get("folder"), sort=query["sort"],
        limit=page.limit, offset=page.offset,
    )  # fmt: skip
    return reply(envelope([live_code_answer(desk(), row) for row in rows], page, total))


@blueprint.route("/live-codes/<int:live_code_id>", methods=["GET"])
@blueprint.response(200, LiveCodeAnswer)
def get_live_code(live_code_id: int) -> Response:
    """One live code, archived ones too."""
    return tell(live_code_id)


@blueprint.route("/live-codes/<int:live_code_id>", methods=["PATCH"])
@blueprint.arguments(forms.LiveCodePatch(partial=True))
@blueprint.response(200, LiveCodeAnswer)
@blueprint.doc(parameters=[IF_MATCH])
def change_live_code(values: dict[str, Any], live_code_id: int) -> Response:
    """Change what is named. A state takes an archived live code back."""
    matched = if_match()
    version = matched[0] if matched else None
    return change(lambda session: store.update_live_code(session, asker(), live_code_id, values, version=version), tell)


@blueprint.route("/live-codes/<int:live_code_id>", methods=["DELETE"])
@blueprint.response(200, LiveCodeAnswer)
def archive_live_code(live_code_id: int) -> Response:
    """Archive: its scans answer `ended`, its slug stays taken."""
    return change(lambda session: store.archive_live_code(session, asker(), live_code_id), tell)


@blueprint.route("/live-codes/<int:live_code_id>/pin", methods=["POST"])
@blueprint.arguments(forms.PinForm)
@blueprint.response(200, LiveCodeAnswer)
@blueprint.doc(parameters=[ONCE])
def pin(values: dict[str, Any], live_code_id: int) -> Response:
    """Send every new visitor to one member, until released."""
    return change(lambda session: store.pin(session, asker(), live_code_id, values["member_id"]), tell)


@blueprint.route("/live-codes/<int:live_code_id>/pin", methods=["DELETE"])
@blueprint.response(200, LiveCodeAnswer)
def unpin(live_code_id: int) -> Response:
    """Back to the live code's own mode."""
    return change(lambda session: store.unpin(session, asker(), live_code_id), tell)


@blueprint.route("/live-codes/<int:live_code_id>/trial", methods=["POST"])
@blueprint.response(200, TrialAnswer)
def trial(live_code_id: int) -> Response:
    """An address that tries the live code out for 30 minutes: each time like a new visitor, taking no seat."""
    row = seen(store.find_live_code(db.session, asker(), live_code_id))
    now = desk().clock()
    url = f"{desk().short_url(row)}?t={trial_token(row.slug, desk().key, now)}"
    return reply(trial_answer(url, now + TRIAL_LASTS))


@blueprint.route("/live-codes/<int:live_code_id>/simulate", methods=["POST"])
@blueprint.arguments(forms.SimulateForm)
@blueprint.response(200, SimulateAnswer)
def simulate(values: dict[str, Any], live_code_id: int) -> Response:
    """Who somebody would be sent to, and every member's yes or no. Takes no seat."""
    seen(store.find_live_code(db.session, asker(), live_code_id))
    snapshot = seen(read_snapshot(db.session, live_code_id, desk().zone))
    db.session.rollback()  # the ledger may have to write before it can count
    choice_id = values.get("choice_id")
    if choice_id is not None and snapshot.choice(choice_id) is None:
        raise invalid("choice_id", forms.REASONS["unknown"])
    now = values.get("at") or desk().clock()
    return reply(_simulated(snapshot, choice_id, _place(values), now, values))


def _simulated(
    snapshot: Snapshot, choice_id: int | None, place: Place, now: datetime, values: dict[str, Any]
) -> dict[str, Any]:
    ledger, visitor = desk().ledger, values.get("visitor_id") or ""
    scope = routing.scope_of(snapshot, choice_id)
    seat = ledger.seat(scope, visitor) if visitor else None
    ours = seat if seat is not None and seat.live_code_id == snapshot.id else None
    latitude, longitude = values.get("latitude"), values.get("longitude")
    found = simulator.simulate(
        ledger,
        snapshot,
        choice_id=choice_id,
        place=place,
        at=now,
        seat=ours,
        refused=ledger.refused(scope, visitor) if visitor else (),
        position=(latitude, longitude) if latitude is not None and longitude is not None else None,
    )
    member = found.decision.member
    return {
        "outcome": found.decision.outcome,
        "member_id": member.id if member is not None else None,
        "place": {
            "region": place.region,
            "country": place.country,
            "province": place.province,
            "city": place.city,
            "source": place.source,
        },
        "opens_at": found.decision.opens_at,
        "trace": [{"member_id": t.member_id, "eligible": t.eligible, "reason": t.reason} for t in found.trace],
    }


def _place(values: dict[str, Any]) -> Place:
    if values.get("region"):
        return Place(values["region"], "given")
    if values.get("latitude") is not None and values.get("longitude") is not None:
        return Place(nearest_city(values["latitude"], values["longitude"]), "position")
    if not values.get("ip"):
        return Place.UNKNOWN
    try:
        address = ipaddress.ip_address(values["ip"].strip("[]"))
    except ValueError:
        raise invalid("ip", gettext("An address such as 114.114.114.114.")) from None
    return desk().place_of(str(address))
