"""The permanent code to print, trial scans, the page's texts and the history, as the panel shows them."""

import io
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from app.accounts.models import User
from app.codes.models import LiveCode, Placement
from app.db import writing
from app.outside import qr_write
from app.outside.qr_read import payloads
from tests import make
from tests.codes.conftest import Browser, fresh


def says(png: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(png)) as picture:
        return payloads(picture)


def url_of(app: Flask, live_code: LiveCode, more: str = "") -> str:
    return f"{app.config['HUOZI'].public_url}/s/{live_code.slug}{more}"


def test_png_says_the_short_link(panel: Browser, app: Flask, live_code: LiveCode) -> None:
    answer = panel.client.get(f"/codes/{live_code.id}/qr.png")
    assert answer.content_type == "image/png"
    assert says(answer.data) == [url_of(app, live_code).encode()]


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_file_to_print_is_marked_as_a_test_on_a_test_address(
    panel: Browser, app: Flask, live_code: LiveCode, form: str
) -> None:
    answer = panel.client.get(f"/codes/{live_code.id}/qr.{form}?download=1")
    url = url_of(app, live_code)
    {"png": qr_write.prove_png, "svg": qr_write.prove_svg, "pdf": qr_write.prove_pdf}[form](answer.data, url)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment") and "TEST-live-code" in disposition and live_code.slug in disposition
    if form == "svg":
        assert qr_write.TEST_LINE in answer.text and "微信扫一扫" in answer.text and live_code.title in answer.text


def test_file_on_a_real_address_is_no_test(
    make_app: Callable[..., Flask], session: Session, owner: User, live_code: LiveCode
) -> None:
    app = make_app(public_url="https://go.example.com")
    panel = Browser(app, session, owner)
    answer = panel.client.get(f"/codes/{live_code.id}/qr.svg?download=1")
    assert "TEST-" not in answer.headers["Content-Disposition"] and qr_write.TEST_LINE not in answer.text
    qr_write.prove_svg(answer.data, f"https://go.example.com/s/{live_code.slug}")
    page = panel.get(f"/codes/{live_code.id}/print")
    assert "cannot be changed once it is printed" in page and "go.example.com" in page and "do not print" not in page


def test_page_warns_before_a_test_code_is_printed(panel: Browser, live_code: LiveCode) -> None:
    page = panel.get(f"/codes/{live_code.id}/print")
    assert "Test code: do not print" in page and "测试码 勿印刷" in page


def test_code_for_a_place_carries_its_name(panel: Browser, app: Flask, live_code: LiveCode) -> None:
    answer = panel.client.get(f"/codes/{live_code.id}/qr.png?p=door-1&download=1")
    assert says(answer.data) == [url_of(app, live_code, "?p=door-1").encode()]
    assert "door-1" in answer.headers["Content-Disposition"]
    assert "qr.svg?p=door-1" in panel.get(f"/codes/{live_code.id}/print?p=door-1")


@pytest.mark.parametrize("place", ["a b", "<x>", "a" * 33, "../x"])
def test_place_that_cannot_be_one_is_refused(panel: Browser, live_code: LiveCode, place: str) -> None:
    panel.get(f"/codes/{live_code.id}/qr.png", 404, query_string={"p": place})
    assert "../x" not in panel.get(f"/codes/{live_code.id}/print", query_string={"p": place})


def test_each_place_has_a_code_of_its_own(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        live_code = make.live_code_row(session, owner)
        session.add(Placement(live_code_id=live_code.id, key="door", name="Shop door", region="CN/CN-GD/440100"))
        session.add(Placement(live_code_id=live_code.id, key="gone", name="Gone", archived=True))
    page = panel.get(f"/codes/{live_code.id}/print?p=door")
    assert "Shop door" in page and "Guangzhou" in page and "qr.svg?p=door" in page and "Gone" not in page


def test_file_of_another_form_is_not_there(panel: Browser, live_code: LiveCode) -> None:
    panel.get(f"/codes/{live_code.id}/qr.exe", status=404)


def test_trial_is_a_code_and_a_link_for_half_an_hour(panel: Browser, app: Flask, live_code: LiveCode) -> None:
    page = panel.get(f"/codes/{live_code.id}/trial")
    link = re.findall(r'href="(/s/[^"]+)"', page)[0]
    token = parse_qs(urlsplit(link).query)["t"][0]
    image = panel.client.get(f"/codes/{live_code.id}/trial-{token}.svg")
    qr_write.prove_svg(image.data, url_of(app, live_code, f"?t={token}"))
    scanned = app.test_client().get(link, headers={"Accept": "application/json"})
    assert scanned.status_code == 200 and scanned.json is not None


def test_trial_code_of_a_made_up_token_is_not_drawn(panel: Browser, live_code: LiveCode) -> None:
    panel.get(f"/codes/{live_code.id}/trial-made-up.svg", status=404)


def page_form(panel: Browser, live_code: LiveCode, status: int = 303, **changes: str) -> str:
    page = panel.get(f"/codes/{live_code.id}/page")
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    fields = {"version": version, "name": "fair", "title": "Fair", "notice": "", "colour": "#22577e"} | changes
    return panel.post(f"/codes/{live_code.id}/page", status=status, **fields).text


def test_texts_and_colour_of_the_page_are_saved(panel: Browser, session: Session, live_code: LiveCode) -> None:
    page_form(panel, live_code, title="Spring fair", notice="two\nlines", colour="#07c160", own_colour="1")
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.name, row.title, row.notice, row.colour) == ("fair", "Spring fair", "two\nlines", "#07C160")
    page_form(panel, live_code, title="")
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.title, row.colour) == ("fair", None)


