"""The date on a code's picture, read by the real extra: `make test-ocr`.

Not named as `make test` collects tests, for the extra is large and its environment another one; the rest of reading is
tested without it (tests/outside/test_expiry_ocr.py).
"""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import wiring
from app.codes.uploads import Shelves, bind_picture
from app.codes.versions import Bound, expiry_of
from app.outside import expiry_ocr
from app.outside.expiry_ocr import Reader
from app.outside.files import FileStore
from tests import pictures
from tests.make import ZONE


def png(**more: object) -> bytes:
    out = io.BytesIO()
    pictures.screen(**more).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


def written(days: int) -> tuple[datetime, str]:
    """A day so many days from now, and the line that says so."""
    day = (datetime.now(UTC) + timedelta(days=days)).astimezone(ZONE)
    return day, f"该二维码7天内({day.month}月{day.day}日前)有效，重新进入将更新"


@pytest.fixture
def reader() -> Reader:
    found = expiry_ocr.reader()
    assert found is not None, "the extra is not installed here"
    return Reader(found._command, time_limit=60)  # a busy machine cannot read in less


@pytest.fixture
def shelves(reader: Reader, tmp_path: Path) -> Shelves:
    return Shelves(FileStore(tmp_path / "images"), FileStore(tmp_path / "cards"), wiring.date_of(reader, ZONE))


@pytest.mark.parametrize(
    "look", [{}, {"dark": True}, {"dark": True, "inverted": True}, {"width": 424}, {"photo": True}], ids=str
)
def test_the_date_is_read_off_the_screen(look: dict[str, object], shelves: Shelves) -> None:
    day, line = written(4)
    photo = look.pop("photo", False)
    out = io.BytesIO()
    screen = pictures.screen(line=line, **look)  # type: ignore[arg-type]
    (pictures.photo(screen) if photo else screen).save(out, "PNG")
    bound = bind_picture(shelves, out.getvalue())
    assert isinstance(bound, Bound)
    expiry = expiry_of(bound, {}, datetime.now(UTC))
    assert expiry.source == "read"
    assert expiry.at == datetime(day.year, day.month, day.day, 8, tzinfo=ZONE)


def test_a_fresh_code_keeps_its_hour(shelves: Shelves) -> None:
    bound = bind_picture(shelves, png(line=written(7)[1]))
    assert isinstance(bound, Bound) and bound.read_expires_at is not None
    assert timedelta(days=6, hours=21) < bound.read_expires_at - datetime.now(UTC) < timedelta(days=6, hours=23)


def test_what_is_written_otherwise_is_seven_days(shelves: Shelves) -> None:
    bound = bind_picture(shelves, png(line="扫一扫，加入群聊"))
    assert isinstance(bound, Bound)
    assert expiry_of(bound, {}, datetime.now(UTC)).source == "guessed"


def test_a_person_s_code_costs_no_reading(shelves: Shelves) -> None:
    bound = bind_picture(shelves, png(payload=pictures.PERSON, line=written(4)[1]))
    assert isinstance(bound, Bound) and bound.read_expires_at is None
