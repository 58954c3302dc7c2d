"""`flask --app wsgi demo load`: groups in three cities, a live code that asks, and a staff one, to look around in.

Everything is made by the features themselves, as a marketer would make it; the links are invented and lead nowhere.
Part of the wiring, because it needs a user to own it all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes import choices, members, store, uploads
from app.codes.changes import Asker, Refused
from app.codes.desk import DESK, Desk
from app.codes.models import LiveCode
from app.codes.versions import Bound
from app.db import db, writing
from app.db.audit import COMMAND_LINE

demo = AppGroup("demo", help="Demo data.")


@dataclass(frozen=True, slots=True)
class Person:
    """One member to be: `link` as its code would say it, the rest as `members.add_member` takes it."""

    link: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Poster:
    """One live code to be; members by the title of the choice that owns them, "" for none."""

    values: dict[str, Any]
    members: dict[str, list[Person]]
    choices: list[dict[str, Any]] = field(default_factory=list)


def register(app: Flask) -> None:
    app.cli.add_command(demo)


@demo.command("load")
@click.option("--if-empty", is_flag=True, help="Do nothing where there is a live code already.")
@click.option("--owner", help="E-mail of the user who gets it (default: the first administrator).")
def load(if_empty: bool, owner: str | None) -> None:
    """Make three live codes with members, in every state there is."""
    user = owner_of(db.session, owner)
    if user is None:
        raise click.ClickException("There is no such user. Make one first: flask --app wsgi user create …")
    if if_empty and _has_any(db.session):
        return
    desk: Desk = current_app.extensions[DESK]
    user_id, now = user.id, desk.clock()
    posters = list(_posters(now))
    bound = {person.link: _bind(desk, person.link) for poster in posters for person in _people(poster)}
    with writing(db.session) as session:
        if if_empty and _has_any(session):
            return
        for poster in posters:
            live_code = _make(session, poster, user_id, bound, now)
            click.echo(f"demo: {live_code.title}  {desk.short_url(live_code)}")


def owner_of(session: Session, email: str | None) -> User | None:
    query = sa.select(User).where(User.is_active).order_by(User.role != "admin", User.id)
    if email is not None:
        query = query.where(User.email == email.strip().lower())
    return session.scalars(query).first()


def _has_any(session: Session) -> bool:
    return bool(session.scalar(sa.select(sa.exists(sa.select(LiveCode.id)))))


def _people(poster: Poster) -> Iterator[Person]:
    for group in poster.members.values():
        yield from group


def _bind(desk: Desk, link: str) -> Bound:
    bound = uploads.bind_link(desk.shelves, link)
    assert isinstance(bound, Bound), bound
    return bound


def _make(session: Session, poster: Poster, user_id: int, bound: dict[str, Bound], now: datetime) -> LiveCode:
    asker = Asker(COMMAND_LINE, None)
    live_code = store.create_live_code(session, asker, poster.values, owner_id=user_id)
    ids: dict[str, int | None] = {"": None}
    for values in poster.choices:
        choice = choices.add_choice(session, asker, live_code.id, values)
        assert not isinstance(choice, Refused), choice
        ids[choice.title] = choice.id
    for title, people in poster.members.items():
        for person in people:
            values = person.values | {"choice_id": ids[title]}
            made = members.add_member(session, asker, live_code.id, bound[person.link], values, now=now)
            assert not isinstance(made, Refused), made
    return live_code


def _posters(now: datetime) -> Iterator[Poster]:
    yield Poster(
        {
            "name": "春日读书会（三城）",
            "title": "春日读书会",
            "notice": "每周三晚一起读一本书，入群看置顶。",
            "contact_text": "群都满了？联系小禾",
            "contact_phone": "400-000-0000",
        },
        {
            "": [
                _group("gz1", "广州读书会①群", "CN/CN-GD", headcount=165),
                _group("gz2", "广州读书会②群", "CN/CN-GD", state="reserve"),
                _group("cd1", "成都读书会①群", "CN/CN-SC/510100"),
                _group("sh1", "上海读书会①群", "CN/CN-SH", expires_at=now - timedelta(hours=5)),
                _group("sh2", "上海读书会②群", "CN/CN-SH", expires_at=now + timedelta(hours=20)),
                _group("all", "各地读书会群"),
                Person(_contact("xiaohe"), {"label": "小禾（备用）", "public_name": "小禾", "is_fallback": True}),
            ]
        },
    )
    yield Poster(
        {
            "name": "福利群，自己选",
            "title": "想进哪个群？",
            "notice": "选一个你感兴趣的，每人一个群。",
            "kind": "grouped",
            "choice_policy": "change_once",
        },
        {
            "护肤": [_group("skin1", "护肤福利①群"), _group("skin2", "护肤福利②群")],
            "母婴": [_group("baby1", "母婴福利①群", headcount=195), _group("baby2", "母婴福利②群")],
            "健身": [_group("fit1", "健身打卡群", windows=[{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "21:00"}])],
        },
        [
            {"title": "护肤", "description": "新品试用、成分答疑", "tag": "护肤"},
            {"title": "母婴", "description": "0-3 岁，好物拼单", "tag": "母婴"},
            {"title": "健身", "description": "工作日打卡，教练在线", "tag": "健身"},
        ],
    )
    yield Poster(
        {"name": "售后客服（轮流）", "title": "添加专属客服", "mode": "round_robin", "on_closed_member": "reassign"},
        {
            "": [
                Person(_contact("kefu-lin"), {"label": "小林（老手，三份）", "public_name": "客服小林", "weight": 3}),
                Person(_contact("kefu-chen"), {"label": "小陈", "public_name": "客服小陈", "daily_capacity": 60}),
                Person(_staff("0123456789abcdef"), {"label": "小周（企微）", "public_name": "客服小周"}),
                Person(_contact("kefu-wu"), {"label": "小吴（休假）", "public_name": "客服小吴", "state": "disabled"}),
            ]
        },
    )


def _group(mark: str, name: str, *places: str, **more: Any) -> Person:
    """A WeChat group. Its link has the form of a real one and is none: "demo" stands in the middle of it."""
    link = f"https://weixin.qq.com/g/AwYAAdemo{mark}{'0' * (60 - len(mark))}"
    return Person(link, {"label": name, "public_name": name, "regions": list(places)} | more)


def _contact(mark: str) -> str:
    return f"https://u.wechat.com/demo-{mark}"


def _staff(mark: str) -> str:
    return f"https://work.weixin.qq.com/u/vc{mark}?v=4.1.0"
