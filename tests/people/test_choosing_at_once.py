"""A crowd chooses its groups from many processes: tags, seats and choices made are the same, none lost or doubled.

Scaled down here; `make prove` (HUOZI_PROVE=1) lets 10,000 people loose on 8 choices of 25 members from 8 processes.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import wiring
from app.db import writing
from app.ledger.tables import seats
from app.people.models import Visitor, VisitorTag
from app.rules.model import Outcome
from app.rules.regions import Place
from app.scan.answer import Answer, Scanner
from app.settings import load
from tests import make

ROOT = Path(__file__).resolve().parents[2]
PROVE = os.environ.get("HUOZI_PROVE") == "1"
PROCESSES = 8 if PROVE else 3
CHOICES, MEMBERS, PEOPLE = (8, 25, 10_000) if PROVE else (4, 3, 240)
SECONDS = 1500 if PROVE else 120
STORES = [("sqlite", "sql"), ("postgresql", "sql"), ("postgresql", "redis")]

each_store = pytest.mark.parametrize(("database_url", "store"), STORES, indirect=["database_url"])


def choose_many(environ: dict[str, str], slug: str, choice_ids: list[int], numbers: list[int]) -> dict[str, int]:
    """One process: each of these people scans, taps their choice twice at once, changes their mind in vain, comes back.
    Answers the choice each was given."""
    house = wiring.build(load(environ))
    made: dict[str, int] = {}
    with ThreadPoolExecutor(2) as taps:
        for number in numbers:
            key, wish = f"{number:022d}", choice_ids[number % len(choice_ids)]
            first = Scanner(visitor=key, first=True, address_place=Place.UNKNOWN, language="zh")
            assert house.decider.scan(slug, first).decision.outcome is Outcome.CHOOSE
            again = Scanner(visitor=key, first=False, address_place=Place.UNKNOWN, language="zh")
            answers = list(taps.map(lambda _tap, who=again, what=wish: house.decider.choose(slug, who, what), range(2)))
            if number % 7 == 0:
                house.decider.choose(slug, again, choice_ids[(number + 1) % len(choice_ids)])
            back = house.decider.scan(slug, again)
            shown = {_shown(answer) for answer in [*answers, back]}
            assert len(shown) == 1, f"{key} was shown {shown}"
            assert back.seat is not None
            made[key] = back.seat.choice_id or 0
    house.close()
    return made


def _shown(answer: Any) -> int:
    assert isinstance(answer, Answer), answer
    assert answer.decision.member is not None, answer.decision
    return answer.decision.member.id


@each_store
def test_a_crowd_chooses_from_many_processes(
    engine: Engine, database_url: str, store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environ = {"HUOZI_DATA_DIR": str(tmp_path / "data"), "HUOZI_DATABASE_URL": database_url, "HUOZI_SECRET_KEY": "k"}
    if store == "redis":
        environ["HUOZI_REDIS_URL"] = request.getfixturevalue("redis_url")
    with Session(engine) as session, writing(session):
        code = make.live_code_row(session, kind="grouped", choice_policy="one", mode="round_robin")
        choices = [make.choice_row(session, code, tag=f"tag {number}").id for number in range(CHOICES)]
        # Exactly as many seats as people: one lost or doubled, and somebody finds no room.
        members = [
            make.member_row(session, code, choice_id=choice, capacity=PEOPLE // CHOICES // MEMBERS).id
            for choice in choices
            for _ in range(MEMBERS)
        ]
        slug, live_code_id = code.slug, code.id
    made = _crowd(environ, slug, choices)
    assert len(made) == PEOPLE
    house = wiring.build(load(environ))
    house.drainer.run_until_empty()
    held = _seats(engine, live_code_id)
    assert held == made, "a seat says another choice than its visitor was given"
    assert _tags(engine) == made, "a tag says another choice than its visitor was given"
    assert Counter(_members(engine, live_code_id).values()) == dict.fromkeys(members, PEOPLE // CHOICES // MEMBERS)
    house.close()


def _crowd(environ: dict[str, str], slug: str, choices: list[int]) -> dict[str, int]:
    script = (
        "import json, sys; from tests.people.test_choosing_at_once import choose_many; "
        "print(json.dumps(choose_many(**json.loads(sys.argv[1]))))"
    )
    running = []
    for process in range(PROCESSES):
        numbers = list(range(process, PEOPLE, PROCESSES))
        asked = json.dumps({"environ": environ, "slug": slug, "choice_ids": choices, "numbers": numbers})
        command = [sys.executable, "-c", script, asked]
        running.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    made: dict[str, int] = {}
    for one in running:
        out, words = one.communicate(timeout=SECONDS)
        assert one.returncode == 0, words[-2000:]
        made |= json.loads(out)
    return made


def _seats(engine: Engine, live_code_id: int) -> dict[str, int]:
    query = sa.select(seats.c.visitor, seats.c.choice_id).where(seats.c.live_code_id == live_code_id, seats.c.counted)
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _members(engine: Engine, live_code_id: int) -> dict[str, int]:
    query = sa.select(seats.c.visitor, seats.c.member_id).where(seats.c.live_code_id == live_code_id)
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _tags(engine: Engine) -> dict[str, int]:
    """Everybody carries one, so that the number of rows is the number of people."""
    query = sa.select(Visitor.key, VisitorTag.choice_id).join(VisitorTag, VisitorTag.visitor_id == Visitor.id)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    assert len(rows) == len({row[0] for row in rows}), "somebody carries two tags"
    return {row[0]: row[1] for row in rows}
