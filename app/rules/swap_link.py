"""What passes between a group's owner, who has no account, and the member behind their link. Values only."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """The code an owner is about to replace. `image`: where it is to be seen; `status`: the contract's."""

    name: str
    title: str
    kind: str
    image: str
    version: int
    expires_at: datetime | None
    status: str
    is_group: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a new picture was read as. `token` binds it; empty: it cannot be bound, and `why` says so to the owner."""

    token: str = ""
    image: str = ""
    kind: str = ""
    other_kind: bool = False
    expires_at: datetime | None = None
    was_read: bool = False
    why: str = ""
