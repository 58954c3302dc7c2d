"""The panel's main job in a real Chromium, on a phone and at a desk: make a code, print it, swap what expired."""

import io
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member
from app.db import writing
from app.outside.qr_read import payloads
from tests import make, pictures
from tests.browser.marketing import (
    DESK,
    NOTES,
    PHONE,
    SIZES,
    Open,
    begin,
    code_of,
    count_taps,
    expired,
    fits,
    group,
    picture,
    shown_to_the_next_one,
    taps,
)
from tests.browser.world import PosterWorld
from tests.servers import Running

IN_THE_ALBUM = 1  # the tap on a picture in the phone's own album, which no page sees
SECONDS_A_CLICK, SECONDS_A_KEY = 5.0, 0.5  # a slow person on a phone: finding the place included


@SIZES
def test_from_a_name_to_the_printed_code(panel: Open, service: Running, size: dict[str, Any]) -> None:
    with panel(**size) as page:
        begin(page, "Spring fair")
        page.set_input_files("form[data-upload] input[type=file]", [group(), NOTES, group()])
        expect(page.locator('[data-verdict="good"]')).to_have_count(2)
        expect(page.locator('[data-verdict="bad"]')).to_contain_text("This file is no picture.")
        assert fits(page)
        page.locator('[data-verdict="good"]').first.get_by_label("Name for yourselves").fill("fair 1")
        page.locator('[data-verdict="good"]').first.get_by_label("People in the group now").fill("118")
        page.get_by_role("button", name="Save and go on").click()
        expect(page.locator(".way [aria-current]")).to_have_text("Download and print")
        assert fits(page)
        with page.expect_download() as download:
            page.locator(".downloads a").first.click()
        with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as code:
            said = payloads(code)
        assert len(said) == 1 and re.fullmatch(rf"{service.url}/s/\w+".encode(), said[0])
        assert download.value.suggested_filename.startswith("TEST-Spring-fair-")
        page.get_by_role("link", name="Codes", exact=True).click()
        expect(page.locator(".member-card")).to_have_count(2)
        expect(page.locator(".member-card").first).to_contain_text("118 given out")


@SIZES
def test_new_code_can_be_printed_within_a_minute_of_clicking(panel: Open, size: dict[str, Any]) -> None:
    """From the list to the file for the printer, at the pace of somebody who takes their time over every click."""
    name = "Spring fair"
    with panel(**size) as page:
        count_taps(page)
        page.goto("/codes")
        began = time.monotonic()
        page.locator("a[href='/codes/new']").locator("visible=true").first.click()  # one
        page.locator("#name").press_sequentially(name)  # the field has the focus: no click
        page.locator("main form button[type=submit]").click()  # two
        with page.expect_file_chooser() as album:
            page.locator(".drop").click()  # three
        album.value.set_files([group(), group()])  # four: all pictures at once
        expect(page.locator('[data-verdict="good"]')).to_have_count(2)
        page.get_by_role("button", name="Save and go on").click()  # five
        with page.expect_download() as download:
            page.locator(".downloads a").first.click()  # six
        assert download.value.path().stat().st_size > 0
        waited, clicks = time.monotonic() - began, taps(page) + IN_THE_ALBUM
        assert clicks <= 6
        assert waited + clicks * SECONDS_A_CLICK + len(name) * SECONDS_A_KEY <= 60


def test_files_are_dropped_and_pasted(panel: Open) -> None:
    """What a browser makes of a drop and of a paste: events that carry files."""
    give = """([kind, bytes]) => {
        const carrier = new DataTransfer();
        carrier.items.add(new File([new Uint8Array(bytes)], kind + ".png", { type: "image/png" }));
        const where = kind === "drop" ? document.querySelector(".drop") : document;
        where.dispatchEvent(kind === "drop"
            ? new DragEvent("drop", { dataTransfer: carrier, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: carrier, bubbles: true, cancelable: true }));
    }"""
    with panel(**DESK) as page:
        begin(page, "Dropped")
        for number, kind in enumerate(("drop", "paste"), 1):
            page.evaluate(give, [kind, list(group()["buffer"])])
            expect(page.locator('[data-verdict="good"]')).to_have_count(number)


def test_one_of_several_codes_in_a_picture_is_picked(panel: Open) -> None:
    both = pictures.encoded(pictures.screen(make.group_url(), second=make.personal_url()))
    with panel(**DESK) as page:
        begin(page, "Two in one")
        page.set_input_files(
            "form[data-upload] input[type=file]", [{"name": "two.png", "mimeType": "image/png", "buffer": both}]
        )
        picks = page.locator("[data-pick]")
        expect(picks).to_have_count(2)
        picks.first.click()
        expect(page.locator('[data-verdict="good"]')).to_have_count(1)
        page.get_by_role("button", name="Save and go on").click()
        expect(page.locator(".way")).to_be_visible()


