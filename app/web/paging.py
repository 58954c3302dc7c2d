"""The one way to hand out a list in pages: `?page=&per_page=` in, {items, page, per_page, total} out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from app.web.errors import Problem

PER_PAGE = 20
PER_PAGE_MAX = 100
PAGE_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    page: int = 1
    per_page: int = PER_PAGE

    @property
    def limit(self) -> int:
        return self.per_page

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page

    def pages(self, total: int) -> int:
        """How many pages `total` items fill; an empty list still has one."""
        return max(1, -(-total // self.per_page))


def read_page(args: Mapping[str, str]) -> PageRequest:
    """From a query string. Raises Problem 422 for anything but whole numbers within bounds."""
    wrong: dict[str, list[str]] = {}
    page = _number(args, "page", 1, PAGE_MAX, wrong)
    per_page = _number(args, "per_page", PER_PAGE, PER_PAGE_MAX, wrong)
    if wrong:
        raise Problem(422, "invalid", gettext("Some of these values cannot be used."), wrong)
    return PageRequest(page, per_page)


def envelope(items: Sequence[Any], page: PageRequest, total: int) -> dict[str, Any]:
    return {"items": list(items), "page": page.page, "per_page": page.per_page, "total": total}


def _number(args: Mapping[str, str], name: str, default: int, highest: int, wrong: dict[str, list[str]]) -> int:
    text = args.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= highest:
        return int(text)
    wrong[name] = [gettext("A whole number from 1 to %(highest)s.", highest=highest)]
    return default
