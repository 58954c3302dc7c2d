"""Handing in pictures of codes, several at once: one verdict a file, and none lost because another failed.

Decides what is said of each file. What a picture holds is read by `uploads`; what may be bound is up to `members`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from flask import render_template, request
from flask_babel import gettext, ngettext
from werkzeug.datastructures import FileStorage

from app.codes import forms, members, panel_forms, uploads, versions, wording
from app.codes.cards import Card, card_of
from app.codes.changes import NOT_FOUND, Refused, lock_live_code
from app.codes.member_pages import members_page
from app.codes.models import LiveCode, Member
from app.codes.panel_forms import Chip
from app.codes.pending import pending_of, pending_token
from app.codes.shell import Answer, asker, blueprint, changed, desk, found, image_url, now, to
from app.codes.versions import Bound
from app.db import db
from app.outside.files import StoreFull
from app.outside.images import MAX_BYTES
from app.rules.kinds import KINDS
from app.web.i18n import language
from app.web.partial import wants_partial
from app.web.toast import say

MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class Pick:
    """One of several codes in a picture; `token` binds it. `image` "" where it is no code that could be bound."""

    token: str
    image: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file: a card, or picks, or why not."""

    file: str
    card: Card | None = None
    chips: list[Chip] = field(default_factory=list)
    chosen: str = panel_forms.GUESS
    warnings: list[str] = field(default_factory=list)
    picks: list[Pick] = field(default_factory=list)
    why: str = ""
    other: Member | None = None
    again: str = ""


