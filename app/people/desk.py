"""What the pages and the API of this feature work with besides SQL; made once by the wiring."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection

from app.people.erase import Eraser
from app.people.orders import Joiner
from app.people.tag_store import TellTagged
from app.people.tasks import Folder

# Under this name the wiring keeps the desk in `app.extensions`.
DESK = "huozi.people"

Timeline = Callable[[Connection, str, Collection[int] | None, int], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Desk:
    """timeline: the newest events of a visitor, by their key, under some live codes (None: all). visitor_of: the key of
    whoever sent a request, None for nobody we know; `cookie` is what carries it. exports: where files of visitors
    lie. tell_tagged: who hears of tags given by hand. digest: the keyed digest of a phone number."""

    eraser: Eraser
    timeline: Timeline
    visitor_of: Callable[[Mapping[str, Any]], str | None]
    cookie: str
    zone: tzinfo
    tell_tagged: TellTagged
    exports: Folder
    digest: Callable[[str], str]
    joiner: Joiner
