"""Reading the line beneath a code in a child process. The reader of texts itself is an extra: see tests/ocr."""

import io
import sys
import time

import pytest

from app.outside import images, qr_read
from app.outside.expiry_ocr import Reader
from tests import pictures

SAYS = "import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write('一行\\n二行'.encode())"
SIZE = (
    "import sys, io; from PIL import Image; print(*Image.open(io.BytesIO(sys.stdin.buffer.read())).convert('L').size)"
)


def child(code: str, time_limit: float = 30) -> Reader:
    return Reader([sys.executable, "-c", code], time_limit)


@pytest.fixture(scope="module")
def seen() -> tuple[images.Upload, images.Corners]:
    out = io.BytesIO()
    pictures.screen().save(out, "PNG")
    upload = images.open_upload(out.getvalue())
    assert isinstance(upload, images.Upload)
    return upload, qr_read.read(upload).codes[0].corners


def test_lines_are_what_the_child_wrote(seen: tuple[images.Upload, images.Corners]) -> None:
    assert child(SAYS).lines(*seen) == ["一行", "二行"]


def test_the_child_gets_the_strip_beneath_the_code(seen: tuple[images.Upload, images.Corners]) -> None:
    assert child(SIZE).lines(*seen) == ["896 263"]


def test_the_child_gets_none_of_our_settings(
    seen: tuple[images.Upload, images.Corners], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUOZI_SECRET_KEY", "a secret")
    assert child("import os; print([n for n in os.environ if n.startswith('HUOZI_')])").lines(*seen) == ["[]"]


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import os; os.abort()", "import nothing_of_this_name"])
def test_a_child_that_dies_costs_the_date_and_nothing_else(
    code: str, seen: tuple[images.Upload, images.Corners]
) -> None:
    assert child(code).lines(*seen) == []


def test_a_child_that_does_not_end_is_ended(seen: tuple[images.Upload, images.Corners]) -> None:
    began = time.monotonic()
    assert child("import time; time.sleep(60)", 0.5).lines(*seen) == []
    assert time.monotonic() - began < 20


def test_no_more_is_read_than_a_request_has_time_for(seen: tuple[images.Upload, images.Corners]) -> None:
    reader = child(SAYS)
    reader._spent = [(time.monotonic(), 16.0)]
    assert reader.lines(*seen) == []
    reader._spent = [(time.monotonic() - 60, 16.0)]
    assert reader.lines(*seen) == ["一行", "二行"]