@blueprint.url_value_preprocessor
def allow_several_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Before anything reads the form, the check of its token included."""
    if endpoint == "codes.add_members":
        request.max_content_length = MOST_FILES * (MAX_BYTES + 1024 * 1024)


@blueprint.post("/codes/<int:live_code_id>/members")
def add_members(live_code_id: int) -> Answer:
    live_code = found(live_code_id)
    verdicts = list(_verdicts(live_code))
    if not verdicts:
        verdicts = [Verdict("", why=gettext("Choose a picture or type a link first."))]
    return _answer(live_code_id, verdicts)


@blueprint.post("/codes/<int:live_code_id>/members/pick")
def pick(live_code_id: int) -> Answer:
    """One of several codes of a picture, or one that is there already and shall be there twice."""
    found(live_code_id)
    again = request.form.get("again", "")
    bound = pending_of(again or request.form.get("bound", ""), live_code_id, desk().key, now())
    if bound is None:
        return _answer(live_code_id, [Verdict("", why=gettext("That took too long. Please upload the picture again."))])
    return _answer(live_code_id, [_add(live_code_id, bound, "", allow_duplicate=bool(again))])


def _answer(live_code_id: int, verdicts: list[Verdict]) -> Answer:
    live_code = found(live_code_id)
    status = 200 if any(verdict.card for verdict in verdicts) else 422
    if wants_partial():
        # To a script every verdict is a good answer: it shows what is in it.
        return render_template("codes/_verdicts.html", live_code=live_code, verdicts=verdicts)
    return members_page(live_code, verdicts=verdicts, saves=status == 200), status


def _verdicts(live_code: LiveCode) -> Iterator[Verdict]:
    live_code_id = live_code.id
    files = [file for file in request.files.getlist("image") if file.filename]
    for number, file in enumerate(files):
        name = (file.filename or "")[-80:]
        if number >= MOST_FILES:
            file.close()
            yield Verdict(name, why=gettext("At most %(most)s files at once. Send this one again.", most=MOST_FILES))
            continue
        yield _of_picture(live_code_id, name, bytes_of(file))
    link = request.form.get("target_url", "").strip()
    if link:
        yield _bind(live_code_id, link[:100], lambda: uploads.bind_link(desk().shelves, link), lambda index: None)


def bytes_of(file: FileStorage) -> bytes:
    """The picture, one byte more than we accept at most; what was kept of it on the disk is given back."""
    with file.stream as stream:
        data: bytes = stream.read(MAX_BYTES + 1)
    return data


def _of_picture(live_code_id: int, name: str, data: bytes) -> Verdict:
    shelves = desk().shelves
    return _bind(
        live_code_id,
        name,
        lambda: uploads.bind_picture(shelves, data),
        lambda index: uploads.bind_picture(shelves, data, index),
    )


def _bind(live_code_id: int, name: str, read: Any, read_one: Any) -> Verdict:
    db.session.rollback()  # reading takes its time, and nobody shall wait for our transaction meanwhile
    try:
        bound = read()
        if isinstance(bound, Refused):
            return _unread(live_code_id, name, bound, read_one)
        return _add(live_code_id, bound, name)
    except StoreFull:
        return Verdict(name, why=gettext("There is no room left for pictures. This one was not added."))


def _unread(live_code_id: int, name: str, refused: Refused, read_one: Any) -> Verdict:
    if refused.code != "several_qr_found":
        return Verdict(name, why=wording.refusal(refused))
    return Verdict(name, picks=picks_of(live_code_id, refused, read_one))


def picks_of(live_code_id: int, refused: Refused, read_one: Any) -> list[Pick]:
    """Each code of the picture, those that cannot be bound left out."""
    picks = []
    for listed in refused.about["codes"]:
        bound = read_one(listed["index"])
        if isinstance(bound, Bound):
            token = pending_token(bound, live_code_id, desk().key, now())
            picks.append(Pick(token, image_url(bound.cut or bound.image), _words(bound)))
    return picks


def _words(bound: Bound) -> str:
    return f"{wording.kind_name(bound.kind, language())} …{bound.target[-6:]}"


def _add(live_code_id: int, bound: Bound, name: str, *, allow_duplicate: bool = False) -> Verdict:
    values, errors = panel_forms.load(forms.MemberForm(), _values())
    if errors:
        return Verdict(name, why=" ".join(text for texts in errors.values() for text in texts))
    result = changed(lambda: _add_named(live_code_id, bound, values, allow_duplicate))
    if isinstance(result, Refused):
        other = members.find_member(db.session, asker(), result.about.get("member_id", 0))
        again = ""
        if result.code == "duplicate_member" and KINDS[bound.kind].is_contact:
            again = pending_token(bound, live_code_id, desk().key, now())
        return Verdict(name, why=wording.refusal(result), other=other, again=again)
    return _good(result, name)


def _add_named(live_code_id: int, bound: Bound, values: dict[str, Any], allow_duplicate: bool) -> Member | Refused:
    """Two files of one drop are added at the same moment: the lock comes before the name is chosen."""
    if lock_live_code(db.session, asker(), live_code_id) is None:
        return NOT_FOUND
    named = {"label": _label(live_code_id, bound), **values}
    return members.add_member(
        db.session, asker(), live_code_id, bound, named, now=now(), allow_duplicate=allow_duplicate
    )


def _label(live_code_id: int, bound: Bound) -> str:
    """A name to begin with: the kind and a number. Twelve groups without one could not be told apart in a sentence."""
    known = members.members_of(db.session, live_code_id) + members.members_of(db.session, live_code_id, archived=True)
    taken = {member.label for member in known}
    kind = wording.kind_name(bound.kind, language())
    return next(label for number in count(1) if (label := f"{kind} {number}") not in taken)


def _values() -> dict[str, Any]:
    choice_id = request.form.get("choice_id", "")
    if not choice_id:
        # Without a choice nobody could reach it in a grouped live code, unless it is the fallback of all.
        return {"is_fallback": True} if "choice_id" in request.form else {}
    return {"choice_id": int(choice_id) if choice_id.isdecimal() and len(choice_id) < 10 else choice_id}


def _good(member: Member, name: str) -> Verdict:
    card = card_of(db.session, desk().ledger, member.live_code, member, now())
    return Verdict(
        name,
        card=card,
        chips=panel_forms.expiry_chips(now(), desk().zone, card.version.expires_at),
        warnings=_warnings(card),
    )


def _warnings(card: Card) -> list[str]:
    found: list[str] = []
    if card.row.is_fallback:
        found.append(gettext("Fallback code: shown when no choice has room."))
    if KINDS[card.version.kind].blocked_in_wechat:
        found.append(gettext("WeChat does not open this kind; scanners are told to copy the link."))
    return found


@blueprint.post("/codes/<int:live_code_id>/members/details")
def save_details(live_code_id: int) -> Answer:
    """Names, headcounts and days typed beside the verdicts, all in one go."""
    found(live_code_id)
    ids = [int(text) for text in request.form.getlist("id")[:200] if text.isdecimal() and len(text) < 10]
    at = now()
    refused = changed(lambda: _save_all(live_code_id, ids, at))
    if refused:
        say(gettext("%(count)s could not be saved. Look at the values.", count=refused), "warning")
    elif ids:
        say(ngettext("%(num)s code is ready.", "%(num)s codes are ready.", len(ids)))
    is_first = {member.id for member in members.members_of(db.session, live_code_id)} <= set(ids)
    if is_first and ids and not refused:
        return to("codes.printable", live_code_id=live_code_id, new=1)
    return to("codes.show", live_code_id=live_code_id)


def _save_all(live_code_id: int, ids: list[int], at: datetime) -> int:
    """How many were refused; the others are saved all the same."""
    refused = 0
    for member_id in ids:
        member = members.find_member(db.session, asker(), member_id)
        if member is None or member.live_code_id != live_code_id:
            continue
        values, errors = panel_forms.load(forms.MemberPatch(partial=True), _details(member_id, at))
        people, wrong = _headcount(member_id)
        refused += bool(errors or wrong)
        if values and isinstance(members.update_member(db.session, asker(), member_id, values), Refused):
            refused += 1
        if people is not None:
            versions.take_headcount(db.session, asker(), member_id, people, now=at)
    return refused


def _details(member_id: int, at: datetime) -> dict[str, Any]:
    label = request.form.get(f"label-{member_id}")
    values = {} if label is None else {"label": label}
    return values | panel_forms.expiry_of_form(request.form, at, desk().zone, prefix=f"m{member_id}-")


def _headcount(member_id: int) -> tuple[int | None, bool]:
    """The number typed, and whether it was none."""
    typed = request.form.get(f"headcount-{member_id}", "").strip()
    if not typed:
        return None, False
    values, errors = panel_forms.load(
        forms.HeadcountForm(), {"count": int(typed) if typed.isdecimal() and len(typed) < 10 else typed}
    )
    return values.get("count"), bool(errors)
