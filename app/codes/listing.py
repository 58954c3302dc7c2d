"""Which live codes the list shows: what its address asks for, as the store takes it. The export asks the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.codes import store
from app.codes.shell import needed

STATES = ("active", "paused", "archived", "trouble")
LONGEST_SEARCH = 100
LONGEST_FOLDER = 50
NO_FOLDER = "-"  # in the address: those in none


@dataclass(frozen=True, slots=True)
class Filters:
    """`folder`: "" for all, NO_FOLDER for those in none."""

    q: str = ""
    state: str = ""
    sort: str = "newest"
    folder: str = ""

    def wanted(self) -> dict[str, Any]:
        """For `store.list_live_codes` and `every_live_code`; the sort apart."""
        return {
            "q": self.q,
            "state": None if self.state == "trouble" else self.state or None,
            "folder": None if not self.folder else "" if self.folder == NO_FOLDER else self.folder,
            "only": {need.live_code_id for need in needed()} if self.state == "trouble" else None,
        }


def read_filters(asked: Mapping[str, str]) -> Filters:
    state, sort = asked.get("state", ""), asked.get("sort", "")
    return Filters(
        asked.get("q", "").strip()[:LONGEST_SEARCH],
        state if state in STATES else "",
        sort if sort in store.SORTS else "newest",
        asked.get("folder", "").strip()[:LONGEST_FOLDER],
    )