def test_expired_code_is_swapped_from_the_start_page_in_four_taps(
    panel: Open, poster: PosterWorld, marketer: int
) -> None:
    code, member_id = expired(poster, marketer)
    target = make.group_url()
    with panel(**PHONE) as page:
        count_taps(page)
        page.goto("/today")
        assert shown_to_the_next_one(page, code.slug)["outcome"] == "unavailable"
        row = page.locator(".need", has_text="Swap me", has=page.locator(f'a[href="/members/{member_id}/swap"]'))
        row.get_by_role("link", name="Swap", exact=True).tap()  # one
        expect(page.locator("[data-swap]")).to_be_visible()
        assert fits(page)
        with page.expect_file_chooser() as album:
            page.locator(".drop").tap()  # two: the phone's own album opens
        assert not album.value.is_multiple()
        album.value.set_files(picture(target))  # three: a picture in it
        expect(page.locator("[data-token]")).to_contain_text("WeChat group")
        page.get_by_role("button", name="Swap", exact=True).tap()  # four
        expect(page.locator(".done-title")).to_have_text("Swapped. Whoever scans next sees this one.")
        assert taps(page) + IN_THE_ALBUM <= 4
        assert fits(page)
        assert shown_to_the_next_one(page, code.slug)["member"]["target_url"] == target
        page.get_by_role("button", name="Undo").tap()
        expect(page.locator(".toast-note")).to_contain_text("Version 1 is shown again.")
        assert shown_to_the_next_one(page, code.slug)["outcome"] == "unavailable"


def test_code_that_cannot_be_taken_holds_the_button_back(panel: Open, poster: PosterWorld, marketer: int) -> None:
    _, member_id = expired(poster, marketer)
    with panel(**PHONE) as page:
        page.goto(f"/members/{member_id}/swap")
        page.set_input_files("[data-swap] input[type=file]", NOTES)
        expect(page.locator("[data-refused]")).to_contain_text("This file is no picture.")
        expect(page.locator("[data-go]")).to_be_disabled()
        page.set_input_files("[data-swap] input[type=file]", group())
        expect(page.locator("[data-go]")).to_be_enabled()


@SIZES
def test_everything_is_done_without_scripts(
    panel: Open, poster: PosterWorld, marketer: int, size: dict[str, Any]
) -> None:
    with panel(**size, java_script_enabled=False) as page:
        page.goto("/codes/new")
        page.fill("#name", "Without scripts")
        page.click("main form button[type=submit]")
        page.set_input_files("input[name=image]", [group(), NOTES, group()])
        page.get_by_role("button", name="Upload").click()
        expect(page.locator('[data-verdict="good"]')).to_have_count(2)
        expect(page.locator('[data-verdict="bad"]')).to_have_count(1)
        page.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_text("2 codes are ready.")).to_be_visible()
        page.goto(f"/codes/{code_of(page)}")
        page.locator(".member-card").first.get_by_role("link", name="Swap the code").click()
        page.set_input_files("input[name=image]", group())
        page.get_by_role("button", name="Swap", exact=True).click()
        expect(page.get_by_text("Whoever scans next sees this one.")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Version 1 is shown again.")).to_be_visible()


def test_queue_is_worked_off_one_after_the_other(panel: Open, poster: PosterWorld, marketer: int) -> None:
    with panel(**PHONE) as page:
        page.goto("/swaps")
        before = (
            int(re.findall(r"of (\d+)", page.locator("main").inner_text())[0])
            if page.query_selector(".queue-bar")
            else 0
        )
        code, _ = expired(poster, marketer)
        for label in ("second", "third"):
            poster.member(code, label=label, expires_at=datetime.now(UTC) - timedelta(hours=1))
        page.goto("/swaps")
        expect(page.locator(".queue-bar")).to_contain_text(f"1 of {before + 3}")
        page.set_input_files("[data-swap] input[type=file]", group())
        page.locator("[data-go]:enabled").click()
        expect(page.locator(".toast-note")).to_contain_text("is swapped")
        expect(page.locator(".queue-bar")).to_contain_text(f"1 of {before + 2}")
        page.get_by_role("link", name="Skip").click()
        expect(page).to_have_url(re.compile("after="))


def test_order_is_changed_by_keyboard_and_by_dragging(panel: Open, poster: PosterWorld, marketer: int) -> None:
    code = poster.live_code(owner_id=marketer)
    for label in ("a", "b", "c"):
        poster.member(code, label=label)

    def labels() -> list[str]:
        with Session(poster.engine) as session:
            rows = session.query(Member).filter_by(live_code_id=code.id).order_by(Member.position)
            return [row.label for row in rows]

    with panel(**DESK) as page:
        page.goto(f"/codes/{code.id}")
        cards = page.locator("[data-member]")
        with page.expect_response("**/order"):
            cards.first.locator("[data-handle]").press("ArrowRight")
        assert labels() == ["b", "a", "c"]
        handle = cards.first.locator("[data-handle]")
        handle.hover()
        page.mouse.down()
        box = cards.nth(2).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=8)
        with page.expect_response("**/order"):
            page.mouse.up()
        assert labels() == ["a", "c", "b"]
        page.reload()
        assert cards.locator(".member-name").all_inner_texts() == ["a", "c", "b"]


