"""The owner's swap link: three taps for them, nothing for anybody else."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.alerts import links
from app.alerts.models import SwapLink
from app.codes.models import Member, MemberVersion
from app.db import writing
from app.db.audit import Actor, AuditEntry
from app.outside.images import MAX_BYTES
from app.web.signing import sign
from tests import make, pictures
from tests.alerts.conftest import World, real_now

# That two processes cannot both take the last use is shown on both databases by the rounds' tests: one conditional
# UPDATE, as here.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BOSS = Actor("boss@example.com")


def picture(payload: str = pictures.GROUP) -> bytes:
    out = io.BytesIO()
    pictures.screen(payload).save(out, "PNG")
    return out.getvalue()


class Owner:
    """Somebody with a phone and nothing else."""

    def __init__(self, world: World, client: FlaskClient, member: Member, **more: Any) -> None:
        self.world, self.client, self.member_id = world, client, member.id
        now = more.pop("now", real_now())
        with writing(world.session):
            link = links.make(world.session, BOSS, member.id, version=1, now=now, **more)
            self.link_id, self.token = link.id, links.token_of(link, world.desk.key)

    @property
    def path(self) -> str:
        return f"/swap/{self.token}"

    def opens(self) -> TestResponse:
        return self.client.get(self.path)

    def picks(self, data: bytes, path: str | None = None) -> TestResponse:
        file = (io.BytesIO(data), "screenshot.png")
        return self.client.post(path or self.path, data={"image": file}, content_type="multipart/form-data")

    def says_yes(self, read: TestResponse, **more: str) -> TestResponse:
        return self.client.post(self.path, data={"bound": bound_in(read), **more})

    def row(self) -> SwapLink:
        self.world.session.rollback()
        row = self.world.session.get(SwapLink, self.link_id)
        assert row is not None
        return row


def bound_in(page: TestResponse) -> str:
    found = re.search(r'name="bound" value="([^"]+)"', page.text)
    return found[1] if found else ""


def versions(world: World, member_id: int) -> list[MemberVersion]:
    world.session.rollback()
    query = sa.select(MemberVersion).where(MemberVersion.member_id == member_id).order_by(MemberVersion.number)
    return list(world.session.scalars(query))


@pytest.fixture
def client(app: Any) -> FlaskClient:
    """A browser that sends no token of ours: an owner's phone."""
    app.test_client_class = FlaskClient
    return app.test_client()  # type: ignore[no-any-return]


@pytest.fixture
def make_owner(world: World, client: FlaskClient) -> Callable[..., Owner]:
    code = world.live_code(title="春日读书会")

    def make_one(member: Member | None = None, **more: Any) -> Owner:
        shown = member or world.member(code, public_name="③群", expires_at=real_now() + timedelta(hours=5))
        return Owner(world, client, shown, **more)

    return make_one


