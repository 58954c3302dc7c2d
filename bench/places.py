"""Live codes for the benchmark, written by the same store the panel uses, and addresses of people in many cities."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from random import Random

from sqlalchemy.orm import Session

from app.codes.models import LiveCode
from app.db import make_engine, writing
from app.outside.geo import BUNDLED, Geo
from app.settings import load
from tests import make

ROOM = 10_000_000
CITIES, ADDRESSES = 40, 400


@dataclass(frozen=True)
class Codes:
    """Slugs: of ten members in sequential mode and in turns, of 200 (likewise), and of 200 in forty cities."""

    few: str
    turns: str
    many: str
    many_turns: str
    many_random: str
    regions: str


def seed(environ: Mapping[str, str], cities: Mapping[str, list[str]]) -> Codes:
    engine = make_engine(load(environ).database_url)
    names = sorted(cities)
    with Session(engine, expire_on_commit=False) as session, writing(session):
        owner = make.user_row(session)

        def live_code(slug: str, members: int, mode: str = "sequential", *, regions: bool = False) -> str:
            code = make.live_code_row(session, owner, slug=f"bench-{slug}", title="广州福利群", mode=mode)
            for number in range(members):
                _member(session, code, number, [names[number % len(names)]] if regions else [])
            return code.slug

        made = Codes(
            few=live_code("few", 10),
            turns=live_code("turns", 10, "round_robin"),
            many=live_code("many", 200),
            many_turns=live_code("many-turns", 200, "round_robin"),
            many_random=live_code("many-random", 200, "random"),
            regions=live_code("regions", 200, regions=True),
        )
    engine.dispose()
    return made


def _member(session: Session, code: LiveCode, number: int, regions: list[str]) -> None:
    more = {"regions": regions} if regions else {}
    make.member_row(session, code, public_name=f"福利{number + 1}群", capacity=ROOM, position=number, **more)


def addresses() -> dict[str, list[str]]:
    """Addresses by the city the bundled database says they are in: forty cities, ten each."""
    geo, dice = Geo(BUNDLED), Random(7)
    found: dict[str, list[str]] = {}
    full: dict[str, list[str]] = {}
    while len(full) < CITIES:
        address = str(IPv4Address(dice.getrandbits(32)))
        path = geo.place(address).region or ""
        if path.startswith("CN/") and path.count("/") == 2:
            here = found.setdefault(path, [])
            here.append(address)
            if len(here) >= ADDRESSES // CITIES:
                full[path] = here[: ADDRESSES // CITIES]
    return full
