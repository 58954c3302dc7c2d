"""What the pages and the API of this feature work with besides SQL; made once by the wiring."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import quote

from app.codes.uploads import Shelves
from app.ledger import Ledger
from app.rules.regions import Place

# Under this name the wiring keeps the desk in `app.extensions`.
DESK = "huozi.codes"


@dataclass(frozen=True, slots=True)
class Desk:
    """place_of: where an address is. key: signs trial scans. public_url: what permanent codes say, without a slash at
    its end; `is_test` while nobody else could open it.
    """

    ledger: Ledger
    shelves: Shelves
    place_of: Callable[[str], Place]
    zone: tzinfo
    key: str
    public_url: str
    is_test: bool
    clock: Callable[[], datetime]

    def short_url(self, slug: str) -> str:
        return f"{self.public_url}/s/{slug}"

    def printed_url(self, slug: str, placement: str = "") -> str:
        """What a code says that is printed for this placement."""
        return f"{self.short_url(slug)}?p={quote(placement)}" if placement else self.short_url(slug)
