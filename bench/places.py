"""Live codes for the benchmark, written by the same store the panel uses."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.codes.models import LiveCode
from app.db import make_engine, writing
from app.rules.regions import REGIONS
from app.settings import load
from tests import make

ROOM = 10_000_000
CITIES = [key for key in REGIONS if key.count("/") == 2][:40]


def seed(environ: Mapping[str, str]) -> dict[str, str]:
    """Slugs by name: `few` (10 members), `round_robin` (10), `regions` (200 members in 40 cities, and for anybody)."""
    engine = make_engine(load(environ).database_url)
    with Session(engine, expire_on_commit=False) as session, writing(session):
        owner = make.user_row(session)
        few = make.live_code_row(session, owner, slug="bench-few", title="广州福利群")
        turns = make.live_code_row(session, owner, slug="bench-turns", title="广州福利群", mode="round_robin")
        regions = make.live_code_row(session, owner, slug="bench-regions", title="广州福利群")
        for number in range(10):
            for code in (few, turns):
                _member(session, code, number)
        for number in range(200):
            _member(session, regions, number, regions=[CITIES[number % len(CITIES)]])
    engine.dispose()
    return {"few": few.slug, "round_robin": turns.slug, "regions": regions.slug}


def _member(session: Session, code: LiveCode, number: int, **more: object) -> None:
    make.member_row(session, code, public_name=f"福利{number + 1}群", capacity=ROOM, position=number, **more)
