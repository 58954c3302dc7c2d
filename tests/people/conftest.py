"""Bob, a marketer with two live codes; Carl, another one; Alice, who administers; and people who scanned."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import make_engine, writing
from tests import make
from tests.happen import at, event, happened
from tests.panel import Somebody, somebody


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Town:
    """Ann was at Bob's code 1 and chose 母婴, Bea at his 2; Ann and Cho were at Carl's code 3, where Ann chose 数码."""

    alice: Somebody
    bob: Somebody
    carl: Somebody
    choice: int
    member: int

    def visitor(self, asker: Somebody, **query: object) -> int:
        """The id of the only visitor this query finds."""
        [found] = asker.answer("/visitors", query_string=query)["items"]
        return int(found["id"])


@pytest.fixture
def town(app: Flask, engine: Engine) -> Town:
    alice, bob, carl = somebody(app, engine, "admin"), somebody(app, engine), somebody(app, engine)
    with Session(engine) as session, writing(session):
        codes = {
            id: make.live_code_row(session, id=id, owner_id=owner.id, name=name, title=f"{name}的页面", kind="grouped")
            for id, owner, name in ((1, bob, "海报"), (2, bob, "传单"), (3, carl, "门店"))
        }
        choice = make.choice_row(session, codes[1], title="母婴群", tag="母婴").id
        member = make.member_row(session, codes[1], label="内部三群", public_name="妈妈群").id
    happened(
        engine,
        event("choose", visitor="ann", at=at("2026-11-02 10:00"), outcome="assigned", tag="母婴", choice_id=choice,
              member_id=member, placement="门口", region="CN/CN-GD/440100"),
        event(visitor="ann", at=at("2026-11-02 11:00"), outcome="returning", member_id=member, choice_id=choice,
              region="CN/CN-GD/440100"),
        event("press", visitor="ann", at=at("2026-11-02 11:01"), member_id=member, choice_id=choice),
        event(visitor="ann", live_code_id=3, at=at("2026-11-03 09:00"), tag="数码", choice_id=9, region="US",
              device="pad"),
        event(visitor="bea", live_code_id=2, at=at("2026-11-02 12:00"), region="CN/CN-BJ"),
        event(visitor="cho", live_code_id=3, at=at("2026-11-02 13:00"), region="CN/CN-BJ"),
    )  # fmt: skip
    return Town(alice, bob, carl, choice, member)
