"""Cards that no version names any more are deleted, once an hour: of archived members, of uploads nobody finished.

They show names and faces, so nobody should have to remember a command for it. Published pictures, which show a code and
no more, wait for `files sweep`.
"""

import logging
import threading
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Engine

from app.codes.models import MemberVersion
from app.outside.files import FileStore

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Sweeping:
    engine: Engine
    cards: FileStore

    def run(self, stop: threading.Event) -> None:
        """Beside the drainer, once an hour."""
        while not stop.wait(EVERY_SECONDS):
            try:
                self.sweep()
            except (sa.exc.DBAPIError, OSError) as error:
                log.error("cards wait to be swept: %s", type(error).__name__)

    def sweep(self) -> int:
        """How many went. What was put or spared within the hour stays."""
        named = sa.select(MemberVersion.card).where(MemberVersion.card.is_not(None)).distinct()
        with self.engine.connect() as connection:
            keep = set(connection.scalars(named))
        return self.cards.sweep({name for name in keep if name})
