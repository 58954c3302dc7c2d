"""Swapping several codes of one live code in one go: up to twenty pictures are dropped, then each is put onto its
member by whoever knows which is which.

A refreshed code is a new link, so nothing in it says whose it is, and nothing is matched by guess. What was read is
kept in the form (`pending`), so that no picture is sent twice; what a swap does is up to `versions`.
"""

from dataclasses import dataclass
from typing import Any

from flask import render_template, request
from flask_babel import gettext, ngettext

from app.codes import uploads, versions, wording
from app.codes.cards import Card, cards_of
from app.codes.changes import Refused
from app.codes.needs import SWAPPED
from app.codes.pending import pending_of, pending_token
from app.codes.shell import Answer, asker, blueprint, changed, desk, found, image_url, now, to
from app.codes.upload_pages import MOST_FILES, bytes_of
from app.codes.versions import Bound
from app.db import db
from app.outside.files import StoreFull
from app.outside.images import MAX_BYTES
from app.web.toast import say

MOST_CHIPS = 12


@dataclass(frozen=True, slots=True)
class Sent:
    """One picture: what was read of it, or why nothing. `onto`: the member chosen so far."""

    file: str
    token: str = ""
    image: str = ""
    kind: str = ""
    why: str = ""
    onto: str = ""


@blueprint.url_value_preprocessor
def allow_many_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if endpoint == "codes.swap_many":
        request.max_content_length = MOST_FILES * (MAX_BYTES + 1024 * 1024)


@blueprint.route("/codes/<int:live_code_id>/swap-many", methods=["GET", "POST"])
def swap_many(live_code_id: int) -> Answer:
    found(live_code_id)
    if request.method == "GET":
        return _page(live_code_id, [])
    sent = _from_files(live_code_id) + _from_form()
    if "swap" not in request.form or not any(one.onto for one in sent):
        return _page(live_code_id, sent, gettext("Choose pictures first.") if not sent else "")
    left, done = _swap_all(live_code_id, sent)
    if done:
        say(ngettext("%(num)s code is swapped.", "%(num)s codes are swapped.", done))
    if left:
        return _page(live_code_id, left), 200 if done else 422
    return to("codes.show", live_code_id=live_code_id)


def _page(live_code_id: int, sent: list[Sent], wrong: str = "") -> str:
    live_code = found(live_code_id)
    cards = cards_of(db.session, desk().ledger, [live_code], now())[live_code_id]
    due = [card for card in cards if card.status in SWAPPED]
    return render_template(
        "codes/swap_many.html",
        live_code=live_code,
        cards=cards,
        chips=cards if len(cards) <= MOST_CHIPS else due[:MOST_CHIPS],
        sent=sent,
        wrong=wrong,
        most=MOST_FILES,
    )


def _from_files(live_code_id: int) -> list[Sent]:
    files = [file for file in request.files.getlist("image") if file.filename]
    read = []
    for file in files[:MOST_FILES]:
        data = bytes_of(file)
        db.session.rollback()  # reading takes its time, and nobody shall wait for our transaction meanwhile
        read.append(_read(live_code_id, (file.filename or "")[-80:], data))
    for file in files[MOST_FILES:]:
        file.close()
        why = gettext("At most %(most)s files at once. Send this one again.", most=MOST_FILES)
        read.append(Sent((file.filename or "")[-80:], why=why))
    return read


def _read(live_code_id: int, name: str, data: bytes) -> Sent:
    try:
        bound = uploads.bind_picture(desk().shelves, data)
    except StoreFull:
        return Sent(name, why=gettext("There is no room left for pictures. Nothing was changed."))
    if isinstance(bound, Refused):
        return Sent(name, why=wording.refusal(bound))
    return Sent(name, pending_token(bound, live_code_id, desk().key, now()), image_url(bound.image), bound.kind)


def _from_form() -> list[Sent]:
    """Pictures read before: number by number, with what was chosen for each."""
    form, sent = request.form, []
    for number in range(MOST_FILES):
        token = form.get(f"bound-{number}", "")
        if token:
            onto = form.get(f"other-{number}", "") or form.get(f"onto-{number}", "")
            sent.append(Sent(form.get(f"file-{number}", "")[-80:], token, onto=onto))
    return sent


def _swap_all(live_code_id: int, sent: list[Sent]) -> tuple[list[Sent], int]:
    """Each by itself: what could not be done stays on the page with the reason."""
    mine = {
        str(card.id): card for card in cards_of(db.session, desk().ledger, [found(live_code_id)], now())[live_code_id]
    }
    twice = {one.onto for one in sent if one.onto and sum(other.onto == one.onto for other in sent) > 1}
    left, done = [], 0
    for one in sent:
        bound = pending_of(one.token, live_code_id, desk().key, now()) if one.token else None
        if bound is None:
            left.append(Sent(one.file, why=one.why or gettext("That took too long. Please upload the picture again.")))
            continue
        why: str | None = "" if one.onto else None
        if one.onto in twice:
            why = gettext("Two pictures for one code: choose again.")
        elif one.onto:
            why = _swap(mine.get(one.onto), bound)
            done += not why
        if why is None or why:
            left.append(Sent(one.file, one.token, image_url(bound.image), bound.kind, why or "", one.onto))
    return left, done


def _swap(card: Card | None, bound: Bound) -> str:
    """Why it was not swapped; "" when it was. A full group's new code is a new group's, as on the page of one."""
    if card is None:
        return str(gettext("This code is no longer there."))
    values = {"new_group": card.status == "full" and card.fact.is_group}
    result = changed(lambda: versions.swap(db.session, asker(), card.id, bound, values, now=now()))
    return str(wording.refusal(result)) if isinstance(result, Refused) else ""