def test_three_taps_swap_a_code(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    first = owner.opens()
    assert first.status_code == 200
    assert "③群" in first.text
    assert first.headers["Cache-Control"] == "no-store" and first.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in first.headers
    read = owner.picks(picture())
    assert read.status_code == 200 and bound_in(read)
    assert len(versions(world, owner.member_id)) == 1, "reading changes nothing"
    done = owner.says_yes(read)
    assert done.status_code == 200 and "Swapped" in done.text
    found = versions(world, owner.member_id)
    assert [(version.number, version.generation, version.created_by) for version in found] == [
        (1, 1, ""), (2, 1, f"swap link {owner.link_id}"),
    ]  # fmt: skip
    assert found[1].target == pictures.GROUP
    assert found[1].expires_at is not None and found[1].expires_at > real_now() + timedelta(days=6)


def test_every_use_is_written_down(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    owner.says_yes(owner.picks(picture()))
    entries = world.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    told = [(entry.action, entry.actor, entry.object_id) for entry in entries]
    by = f"swap link {owner.link_id}"
    assert told == [
        ("swap_link.made", "boss@example.com", owner.member_id),
        ("swap_link.used", by, owner.member_id),
        ("member.swapped", by, owner.member_id),
    ]


def test_a_new_group_begins_a_new_count(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    owner.says_yes(owner.picks(picture()), new_group="1")
    assert [version.generation for version in versions(world, owner.member_id)] == [1, 2]


@pytest.mark.parametrize(("headcount", "box"), [(4, ""), (5, " checked")])
def test_a_full_group_is_taken_to_be_followed_by_a_new_one(
    headcount: int, box: str, make_owner: Callable[..., Owner], world: World
) -> None:
    owner = make_owner(world.member(world.live_code(), capacity=5, headcount=headcount))
    assert re.findall(r'name="new_group" value="1"( checked)?', owner.picks(picture()).text) == [box]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"state": "disabled"}, "switched off"),
        ({"state": "reserve"}, "kept in reserve"),
        ({"capacity": 5, "headcount": 5}, "still full"),
    ],
)
def test_who_swapped_what_nobody_is_shown_is_told_so(
    more: dict[str, Any], told: str, make_owner: Callable[..., Owner], world: World
) -> None:
    owner = make_owner(world.member(world.live_code(), **more))
    done = owner.says_yes(owner.picks(picture()))
    assert done.status_code == 200 and told in done.text and "Whoever scans next" not in done.text


