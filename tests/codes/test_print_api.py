"""The permanent code as a file: it says the short URL, whatever is asked for around it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.outside.images import Upload, open_upload
from app.outside.qr_read import read
from app.outside.qr_write import prove_pdf, prove_svg
from tests.codes.conftest import Api, refused

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def live_code(api: Api) -> dict[str, Any]:
    return api.live_code(title="春日读书会")


def said(png: bytes) -> list[str | None]:
    upload = open_upload(png)
    assert isinstance(upload, Upload)
    return [code.text for code in read(upload).codes]


def test_png_decodes_to_the_short_url(api: Api, live_code: dict[str, Any]) -> None:
    answer = api.get(f"/live-codes/{live_code['id']}/qr", format="png", size=600, title="春日", caption="微信扫一扫")
    assert answer.status_code == 200 and answer.mimetype == "image/png"
    assert said(answer.data) == [live_code["short_url"]]
    assert answer.headers["Cache-Control"] == "no-store"


def test_svg_and_pdf_decode_to_the_short_url(api: Api, live_code: dict[str, Any]) -> None:
    svg = api.get(f"/live-codes/{live_code['id']}/qr", format="svg", size=80)
    assert svg.mimetype == "image/svg+xml"
    prove_svg(svg.data, live_code["short_url"])
    pdf = api.get(f"/live-codes/{live_code['id']}/qr", format="pdf")
    assert pdf.mimetype == "application/pdf"
    prove_pdf(pdf.data, live_code["short_url"])


def test_placement_is_in_the_address_and_in_the_file_name(api: Api, live_code: dict[str, Any]) -> None:
    answer = api.get(f"/live-codes/{live_code['id']}/qr", p="东门-1")
    assert said(answer.data) == [live_code["short_url"] + "?p=%E4%B8%9C%E9%97%A8-1"]
    name = f"TEST-{live_code['slug']}-"
    assert f'filename="{name}__-1.png"' in answer.headers["Content-Disposition"]
    assert f"filename*=UTF-8''{name}%E4%B8%9C%E9%97%A8-1.png" in answer.headers["Content-Disposition"]


def test_code_of_a_public_address_is_no_test(
    make_app: Callable[..., Flask], api: Api, live_code: dict[str, Any]
) -> None:
    public = make_app(public_url="https://qr.huozi.cn")
    program = Api(public.test_client(), api.headers["Authorization"].removeprefix("Bearer "))
    answer = program.get(f"/live-codes/{live_code['id']}/qr")
    assert said(answer.data) == [f"https://qr.huozi.cn/s/{live_code['slug']}"]
    assert f'filename="{live_code["slug"]}.png"' in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"format": "gif"}, "format"), ({"size": 1}, "size"), ({"size": 9999}, "size"), ({"size": "big"}, "size"),
     ({"p": "a b"}, "p"), ({"title": "x" * 101}, "title"), ({"format": "pdf", "size": 3}, "size")],
)  # fmt: skip
def test_what_cannot_be_printed_is_refused(
    api: Api, live_code: dict[str, Any], query: dict[str, Any], field: str
) -> None:
    refused(api.get(f"/live-codes/{live_code['id']}/qr", **query), 422, "invalid", field)
