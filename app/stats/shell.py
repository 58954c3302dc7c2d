"""What the pages of numbers and their files share: the blueprint, who asks, which period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint

from app.accounts.guard import current_user, protect_pages
from app.stats import store
from app.web import settings

blueprint = Blueprint("stats", __name__)
protect_pages(blueprint)

DAYS_OFFERED = (7, 30, 90, 365)
DAYS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both included. `days`: the offered stretch up to today this is, None for one of the reader's own."""

    first: date
    last: date
    days: int | None
    is_refused: bool = False

    @property
    def length(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def arguments(self) -> dict[str, Any]:
        """The query that asks for it."""
        return {"days": self.days} if self.days else {"from": self.first, "to": self.last}

    @property
    def before(self) -> "Span":
        """The stretch of the same length just before."""
        return Span(self.first - timedelta(days=self.length), self.first - timedelta(days=1), None)


def asker_id() -> int | None:
    return None if current_user.sees_all else current_user.id


def read_span(asked: Mapping[str, str], today: date, offered: Sequence[int] = DAYS_OFFERED) -> Span:
    """`?from=&to=` (either alone will do) or `?days=`; what cannot be one is the usual stretch, and said to be."""
    usual = Span(today - timedelta(days=DAYS_SHOWN - 1), today, DAYS_SHOWN)
    if asked.get("from") or asked.get("to"):
        last = _day(asked.get("to", ""), today)
        first = _day(asked.get("from", ""), last - timedelta(days=DAYS_SHOWN - 1)) if last else None
        if first is None or last is None or not 0 <= (last - first).days < store.MOST_DAYS:
            return Span(usual.first, usual.last, usual.days, is_refused=True)
        return Span(first, last, None)
    text = asked.get("days", "")
    days = next((days for days in offered if str(days) == text), DAYS_SHOWN)
    return Span(today - timedelta(days=days - 1), today, days, is_refused=bool(text) and str(days) != text)


def _day(text: str, otherwise: date) -> date | None:
    if not text:
        return otherwise
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


def today() -> date:
    return datetime.now(settings().zone).date()
