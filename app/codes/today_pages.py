"""The start page: what needs somebody now and the one button that helps, the newest swaps, how many came today."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, render_template
from flask_babel import format_date, gettext, ngettext

from app.accounts.guard import protect_pages
from app.codes import history, store
from app.codes.cards import Card, make_cards
from app.codes.changes import visible
from app.codes.models import LiveCode
from app.codes.needs import SWAPPED, Need, cards_for, choice_titles
from app.codes.shell import Answer, asker, desk, figures, needed, now, words
from app.codes.wording import time_left
from app.db import db

NEEDS_SHOWN = 30
SWAPS_SHOWN = 5
DAYS_DRAWN = 14
LATELY = timedelta(hours=2)
# Needs that say already that people are turned away.
ROOMLESS = ("nobody", "low", "empty")

blueprint = Blueprint("today", __name__)
protect_pages(blueprint)
blueprint.context_processor(words)


@dataclass(frozen=True, slots=True)
class Shown:
    why: str
    tone: str
    icon: str
    words: str
    more: str
    live_code: LiveCode
    card: Card | None


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    today: int
    yesterday: int
    days: list[int]


@dataclass(frozen=True, slots=True)
class Swap:
    card: Card
    live_code: LiveCode
    at: datetime
    by: str


@blueprint.get("/today")
def index() -> Answer:
    at = now()
    needs = needed()
    codes, cards = cards_for(db.session, desk().ledger, asker(), needs[:NEEDS_SHOWN], at)
    titles = choice_titles(db.session, needs[:NEEDS_SHOWN])
    shown = [item for need in needs[:NEEDS_SHOWN] if (item := _shown(need, codes, cards, titles, at)) is not None]
    turned_away = _turned_away({need.live_code_id for need in needs if need.why in ROOMLESS}, at)
    return render_template(
        "codes/today.html",
        today_words=format_date(at.astimezone(desk().zone), "full"),
        needs=[*shown, *turned_away][:NEEDS_SHOWN],
        total=len(needs) + len(turned_away),
        to_swap=len({need.member_id for need in needs if need.why in SWAPPED}),
        figures=_figures(at),
        swaps=_swaps(at),
        has_codes=bool(needs) or store.list_live_codes(db.session, asker(), limit=1)[1] > 0,
    )


def _shown(
    need: Need, codes: dict[int, LiveCode], cards: dict[int, Card], titles: dict[int, str], at: datetime
) -> Shown | None:
    live_code = codes.get(need.live_code_id)
    card = cards.get(need.member_id) if need.member_id is not None else None
    if live_code is None or (need.member_id is not None and card is None):
        return None
    tone = "warn" if need.why in ("expiring", "low", "empty") else "bad"
    picture = {"low": "alert-triangle", "empty": "qrcode"}.get(need.why, "alert-circle")
    more = titles.get(need.choice_id, "") if need.choice_id is not None else _more(need)
    return Shown(need.why, tone, picture, _words(need, at), more, live_code, card)


def _turned_away(told_already: set[int], at: datetime) -> list[Shown]:
    """Live codes at which people found no room a moment ago, although some is left: for other places, or at other times
    of the day."""
    counter = figures()
    found = counter.overflows(db.session, asker().owner_id, at - LATELY) if counter is not None else {}
    needed = [Need("overflow", live_code_id) for live_code_id in found if live_code_id not in told_already]
    codes, _ = cards_for(db.session, desk().ledger, asker(), needed, at)
    return [
        Shown("overflow", "warn", "alert-triangle", _found_no_room(found[code.id]), "", code, None)
        for code in codes.values()
        if code.state == "active"
    ]


def _found_no_room(people: int) -> str:
    return str(
        ngettext(
            "%(num)s scan found no room in the last two hours",
            "%(num)s scans found no room in the last two hours",
            people,
        )
    )


def _words(need: Need, at: datetime) -> str:
    match need.why:
        case "nobody":
            return str(gettext("Nobody gets in: no code has room or is valid now"))
        case "empty":
            return str(gettext("No code behind it yet"))
        case "low":
            return str(ngettext("Room for %(num)s more person", "Room for %(num)s more people", need.room or 0))
        case "suspect":
            return str(gettext("Three people could not get in"))
        case "full":
            return str(gettext("Full"))
    return time_left(need.at or at, at)


def _more(need: Need) -> str:
    """What it costs while nobody does anything."""
    if need.why == "expired":
        return str(gettext("new visitors are sent elsewhere") if need.room != 0 else gettext("and nobody has room"))
    if need.why == "suspect":
        return str(gettext("passed over while others have room"))
    return ""


def _figures(at: datetime) -> list[Figure]:
    counter = figures()
    if counter is None:
        return []
    today = at.astimezone(desk().zone).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS_DRAWN))]
    found = counter.of_days(db.session, asker().owner_id, days)
    labels: dict[str, Any] = {
        "scans": gettext("Scans"),
        "visitors": gettext("Visitors"),
        "assigned": gettext("New seats"),
    }
    rows = {name: [getattr(day, name) for day in found] for name in labels}
    return [Figure(label, rows[name][-1], rows[name][-2], rows[name]) for name, label in labels.items()]


def _swaps(at: datetime) -> list[Swap]:
    found = history.newest_swaps(db.session, visible(asker()), limit=SWAPS_SHOWN)
    codes = {live_code.id: live_code for _, _, live_code in found}
    cards = {card.id: card for card in make_cards(db.session, desk().ledger, codes, [row for row, _, _ in found], at)}
    return [
        Swap(cards[row.id], live_code, version.created_at, version.created_by)
        for row, version, live_code in found
        if row.id in cards
    ]
