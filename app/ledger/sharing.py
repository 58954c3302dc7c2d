"""Two keys that turn out to be one person: from then on both hold the same seats.

Of each scope the seat that was taken first stands; the other key gets it, too, uncounted, because one person sits on
one chair. What the dropped seat counted stays counted, as when somebody is erased: they may be in that group, too.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.ledger.tables import seats

_KEPT = ("live_code_id", "member_id", "generation", "counted_from", "choice_id", "taken_at", "counted_at", "pressed_at")


def share(connection: Connection, stays: str, other: str) -> int:
    """In SQL, within the caller's transaction; how many seats are shared now."""
    rows = connection.execute(sa.select(seats).where(seats.c.visitor.in_((stays, other)))).all()
    by_scope: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_scope.setdefault(row.scope, {})[row.visitor] = row
    number = 0
    for scope, both in sorted(by_scope.items()):
        held = [row for row in both.values() if row.member_id is not None]
        if not held:
            continue
        first = min(held, key=lambda row: (row.taken_at, row.visitor != stays))
        to = other if first.visitor == stays else stays
        values = {name: getattr(first, name) for name in _KEPT} | {"counted": False, "lapsed": False}
        if to in both:
            mine = (seats.c.scope == scope) & (seats.c.visitor == to)
            connection.execute(sa.update(seats).where(mine).values(values))
        else:
            values |= {"changes": first.changes, "refused": first.refused, "stuck_count": 0}
            connection.execute(sa.insert(seats).values(scope=scope, visitor=to, **values))
        number += 1
    return number
