"""The date a group code's picture says of itself: 该二维码7天内(5月10日前)有效，重新进入将更新.

Takes what a reader of texts made of it, wrong brackets and stray spaces included, and answers the moment until which
the code should be taken to be good. No year is written, so a date counts only where it lies in the coming week:
anything else was misread, or is a picture of a code that is over, and nobody's guess is spoilt by it.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

LASTS_DAYS = 7
# A fresh code ends seven days later at the hour it was made; two hours less is our margin (as in kinds.toml).
MARGIN = timedelta(hours=2)
# Of a code that was not made just now the hour is unknown: it may end as early as the morning.
MORNING = time(8)
# Figures that readers take for each other.
_ALIKE = str.maketrans("oOlI|０１２３４５６７８９", "001110123456789")
_MONTH, _DAY = r"(?<!\d)(1[0-2]|0?[1-9])月", r"(3[01]|[12]\d|0?[1-9])日"
_WRITTEN = re.compile(f"{_MONTH}{_DAY}(?:前|.{{0,2}}有效)")


def day_in(lines: Iterable[str], today: date) -> date | None:
    """The date in these lines, in the year that brings it nearest; None where none is written, or none that may be."""
    text = re.sub(r"\s+", "", "".join(lines)).translate(_ALIKE)
    found = _WRITTEN.search(text)
    if found is None:
        return None
    month, day = int(found[1]), int(found[2])
    for year in (today.year, today.year + 1):
        try:
            written = date(year, month, day)
        except ValueError:
            continue
        if timedelta() <= written - today <= timedelta(days=LASTS_DAYS):
            return written
    return None


def good_until(day: date, now: datetime, zone: tzinfo) -> datetime | None:
    """None where that moment is over."""
    fresh = now + timedelta(days=LASTS_DAYS)
    if fresh.astimezone(zone).date() == day:
        return fresh - MARGIN
    morning = datetime.combine(day, MORNING, zone)
    return morning if morning > now else None