def test_list_is_searched_while_typing(panel: Open, poster: PosterWorld, marketer: int) -> None:
    for name in ("Needle in the hay", "Hay"):
        poster.live_code(owner_id=marketer, name=name)
    with panel(**DESK) as page:
        page.goto("/codes")
        page.get_by_label("Search live codes").press_sequentially("needle")
        expect(page.locator(".code-row")).to_have_count(1)
        expect(page.locator(".code-name")).to_contain_text("Needle in the hay")
        expect(page).to_have_url(re.compile("q=needle"))


def test_what_will_happen_follows_the_rules_while_they_are_chosen(
    panel: Open, poster: PosterWorld, marketer: int
) -> None:
    code = poster.live_code(owner_id=marketer)
    poster.member(code)
    with panel(**DESK) as page:
        page.goto(f"/codes/{code.id}/rules")
        expect(page.locator("#told")).to_contain_text("fill the first code that has room")
        page.locator("[name=mode][value=random]").check()
        expect(page.locator("#told")).to_contain_text("dealt out at random")
        page.fill("#from", "成都")
        page.get_by_role("button", name="See what happens").click()
        expect(page.locator("#simulated .answer")).to_contain_text("Chengdu")


def test_archived_live_code_is_brought_back_by_undo(panel: Open, poster: PosterWorld, marketer: int) -> None:
    poster.live_code(owner_id=marketer, name="Gone too soon")
    with panel(**PHONE) as page:
        page.goto("/codes?q=Gone+too+soon")
        page.get_by_label("More about Gone too soon").tap()
        page.get_by_role("button", name="Archive").tap()
        expect(page.locator(".toast-note")).to_contain_text("is archived")
        expect(page.locator(".code-row")).to_have_count(0)
        page.locator(".toast-undo").tap()
        expect(page.locator(".toast-note")).to_contain_text("is back")
        expect(page.locator(".code-row")).to_have_count(1)


@pytest.mark.parametrize("language", ["zh", "en"])
@SIZES
def test_every_page_fits_its_screen(
    panel: Open, poster: PosterWorld, marketer: int, language: str, size: dict[str, Any]
) -> None:
    code, member_id = expired(poster, marketer, regions=["CN/CN-GD/440100"], headcount=190)
    poster.member(code, label="a rather long private name of a group " * 2, public_name="public " * 10, weight=3)
    grouped = poster.live_code(owner_id=marketer, kind="grouped", title="t " * 40, name="n" * 90)
    poster.choice(grouped, title="north", tag="n")
    tabs = ("", "/rules", "/page", "/print", "/history", "/trial", "/headcounts")
    with panel(language, **size) as page:
        for path in (
            "/today", "/codes", "/codes/new", "/swaps", f"/members/{member_id}", f"/members/{member_id}/swap",
            f"/codes/{grouped.id}/choices", f"/codes/{grouped.id}", *(f"/codes/{code.id}{tab}" for tab in tabs),
        ):  # fmt: skip
            page.goto(path)
            assert fits(page), path
            assert page.locator("h1").count() == 1, path


def test_trial_is_shown_in_the_phone_beside_the_texts(panel: Open, poster: PosterWorld, marketer: int) -> None:
    code = poster.live_code(owner_id=marketer, title="Welcome to the fair")
    poster.member(code)
    with panel(**DESK) as page:
        page.goto(f"/codes/{code.id}/page")
        inside = page.frame_locator(".phone iframe")
        expect(inside.get_by_text("Welcome to the fair").first).to_be_visible()
        assert urlsplit(page.locator(".phone iframe").get_attribute("src") or "").path == f"/s/{code.slug}"


def test_second_tap_on_create_makes_no_second_code(panel: Open, poster: PosterWorld, marketer: int) -> None:
    with panel(**PHONE, java_script_enabled=False) as page:
        page.goto("/codes/new")
        page.fill("#name", "Only once")
        form = page.locator("main form")
        fields = {
            field.get_attribute("name") or "": field.input_value()
            for field in form.locator("input:not([type=radio])").all()
        }
        for _ in range(2):
            page.context.request.post("/codes/new", form={**fields, "kind": "simple", "mode": "sequential"})
        with Session(poster.engine) as session, writing(session):
            assert session.query(LiveCode).filter_by(name="Only once").count() == 1
