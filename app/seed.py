"""`flask --app wsgi demo seed` and `demo scans`: an installation as large as one gets, or a month of scans that never
were.

For measuring and for pictures. What happened is written straight into roll-ups, counts and visitors: ten million scans
take the service a day and this some minutes. Single events are not made up. Part of the wiring, because it writes into
the tables of every feature; what is made once for a person to look around in is in `demo`.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from random import Random
from typing import Any, TypeVar

import click
import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from app.codes import uploads
from app.codes.desk import DESK, Desk
from app.codes.models import Choice, LiveCode, Member, MemberGeneration, MemberVersion, Placement
from app.codes.versions import Bound
from app.db import db, writing
from app.demo import demo, owner_of
from app.ledger.tables import member_counts
from app.people.models import Order, Tag, Visitor, VisitorLiveCode, VisitorTag, Worth
from app.rules.slugs import make_slug
from app.seed_rows import Writer
from app.stats.models import DAY_ROLLUPS, NO_ID, ROLLUPS, rollup_total, rollup_total_day

AT_ONCE = 20_000
MEMBERS_EACH = 4
CAPACITY = 195
DAY_SCANS = 20  # fewer a day are not made up: a code that is hardly scanned has days without a scan
HOURLY_DAYS = 2  # how far back hours are told apart by more than their total: pages read whole days from days

# How much of a day falls into each hour, and into each day of a week that begins on Monday.
HOURS = (1, 1, 0, 0, 0, 1, 3, 6, 9, 11, 13, 15, 18, 14, 12, 12, 13, 16, 21, 25, 24, 17, 9, 4)
WEEK = (9, 9, 10, 11, 13, 17, 16)
REGIONS = {"CN/CN-GD/440100": 30, "CN/CN-GD/440300": 21, "CN/CN-SC/510100": 15, "CN/CN-ZJ/330100": 9,
           "CN/CN-HB/420100": 6, "CN/CN-BJ": 6, "CN/CN-GD": 4, "US": 1, "": 3}  # fmt: skip
DEVICES = {"android": 55, "ios": 38, "harmony": 6, "desktop": 1}
APPS = {"wechat": 88, "wecom": 4, "browser": 3, "qq": 2, "alipay": 2, "douyin": 1}
OUTCOMES = {"assigned": 58, "returning": 33, "fallback": 3, "full": 2, "elsewhere": 2, "held": 1, "preview": 1}

TAGS = {"母婴": "behaviour", "护肤": "behaviour", "健身": "behaviour", "犹豫": "predicted", "团长": "business"}
TAGGED_SHARE, BUYERS_SHARE = 0.6, 0.15

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Behind:
    """What scans of one live code can be told apart by. `members` and `choices` are ids, `placements` keys."""

    live_code_id: int
    members: Sequence[int]
    choices: Sequence[int] = ()
    placements: Sequence[str] = ()


@demo.command("seed")
@click.option("--live-codes", default=5000, show_default=True)
@click.option("--members", default=200, show_default=True, help="Members of the most scanned live code.")
@click.option("--scans", default=10_000_000, show_default=True)
@click.option("--days", default=90, show_default=True, help="How long ago the first scan was.")
@click.option("--visitors", default=50_000, show_default=True)
@click.option("--owner", help="E-mail of the user who gets it (default: the first administrator).")
def seed(live_codes: int, members: int, scans: int, days: int, visitors: int, owner: str | None) -> None:
    """Fill the database for measuring. Not for an installation that anybody uses."""
    user = owner_of(db.session, owner)
    if user is None:
        raise click.ClickException("There is no such user. Make one first: flask --app wsgi user create …")
    desk: Desk = current_app.extensions[DESK]
    picture = uploads.bind_link(desk.shelves, "https://weixin.qq.com/g/AwYAAseed" + "0" * 24)
    assert isinstance(picture, Bound), picture
    user_id, now = user.id, desk.clock()
    numbers = [members, *[MEMBERS_EACH] * (live_codes - 1)][:live_codes]
    made = _make_live_codes(db.session, user_id, numbers, picture, now)
    _make_scans(db.session, made, scans, days, now, desk.zone)
    _make_visitors(db.session, made, visitors, now)
    click.echo(f"demo: {len(made)} live codes, {sum(numbers)} members, {scans} scans, {visitors} visitors")


@demo.command("scans")
@click.option("--scans", default=6000, show_default=True)
@click.option("--days", default=30, show_default=True)
def make_up_scans(scans: int, days: int) -> None:
    """Make up scans of live codes that have none: statistics to look at."""
    session, desk = db.session, current_app.extensions[DESK]
    wanted = sa.select(LiveCode.id).where(LiveCode.id.not_in(sa.select(rollup_total_day.c.live_code_id)))
    behind = [_behind(session, live_code_id) for live_code_id in session.scalars(wanted.order_by(LiveCode.id))]
    _make_scans(session, behind, scans, days, desk.clock(), desk.zone)
    click.echo(f"demo: {scans if behind else 0} scans of {len(behind)} live codes")


def _behind(session: Session, live_code_id: int) -> Behind:
    def ids(table: Any, column: Any) -> list[Any]:
        return list(session.scalars(sa.select(column).where(table.live_code_id == live_code_id)))

    return Behind(live_code_id, ids(Member, Member.id), ids(Choice, Choice.id), ids(Placement, Placement.key))


def _make_live_codes(
    session: Session, owner_id: int, numbers: Sequence[int], picture: Bound, now: datetime
) -> list[Behind]:
    """One live code for each number, with so many members."""
    with writing(session):
        slugs = {make_slug(secrets.randbelow) for _ in range(len(numbers) * 2)}
        slugs -= set(session.scalars(sa.select(LiveCode.slug)))
        codes = [
            {"slug": slug, "owner_id": owner_id, "name": f"门店 {rank:04d} 福利群", "title": "门店福利群"}
            for rank, slug in zip(range(1, len(numbers) + 1), sorted(slugs), strict=False)
        ]
        code_ids = _inserted(session, LiveCode, codes)
        wanted = [
            (code_id, place) for code_id, number in zip(code_ids, numbers, strict=True) for place in range(number)
        ]
        member_ids = _inserted(session, Member, [_member(code_id, place) for code_id, place in wanted])
        found: dict[int, list[int]] = defaultdict(list)
        for (code_id, _), member_id in zip(wanted, member_ids, strict=True):
            found[code_id].append(member_id)
        _make_versions(session, member_ids, picture, now)
    return [Behind(code_id, found[code_id]) for code_id in code_ids]


def _inserted(session: Session, model: Any, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Their ids, in the rows' order."""
    if not rows:
        return []
    statement = sa.insert(model).returning(model.id, sort_by_parameter_order=True)
    return list(session.scalars(statement, list(rows)))