def test_a_link_works_once(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    read, second = owner.picks(picture()), owner.picks(picture(pictures.OTHER_GROUP))
    assert owner.says_yes(read).status_code == 200
    for answer in (owner.opens(), owner.picks(b"x"), owner.says_yes(second)):
        assert answer.status_code == 410 and "used already" in answer.text
    assert len(versions(world, owner.member_id)) == 2
    assert owner.row().uses == 1


def test_a_link_may_be_made_for_several_uses(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner(most_uses=2)
    owner.says_yes(owner.picks(picture()))
    owner.says_yes(owner.picks(picture(pictures.OTHER_GROUP)))
    assert owner.opens().status_code == 410
    assert len(versions(world, owner.member_id)) == 3


def test_a_failed_swap_costs_no_use(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    read = owner.picks(picture())
    world.member(world.session.get(Member, owner.member_id).live_code, target=pictures.GROUP)  # type: ignore[union-attr]
    refused = owner.says_yes(read)
    assert refused.status_code == 422 and "here already" in refused.text
    assert owner.row().uses == 0


@pytest.mark.parametrize("spoil", ["letter", "shorter", "empty", "foreign", "other purpose"])
def test_a_tampered_link_is_refused(spoil: str, make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    payload = f"{owner.link_id}.{owner.member_id}".encode()
    token = {
        "letter": owner.token[:-1] + ("A" if owner.token[-1] != "A" else "B"),
        "shorter": owner.token[:-4],
        "empty": "x",
        "foreign": sign(links.PURPOSE, payload, "another key"),
        "other purpose": sign("trial", payload, world.desk.key),
    }[spoil]
    for answer in (owner.client.get(f"/swap/{token}"), owner.picks(b"x", f"/swap/{token}")):
        assert answer.status_code == 404
        assert "③群" not in answer.text
    assert len(versions(world, owner.member_id)) == 1


def test_a_link_signed_for_another_member_is_refused(make_owner: Callable[..., Owner], world: World) -> None:
    mine, other = make_owner(), make_owner()
    forged = sign(links.PURPOSE, f"{mine.link_id}.{other.member_id}".encode(), world.desk.key)
    assert mine.client.get(f"/swap/{forged}").status_code == 404


def test_an_expired_link_is_refused(make_owner: Callable[..., Owner]) -> None:
    owner = make_owner(now=real_now() - timedelta(days=4))
    answer = owner.opens()
    assert answer.status_code == 410 and "expired" in answer.text
    assert owner.picks(b"x").status_code == 410


def test_a_withdrawn_link_is_refused(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    read = owner.picks(picture())
    with writing(world.session):
        assert links.revoke(world.session, BOSS, owner.link_id, real_now())
    assert owner.opens().status_code == 410
    assert owner.says_yes(read).status_code == 410
    assert len(versions(world, owner.member_id)) == 1


def test_what_was_read_for_one_member_cannot_be_bound_to_another(
    make_owner: Callable[..., Owner], world: World
) -> None:
    mine, other = make_owner(), make_owner()
    read = other.picks(picture())
    refused = mine.client.post(mine.path, data={"bound": bound_in(read)})
    assert refused.status_code == 422
    assert len(versions(world, mine.member_id)) == 1
    assert mine.row().uses == 0


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES + 1, 422), (MAX_BYTES + 5_000_000, 413)])
def test_an_oversized_file_is_refused(size: int, status: int, make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    # By hand: the test client would keep a body of this size in a file that it forgets to close.
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG'
    body = head + b"0" * (size - 4) + b"\r\n--x--\r\n"
    answer = owner.client.post(
        owner.path,
        input_stream=io.BytesIO(body),
        content_length=len(body),
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == status
    assert len(versions(world, owner.member_id)) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture at all", "no picture"),
        (picture(pictures.PAYMENT), "payment code"),
        (b"", "no picture"),
    ],
)
def test_what_is_no_code_is_told_in_words(data: bytes, words: str, make_owner: Callable[..., Owner]) -> None:
    answer = make_owner().picks(data)
    assert answer.status_code == 422
    assert words in answer.text
    assert not bound_in(answer)


def test_the_code_shown_now_is_told(make_owner: Callable[..., Owner], world: World) -> None:
    member = world.member(world.live_code(), target=pictures.GROUP)
    answer = make_owner(member).picks(picture())
    assert answer.status_code == 422 and "shown now" in answer.text


def test_nothing_picked_is_told(make_owner: Callable[..., Owner]) -> None:
    owner = make_owner()
    answer = owner.client.post(owner.path, data={})
    assert answer.status_code == 422 and "Pick a screenshot" in answer.text


def test_an_archived_member_s_link_is_over(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    member = world.session.get(Member, owner.member_id)
    assert member is not None
    world.change(member, state="archived")
    assert owner.opens().status_code == 410


def test_too_many_pictures_are_too_many(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    with writing(world.session):
        world.session.execute(sa.update(SwapLink).values(reads=links.MOST_READS))
    assert owner.picks(b"x").status_code == 409


def test_two_who_say_yes_at_once_swap_once(make_owner: Callable[..., Owner], world: World) -> None:
    owner = make_owner()
    with writing(world.session):
        assert links.take_use(world.session, BOSS, owner.link_id, owner.member_id, real_now())
        assert not links.take_use(world.session, BOSS, owner.link_id, owner.member_id, real_now())


def test_the_token_is_not_written_into_the_log(
    make_owner: Callable[..., Owner], capsys: pytest.CaptureFixture[str]
) -> None:
    owner = make_owner()
    owner.opens()
    assert owner.token not in capsys.readouterr().err


def test_an_alert_s_link_is_the_same_until_it_is_used(world: World) -> None:
    member = world.member(world.live_code())
    now = real_now()
    with writing(world.session):
        one = links.for_alert(world.session, member.id, 1, now).id
        assert links.for_alert(world.session, member.id, 1, now).id == one
        assert links.for_alert(world.session, member.id, 2, now).id != one
        assert links.take_use(world.session, BOSS, one, member.id, now)
        world.session.expire_all()
        assert links.for_alert(world.session, member.id, 1, now).id != one


def test_the_page_speaks_chinese(make_owner: Callable[..., Owner]) -> None:
    owner = make_owner()
    assert "选新码截图" in owner.client.get(owner.path, headers={"Accept-Language": "zh-CN"}).text
    assert make.NOW
