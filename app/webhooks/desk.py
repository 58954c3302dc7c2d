"""What the pages and the API of webhooks work with besides SQL; made once by the wiring."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.outside.hooks import Poster

# Under this name the wiring keeps the desk in `app.extensions`.
DESK = "huozi.webhooks"


@dataclass(frozen=True, slots=True)
class Desk:
    """key: seals the secrets."""

    poster: Poster
    key: str
    clock: Callable[[], datetime]
