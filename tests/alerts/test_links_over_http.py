"""Swap links on the service as it is run for real: gunicorn with two workers, raw HTTP. Whatever is refused here must
leave the code as it was."""

import http.client
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.alerts import links
from app.codes.models import MemberVersion
from app.db import writing
from app.db.audit import Actor
from app.db.engine import make_engine
from app.outside.images import MAX_BYTES
from app.web.signing import sign
from tests import make, pictures
from tests.alerts.conftest import real_now
from tests.conftest import SECRET_KEY
from tests.servers import start_huozi

BOSS = Actor("boss@example.com")
FORM = "application/x-www-form-urlencoded"


@dataclass
class Heard:
    status: int
    text: str

    @property
    def bound(self) -> str:
        found = re.search(r'name="bound" value="([^"]+)"', self.text)
        return found[1] if found else ""


class Street:
    """Whoever is on the internet with an address, and the database that shows what came of it."""

    def __init__(self, url: str, engine: sa.Engine) -> None:
        self.host, self.engine = urlsplit(url).netloc, engine

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = FORM) -> Heard:
        line = http.client.HTTPConnection(self.host, timeout=60)
        try:
            line.request(method, path, body or None, {"Content-Type": kind} if body else {})
            answer = line.getresponse()
            return Heard(answer.status, answer.read().decode())
        finally:
            line.close()

    def sends(self, path: str, data: bytes) -> Heard:
        head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        return self.ask("POST", path, head + data + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")

    def says_yes(self, path: str, bound: str) -> Heard:
        return self.ask("POST", path, urlencode({"bound": bound}).encode())

    def link(self, *, old: timedelta = timedelta()) -> "Link":
        with Session(self.engine) as session:
            with writing(session):
                code = make.live_code_row(session, make.user_row(session))
                member = make.member_row(session, code, expires_at=real_now() + timedelta(hours=5))
                row = links.make(session, BOSS, member.id, version=1, now=real_now() - old)
            return Link(self, row.id, member.id, f"/swap/{links.token_of(row, SECRET_KEY)}")


@dataclass
class Link:
    street: Street
    id: int
    member_id: int
    path: str

    @property
    def versions(self) -> int:
        with Session(self.street.engine) as session:
            query = sa.select(sa.func.count()).where(MemberVersion.member_id == self.member_id)
            return session.scalar(query) or 0

    def read(self) -> Heard:
        return self.street.sends(self.path, picture())

    def answers(self, path: str | None = None) -> list[int]:
        """To everything that can be asked of it."""
        path = path or self.path
        opened, sent = self.street.ask("GET", path), self.street.sends(path, picture())
        return [opened.status, sent.status, self.street.says_yes(path, "x").status]


def picture() -> bytes:
    out = io.BytesIO()
    pictures.screen(make.group_url()).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder: Path = tmp_path_factory.mktemp("links")
    running = start_huozi({"HUOZI_DATA_DIR": str(folder), "HUOZI_SECRET_KEY": SECRET_KEY})
    engine = make_engine(f"sqlite:///{folder / 'huozi.db'}")
    yield Street(running.url, engine)
    engine.dispose()
    running.stop()


def test_a_good_link_swaps_and_the_same_yes_sent_again_does_not(street: Street) -> None:
    link = street.link()
    bound = link.read().bound
    assert (link.versions, bool(bound)) == (1, True)
    assert [street.says_yes(link.path, bound).status for _ in range(3)] == [200, 410, 410]
    assert link.versions == 2


def test_a_used_link_is_refused(street: Street) -> None:
    link = street.link()
    street.says_yes(link.path, link.read().bound)
    assert link.answers() == [410, 410, 410]
    assert link.versions == 2


@pytest.mark.parametrize("spoil", ["last letter", "cut short", "another key", "another purpose"])
def test_a_tampered_link_is_refused(spoil: str, street: Street) -> None:
    link = street.link()
    payload = f"{link.id}.{link.member_id}".encode()
    path = {
        "last letter": link.path[:-1] + ("A" if link.path[-1] != "A" else "B"),
        "cut short": link.path[:-4],
        "another key": f"/swap/{sign(links.PURPOSE, payload, 'another key')}",
        "another purpose": f"/swap/{sign('trial', payload, SECRET_KEY)}",
    }[spoil]
    assert link.answers(path) == [404, 404, 404]
    assert link.versions == 1


def test_a_link_signed_for_a_foreign_member_is_refused(street: Street) -> None:
    mine, other = street.link(), street.link()
    forged = sign(links.PURPOSE, f"{mine.id}.{other.member_id}".encode(), SECRET_KEY)
    assert mine.answers(f"/swap/{forged}") == [404, 404, 404]
    assert (mine.versions, other.versions) == (1, 1)


def test_what_was_read_for_another_code_is_refused(street: Street) -> None:
    mine, other = street.link(), street.link()
    assert street.says_yes(mine.path, other.read().bound).status == 422
    assert (mine.versions, other.versions) == (1, 1)


def test_an_expired_link_is_refused(street: Street) -> None:
    link = street.link(old=timedelta(days=4))
    assert link.answers() == [410, 410, 410]
    assert link.versions == 1


def test_a_link_withdrawn_between_the_picture_and_the_yes_is_refused(street: Street) -> None:
    link = street.link()
    bound = link.read().bound
    with Session(street.engine) as session, writing(session):
        assert links.revoke(session, BOSS, link.id, real_now())
    assert street.says_yes(link.path, bound).status == 410
    assert link.answers() == [410, 410, 410]
    assert link.versions == 1


def test_an_oversized_file_is_refused(street: Street) -> None:
    link = street.link()
    assert street.sends(link.path, b"\x89PNG" + b"0" * MAX_BYTES).status == 422
    assert link.versions == 1
    assert street.ask("GET", link.path).status == 200
