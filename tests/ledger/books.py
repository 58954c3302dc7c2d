"""What a store holds, read past the ledger: seats, counts and events, whichever engine wrote them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import redis
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.ledger import keys, packing
from app.ledger.tables import ledger_state, member_counts, outbox, seats, tombstones
from app.rules.tally import ScanEvent


@dataclass(frozen=True)
class Held:
    """One seat that somebody holds."""

    scope: str
    visitor: str
    live_code_id: int
    member_id: int
    generation: int
    counted_from: int
    counted: bool
    lapsed: bool
    counted_at: datetime


class Books(Protocol):
    def seats(self) -> list[Held]: ...
    def counts(self) -> dict[tuple[int, int], int]: ...
    def events(self) -> list[ScanEvent]: ...
    def tombstones(self) -> str: ...
    def epoch(self) -> int: ...


class SqlBooks:
    def __init__(self, engine: Engine, spool: Path) -> None:
        self._engine, self._spool = engine, spool

    def _rows(self, statement: Any) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(statement).all()

    def seats(self) -> list[Held]:
        names = Held.__dataclass_fields__
        found = self._rows(sa.select(seats).where(seats.c.member_id.is_not(None)))
        return [Held(**{name: getattr(row, name) for name in names}) for row in found]

    def counts(self) -> dict[tuple[int, int], int]:
        booked = sa.select(member_counts.c.member_id, member_counts.c.counted_from, member_counts.c.counted)
        return {(m, c): n for m, c, n in self._rows(booked)}

    def events(self) -> list[ScanEvent]:
        """Those of the outbox, then those of the spool."""
        rows = self._rows(sa.select(outbox.c.body).order_by(outbox.c.id))
        sent = [line for (body,) in rows for line in body.split("\n")]
        spooled = [line for file in sorted(self._spool.glob("*.jsonl")) for line in file.read_bytes().splitlines()]
        return [ScanEvent.decode(line) for line in [*sent, *spooled]]

    def tombstones(self) -> str:
        return str(self._rows(sa.select(tombstones)))

    def epoch(self) -> int:
        return int(self._rows(sa.select(ledger_state.c.epoch))[0][0])


class RedisBooks:
    def __init__(self, url: str) -> None:
        self._url = url

    def _kept(self, letter: str) -> dict[str, Any]:
        """Every key whose name goes on with `letter` behind its bucket, with what it holds."""
        with redis.Redis.from_url(self._url) as client:
            names = [key.decode() for key in client.keys("{huozi:*}:" + letter + "*")]
            asked = client.pipeline(transaction=False)
            for name in names:
                {"n": asked.smembers, "x": asked.smembers, "e": asked.xrange}.get(letter, asked.hgetall)(name)
            return dict(zip(names, asked.execute(), strict=True))

    def _tallied(self) -> dict[tuple[int, int], packing.Tallied]:
        found = {}
        for fields in self._kept("c:").values():
            for field, value in fields.items():
                if not field.startswith(b"p"):
                    member, _, counted_from = field.decode().partition(".")
                    found[(int(member), int(counted_from))] = packing.read_count(value)
        return found

    def seats(self) -> list[Held]:
        tallied = self._tallied()
        found = []
        for key, values in self._kept("s").items():
            scope = key.partition("}:s")[2].partition(":")[2]
            for name, value in values.items():
                row = packing.read_row(value, keys.live_code_in(scope)) if name != b"#" else packing.Row(0)
                if row.member_id:
                    swept = tallied.get((row.member_id, row.counted_from), packing.Tallied()).swept * packing.SLOT
                    lapsed = row.lapses and (not row.counted or (not row.pressed and row.counted_at < swept))
                    found.append(
                        Held(
                            scope,
                            packing.visitor_of(name),
                            row.live_code_id,
                            row.member_id,
                            row.generation,
                            row.counted_from,
                            row.counted and not lapsed,
                            lapsed,
                            packing.moment(row.counted_at),
                        )
                    )
        return found

    def counts(self) -> dict[tuple[int, int], int]:
        tallied = self._tallied()
        assert all(sum(number for _, number in count.waits) <= count.counted for count in tallied.values())
        return {key: count.counted for key, count in tallied.items()}

    def events(self) -> list[ScanEvent]:
        told = [fields[b"e"] for entries in self._kept("e").values() for _, fields in entries]
        return [ScanEvent.decode(line) for line in told if line]

    def tombstones(self) -> str:
        return str(self._kept("x"))

    def epoch(self) -> int:
        return max(int(fields[b"e"]) for fields in self._kept("v").values())
