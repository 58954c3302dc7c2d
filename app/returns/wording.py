"""What the panel calls spend and return. English here, Chinese in translations/*/returns.po."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import flask_babel
from flask_babel import lazy_gettext

from app.rules.cohorts import Cohort

gettext: Callable[..., str] = flask_babel.gettext

HORIZONS = {
    1: lazy_gettext("first day"),
    7: lazy_gettext("1 week"),
    30: lazy_gettext("1 month"),
    60: lazy_gettext("2 months"),
    90: lazy_gettext("3 months"),
    180: lazy_gettext("6 months"),
}
ACTIONS = {
    "spend.entered": lazy_gettext("Spend entered"),
    "spend.changed": lazy_gettext("Spend changed"),
    "spend.deleted": lazy_gettext("Spend deleted"),
    "spend.imported": lazy_gettext("Spend imported"),
}
FIELDS = {
    "placement": lazy_gettext("Placement"),
    "first_day": lazy_gettext("From"),
    "last_day": lazy_gettext("Until"),
    "amount_cents": lazy_gettext("Amount"),
    "currency": lazy_gettext("Currency"),
    "note": lazy_gettext("Note"),
}
UNKNOWN = "–"


def money(cents: int) -> str:
    """Hundredths as people read them."""
    return f"{Decimal(cents) / 100:,.2f}"


def decimal(value: Decimal | None) -> str:
    """A dash for what is unknown."""
    return UNKNOWN if value is None else f"{value:,}"


def cohort_name(cohort: Cohort, by: str) -> str:
    if by == "month":
        return f"{cohort.first:%Y-%m}"
    return f"{cohort.first:%m-%d} – {cohort.last:%m-%d}"


def value_words(name: str, value: Any) -> str | None:
    """What the audit log calls a value; None for what says best itself what it is."""
    return money(value) if name == "amount_cents" and isinstance(value, int) else None


def plain(cents: int) -> str:
    """Hundredths as programs read them."""
    return f"{Decimal(cents) / 100:.2f}"
