"""From a picture or a pasted link to something that can be bound: read, told apart, drawn anew, its files stored.

Works before the transaction, which is short and holds the lock. If that fails, files are left that nobody names, and
`sweep` removes them. The picture itself is never kept: of it remain the code, drawn anew or cut out, and the small card
the panel shows to tell twelve codes apart, in a folder of its own that is not public.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.codes.changes import Refused
from app.codes.models import Choice, LiveCode, MemberVersion
from app.codes.versions import Bound
from app.outside import images, qr_read, qr_write
from app.outside.files import FileStore
from app.outside.images import Corners, Upload
from app.rules.kinds import BadTarget, Kind, ascii_form, canonical, classify


@dataclass(frozen=True, slots=True)
class Shelves:
    """images: published under /m/ by their hash. cards: names and faces, for the panel alone. date_of: until when the
    code with these corners says that it is good; None where nobody can read that."""

    images: FileStore
    cards: FileStore
    date_of: Callable[[Upload, Corners], datetime | None] | None = None


def bind_link(shelves: Shelves, text: str) -> Bound | Refused:
    """A link somebody pasted; its code is drawn by us."""
    text = text.strip()
    kind = classify(text)
    if isinstance(kind, BadTarget):
        return Refused(kind.code, {"target_url": kind.code})
    drawn = _drawn(shelves, ascii_form(text))
    if drawn is None:
        return Refused("not_a_link", {"target_url": "not_a_link"})
    return Bound(kind.key, text, canonical(text), drawn)


def bind_picture(shelves: Shelves, data: bytes, pick: int | None = None) -> Bound | Refused:
    """A screenshot or photo of a code. Several different codes are refused with a list, unless `pick` names one.

    Takes 30-300 ms, 1.5 s more where a date is read, and raises `files.StoreFull` with nothing bound.
    """
    upload = images.open_upload(data)
    if isinstance(upload, images.ImageRefusal):
        return Refused(upload.code, {"image": upload.code}, {"seen": upload.detail})
    found = qr_read.read(upload)
    if not found.codes:
        return Refused("no_qr_found", {"image": "no_qr_found"}, {"seen": found.other})
    if len(found.codes) > 1 and pick is None:
        return Refused("several_qr_found", {"image": "several_qr_found"}, {"codes": _listed(found.codes)})
    if pick is not None and pick >= len(found.codes):
        return Refused("invalid", {"pick": "unknown"})
    return _bind(shelves, upload, found.codes[pick or 0])


def _bind(shelves: Shelves, upload: images.Upload, code: qr_read.FoundCode) -> Bound | Refused:
    kind = classify(code.text or "")
    if code.text is None or isinstance(kind, BadTarget):
        reason = kind.code if isinstance(kind, BadTarget) else "not_a_link"
        return Refused(reason, {"image": reason})
    cut = qr_read.proven_cut(upload, code)
    drawn = _drawn(shelves, code.text)
    kept_cut = shelves.images.put(cut, "png") if cut is not None else None
    # A link in other letters is shown as it was printed; only where no cut of it reads, in its ASCII form.
    image = drawn or kept_cut or _drawn(shelves, ascii_form(code.text))
    if image is None:
        return Refused("image_broken", {"image": "image_broken"})
    card = shelves.cards.put(images.card_cut(upload, code.corners), "jpg")
    date_of = shelves.date_of if kind.lifetime_hours is not None else None
    until = date_of(upload, code.corners) if date_of is not None else None
    return Bound(kind.key, code.text, canonical(code.text), image, kept_cut, card, until)


def _listed(codes: Collection[qr_read.FoundCode]) -> list[dict[str, object]]:
    """What an answer shows of several codes, for somebody to pick from."""
    return [{"index": index, "text": code.text, "kind": _word(code)} for index, code in enumerate(codes)]


def _word(code: qr_read.FoundCode) -> str:
    kind = classify(code.text or "")
    return kind.key if isinstance(kind, Kind) else kind.code


def _drawn(shelves: Shelves, payload: str | None) -> str | None:
    """The code drawn anew, proven to read as just this payload; None where it cannot be."""
    data = qr_write.draw_member(payload) if payload is not None else None
    return shelves.images.put(data, "png") if data is not None else None


def draw_again(shelves: Shelves, version: MemberVersion) -> str | None:
    """The version's code drawn anew, for somebody who preferred the cut and changed their mind."""
    return _drawn(shelves, version.target) or _drawn(shelves, ascii_form(version.target))


def names_in_use(session: Session) -> set[str]:
    """Every file some row still names."""
    columns = (MemberVersion.image, MemberVersion.cut, MemberVersion.card, Choice.image, LiveCode.cover)
    return {name for column in columns for name in session.scalars(sa.select(column).distinct()) if name}


def forget(session: Session, shelves: Shelves, cards: Collection[str]) -> None:
    """Deletes these cards at once, if no version names them any more. After the transaction that forgot them."""
    still = set(session.scalars(sa.select(MemberVersion.card).where(MemberVersion.card.in_(cards))))
    for name in set(cards) - still:
        shelves.cards.delete(name)