def test_wrong_text_is_told_and_kept(panel: Browser, session: Session, live_code: LiveCode) -> None:
    page = page_form(panel, live_code, 422, name="", title="typed by me")
    assert "This is needed." in page and "typed by me" in page
    assert "At most 500 characters." in page_form(panel, live_code, 422, notice="x" * 501)


def test_page_preview_is_a_trial_of_the_page_as_a_phone_shows_it(panel: Browser, live_code: LiveCode) -> None:
    page = panel.get(f"/codes/{live_code.id}/page")
    assert re.search(rf'<iframe src="/s/{live_code.slug}\?t=[\w-]+&amp;as=wechat"', page)


def test_history_tells_who_changed_what(panel: Browser, session: Session, owner: User, live_code: LiveCode) -> None:
    panel.post(f"/codes/{live_code.id}/members", status=200, target_url=make.group_url())
    page_form(panel, live_code, name="spring fair")
    page = panel.get(f"/codes/{live_code.id}/history")
    assert "Code added" in page and "WeChat group 1" in page and owner.email in page
    assert "<del>" in page and "spring fair" in page


def test_history_of_nothing_says_so(panel: Browser, live_code: LiveCode) -> None:
    assert "Nothing has been changed yet" in panel.get(f"/codes/{live_code.id}/history")


def test_history_leaves_out_other_live_codes(panel: Browser, session: Session, owner: User) -> None:
    with writing(session):
        one, two = (make.live_code_row(session, owner).id for _ in range(2))
    panel.post(f"/codes/{one}/state", state="paused")
    assert "Nothing has been changed yet" in panel.get(f"/codes/{two}/history")


def photo(colour: str = "navy") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (2400, 900), colour).save(out, "PNG")
    return out.getvalue()


def with_cover(panel: Browser, live_code: LiveCode, data: bytes | None, status: int = 303, **changes: str) -> str:
    page = panel.get(f"/codes/{live_code.id}/page")
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    cover = re.findall(r'name="cover" value="([^"]*)"', page)[0]
    fields = {"version": version, "cover": cover, "name": "fair", "title": "Fair", "notice": "", "colour": "#22577e"}
    form = MultiDict(fields | changes)
    if data is not None:
        form.add("cover_file", FileStorage(io.BytesIO(data), filename="cover.png", name="cover_file"))
    boundary, body = encode_multipart(form)
    answer = panel.client.post(
        f"/codes/{live_code.id}/page", data=body, content_type=f'multipart/form-data; boundary="{boundary}"'
    )
    assert answer.status_code == status, answer.text[:500]
    return answer.text


def cover_of(session: Session, live_code: LiveCode) -> str | None:
    return fresh(session).get_one(LiveCode, live_code.id).cover


def test_cover_is_encoded_anew_and_shown_on_the_page_by_its_address(
    panel: Browser, app: Flask, session: Session, live_code: LiveCode
) -> None:
    with writing(session):
        make.member_row(session, session.get_one(LiveCode, live_code.id))
    with_cover(panel, live_code, photo())
    name = cover_of(session, live_code)
    assert name is not None and name.endswith(".jpg")
    picture = app.test_client().get(f"/m/{name}")
    assert "immutable" in picture.headers["Cache-Control"] and len(picture.data) <= 120_000
    with Image.open(io.BytesIO(picture.data)) as kept:
        assert max(kept.size) == 960
    scanned = app.test_client().get(f"/s/{live_code.slug}", headers={"User-Agent": "MicroMessenger"}).text
    assert f"url(/m/{name})" in scanned and len(scanned) < 15_000
    with_cover(panel, live_code, None, title="Other words")
    assert cover_of(session, live_code) == name
    with_cover(panel, live_code, None, no_cover="1")
    assert cover_of(session, live_code) is None


def test_file_that_is_no_picture_is_refused_and_the_texts_stay(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    page = with_cover(panel, live_code, b"%PDF-1.7", 422, title="typed by me")
    assert "This file is no picture" in page and "typed by me" in page
    assert cover_of(session, live_code) is None


def test_picture_handed_in_with_a_faulty_form_is_not_lost(
    panel: Browser, session: Session, live_code: LiveCode
) -> None:
    page = with_cover(panel, live_code, photo(), 422, name="")
    kept = re.findall(r'name="cover" value="([^"]+)"', page)
    assert len(kept) == 1
    with_cover(panel, live_code, None, cover=kept[0])
    assert cover_of(session, live_code) == kept[0]


@pytest.mark.parametrize("made_up", ["../../etc/passwd", "0" * 32 + ".jpg", "x"])
def test_cover_that_was_never_handed_in_is_not_taken(
    panel: Browser, session: Session, live_code: LiveCode, made_up: str
) -> None:
    with_cover(panel, live_code, None, cover=made_up)
    assert cover_of(session, live_code) is None


def test_contact_is_set_beside_the_page(panel: Browser, session: Session, live_code: LiveCode) -> None:
    contact = {"contact_text": "Ask us", "contact_phone": "020-1", "contact_url": "https://example.com/kf"}
    page_form(panel, live_code, **contact)
    row = fresh(session).get_one(LiveCode, live_code.id)
    assert (row.contact_text, row.contact_phone, row.contact_url) == tuple(contact.values())
    page_form(panel, live_code, title="nothing about it")
    assert fresh(session).get_one(LiveCode, live_code.id).contact_text == "Ask us"
