"""What the pages and the API of this feature work with besides SQL; made once by the wiring."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import quote

from app.codes.models import LiveCode
from app.codes.uploads import Shelves
from app.ledger import Ledger
from app.rules.regions import Place
from app.settings import is_test_url

# Under this name the wiring keeps the desk in `app.extensions`.
DESK = "huozi.codes"


@dataclass(frozen=True, slots=True)
class Desk:
    """place_of: where an address is. key: signs trial scans. public_url: the installation's own address, without a
    slash at its end: what codes say that have no host of their own.
    """

    ledger: Ledger
    shelves: Shelves
    place_of: Callable[[str], Place]
    zone: tzinfo
    key: str
    public_url: str
    clock: Callable[[], datetime]

    @property
    def own_host(self) -> str | None:
        """What new codes are printed with while no other host is the default; None as long as it is only for trying
        out, so that codes made meanwhile go with the address that is set later."""
        return None if is_test_url(self.public_url) else self.public_url

    def host(self, live_code: LiveCode) -> str:
        return live_code.host or self.public_url

    def is_test(self, live_code: LiveCode) -> bool:
        """Could nobody else open what its code says?"""
        return is_test_url(self.host(live_code))

    def short_url(self, live_code: LiveCode) -> str:
        return f"{self.host(live_code)}/s/{live_code.slug}"

    def printed_url(self, live_code: LiveCode, placement: str = "") -> str:
        """What a code says that is printed for this placement."""
        return f"{self.short_url(live_code)}?p={quote(placement)}" if placement else self.short_url(live_code)