def _member(live_code_id: int, place: int) -> dict[str, Any]:
    return {
        "live_code_id": live_code_id,
        "kind": "wechat_group",
        "label": f"{place + 1} 群",
        "public_name": f"门店福利 {place + 1} 群",
        "capacity": CAPACITY,
        "position": place + 1,
        "current_version": 1,
        "regions": ["CN/CN-GD"] if place % 5 == 1 else [],
        "windows": [],
    }


def _make_versions(session: Session, member_ids: Sequence[int], picture: Bound, now: datetime) -> None:
    """One version each, all of one picture; one in fifty expires within two days, one in five is full."""
    for part in _heaps(enumerate(member_ids)):
        versions, generations, counts = [], [], []
        for index, member_id in part:
            expires_at = now + timedelta(hours=30 if index % 50 == 7 else 24 * 6)
            versions.append(
                {
                    "member_id": member_id, "number": 1, "generation": 1, "kind": picture.kind,
                    "target": f"{picture.target}{member_id:08d}", "canonical": f"{picture.canonical}{member_id:08d}",
                    "image": picture.image, "expires_at": expires_at, "expiry_source": "guessed",
                }
            )  # fmt: skip
            generations.append({"member_id": member_id, "number": 1, "counted_from": 1})
            taken = CAPACITY if index % 5 == 0 else index * 37 % CAPACITY
            counts.append(
                {"member_id": member_id, "counted_from": 1, "generation": 1, "counted": taken, "pressed": taken // 2}
            )
        session.execute(sa.insert(MemberVersion), versions)
        session.execute(sa.insert(MemberGeneration), generations)
        session.execute(sa.insert(member_counts), counts)


def _make_scans(session: Session, behind: Sequence[Behind], scans: int, days: int, now: datetime, zone: tzinfo) -> None:
    """`scans` in all: the second most scanned live code has half as many as the first, the third a third."""
    writer = Writer(session)
    for one, total in zip(behind, split(scans, [1 / rank for rank in range(1, len(behind) + 1)]), strict=True):
        _scans_of(writer, one, total, days, now.astimezone(zone))
    writer.finish()


def _scans_of(writer: Writer, behind: Behind, total: int, days: int, now: datetime) -> None:
    active = min(days, max(1, total // DAY_SCANS))
    dates = [now.date() - timedelta(days=days * ago // active) for ago in reversed(range(active))]
    passed = HOURS[: now.hour + 1]
    shares = [WEEK[day.weekday()] * (sum(passed) / sum(HOURS) if day == now.date() else 1) for day in dates]
    for day, scans in zip(dates, split(total, shares), strict=True):
        if scans:
            _scans_on(writer, behind, day, scans, passed if day == now.date() else HOURS, now)


def _scans_on(writer: Writer, behind: Behind, day: date, scans: int, hours: Sequence[int], now: datetime) -> None:
    code = behind.live_code_id
    writer.add(rollup_total_day, {"live_code_id": code, "day": day, **counts_of(scans)})
    for name, key, share in _keys(behind, scans):
        writer.add(DAY_ROLLUPS[name], {"live_code_id": code, "day": day, "key": key, **counts_of(share, name, key)})
    is_recent = now.date() - day < timedelta(days=HOURLY_DAYS)
    for number, within in enumerate(split(scans, hours)):
        if within:
            hour = datetime.combine(day, time(number), now.tzinfo).astimezone(UTC)
            counts = counts_of(within)
            writer.add(
                rollup_total, {"live_code_id": code, "hour": hour, **counts, "hour_visitors": counts["visitors"]}
            )
            for name, key, share in _keys(behind, within) if is_recent else ():
                row = {"live_code_id": code, "hour": hour, "key": key, **counts_of(share, name, key)}
                writer.add(ROLLUPS[name], row)


def _keys(behind: Behind, scans: int) -> Iterator[tuple[str, Any, int]]:
    """(dimension, key, how many of these scans), where there are any."""
    several: dict[str, Mapping[Any, float]] = {
        "member": {member: 1 / (rank + 2) for rank, member in enumerate(behind.members[:12])} or {NO_ID: 1},
        "choice": {choice: 1 / (rank + 1) for rank, choice in enumerate(behind.choices)} or {NO_ID: 1},
        "region": REGIONS,
        "outcome": OUTCOMES,
        "device": DEVICES,
        "app": APPS,
        "placement": {key: 1 / (rank + 1) for rank, key in enumerate(behind.placements)} or {"": 1},
    }
    for name, shares in several.items():
        for key, share in zip(shares, split(scans, list(shares.values())), strict=True):
            if share:
                yield name, key, share


def split(total: int, shares: Sequence[float]) -> Iterator[int]:
    """Whole numbers that add up to `total`, in these proportions."""
    whole, reached, given = sum(shares), 0.0, 0
    for share in shares:
        reached += share
        upto = round(total * reached / whole)
        yield upto - given
        given = upto


def counts_of(scans: int, dimension: str = "", key: Any = None) -> dict[str, int]:
    """What comes of so many scans: of a hundred, 72 people, 58 new seats, 41 long-presses."""
    seats = scans if key == "assigned" else 0 if dimension == "outcome" else scans * 58 // 100
    return {
        "scans": scans,
        "visitors": -(-scans * 72 // 100),
        "assigned": seats,
        "pressed": seats * 7 // 10,
        "stuck": seats // 120,
    }


def _make_visitors(session: Session, behind: Sequence[Behind], number: int, now: datetime) -> None:
    """Each has scanned one live code, half of them the first; some carry a tag, some have bought."""
    dice = Random(number)
    with writing(session):
        names = [{"name": name, "category": category} for name, category in TAGS.items()]
        tags = _inserted(session, Tag, names) if session.scalar(sa.select(Tag.id).limit(1)) is None else []
    for part in _heaps(range(number)):
        rows, places = zip(*(_visitor(dice, behind, now) for _ in part), strict=True)
        with writing(session):
            ids = _inserted(session, Visitor, rows)
            under = [{**place, "visitor_id": id} for id, place in zip(ids, places, strict=True)]
            session.execute(sa.insert(VisitorLiveCode), under)
            if given := [_given(dice, place, tags) for place in under if tags and dice.random() < TAGGED_SHARE]:
                session.execute(sa.insert(VisitorTag), given)
            if bought := [_bought(dice, place) for place in under if dice.random() < BUYERS_SHARE]:
                session.execute(sa.insert(Order), [order for order, _ in bought])
                session.execute(sa.insert(Worth), [worth for _, worth in bought])


def _given(dice: Random, place: Mapping[str, Any], tags: Sequence[int]) -> dict[str, Any]:
    tag = dice.choices(tags, range(len(tags), 0, -1))[0]
    return {name: place[name] for name in ("visitor_id", "live_code_id")} | {"tag_id": tag, "at": place["last_at"]}


def _bought(dice: Random, place: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One order of the installation's, and what it is worth."""
    amount, at, visitor_id = dice.randrange(900, 200_000), place["last_at"], place["visitor_id"]
    order = {
        "owner_id": 0, "number": f"seed-{visitor_id}", "visitor_id": visitor_id, "amount_cents": amount,
        "currency": "CNY", "product": "面膜", "at": at,
    }  # fmt: skip
    worth = {
        "owner_id": 0, "visitor_id": visitor_id, "orders": dice.choice((1, 1, 2, 5)), "amount_cents": amount,
        "first_at": at, "last_at": at,
    }  # fmt: skip
    return order, worth


def _visitor(dice: Random, behind: Sequence[Behind], now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    one = behind[0] if dice.random() < 0.5 else dice.choice(behind)
    at = now - timedelta(minutes=dice.randrange(90 * 24 * 60))
    region = _any(dice, REGIONS) or None
    person = {
        "key": f"{dice.getrandbits(88):022x}", "first_seen_at": at, "last_seen_at": at, "scans": 1, "pressed": 1,
        "first_live_code_id": one.live_code_id, "profile_at": at, "region": region, "device": _any(dice, DEVICES),
        "app": "wechat", "language": "zh",
    }  # fmt: skip
    place = {
        "live_code_id": one.live_code_id, "first_at": at, "last_at": at, "scans": 1, "pressed": 1, "stuck": 0,
        "profile_at": at, "region": region, "seat_at": at, "member_id": one.members[0] if one.members else None,
    }  # fmt: skip
    return person, place


def _any(dice: Random, shares: Mapping[str, int]) -> str:
    return dice.choices(list(shares), list(shares.values()))[0]


def _heaps(things: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(things)
    while heap := list(islice(rest, AT_ONCE)):
        yield heap
