"""The members grid and what must never be lost, in a real Chromium: edited in place, dropped, pasted, tried again."""

import re
from typing import Any

from playwright.sync_api import expect
from sqlalchemy.orm import Session

from app.codes.models import LiveCode, Member
from app.db import writing
from tests import make, pictures
from tests.browser.marketing import DESK, NOTES, PHONE, SIZES, Open, begin, expired, fits, group, shown_to_the_next_one
from tests.browser.world import PosterWorld

GIVE = """([kind, where, names, bytes]) => {
    const carrier = new DataTransfer();
    for (const name of names) carrier.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    const target = kind === "drop" ? document.querySelector(where) : document;
    target.dispatchEvent(kind === "drop"
        ? new DragEvent("drop", { dataTransfer: carrier, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: carrier, bubbles: true, cancelable: true }));
}"""


def row(poster: PosterWorld, member_id: int) -> Member:
    with Session(poster.engine) as session:
        return session.get_one(Member, member_id)


def change(poster: PosterWorld, member_id: int, **values: Any) -> None:
    """Somebody else's edit."""
    with Session(poster.engine) as session, writing(session):
        member = session.get_one(Member, member_id)
        for name, value in values.items():
            setattr(member, name, value)
        member.revision += 1


@SIZES
def test_card_is_edited_where_it_stands(panel: Open, poster: PosterWorld, marketer: int, size: dict[str, Any]) -> None:
    code = poster.live_code(owner_id=marketer)
    member_id = poster.member(code, label="spring", capacity=100)
    poster.member(code, label="summer")
    with panel(**size) as page:
        page.goto(f"/codes/{code.id}")
        page.get_by_label("Edit spring").click()
        card = page.locator(f"#member-{member_id}")
        expect(card.get_by_label("At most, in all")).to_be_focused()
        assert fits(page)
        card.get_by_label("At most, in all").fill("150")
        card.get_by_label("Weight").fill("3")
        card.get_by_label("Places").fill("广州")
        card.get_by_role("button", name="Another row").click()
        rows = card.locator("[data-window]")
        expect(rows).to_have_count(2)
        rows.first.locator(".day").first.click()
        rows.first.get_by_label("From").fill("09:00")
        rows.first.get_by_label("Until (00:00 is the end of the day)").fill("18:00")
        card.get_by_role("button", name="Save").click()
        expect(card.locator(".member-room")).to_contain_text("of 150")
        expect(card).to_contain_text("weight 3")
        expect(card).to_contain_text("Guangzhou")
        expect(page.locator(".toast-note")).to_contain_text("Saved.")
        stored = row(poster, member_id)
        assert (stored.capacity, stored.regions) == (150, ["CN/CN-GD/440100"])
        assert stored.windows == [{"days": [1], "from": "09:00", "to": "18:00"}]
        page.get_by_label("Edit spring").click()
        card.get_by_label("At most, in all").fill("1")
        card.get_by_role("link", name="Cancel").click()
        expect(card.locator(".member-room")).to_contain_text("of 150")


def test_change_of_somebody_else_is_shown_beside_ones_own(panel: Open, poster: PosterWorld, marketer: int) -> None:
    code = poster.live_code(owner_id=marketer)
    member_id = poster.member(code, label="spring", capacity=100)
    with panel(**PHONE, told=("409",)) as page:
        page.goto(f"/codes/{code.id}")
        page.get_by_label("Edit spring").tap()
        card = page.locator(f"#member-{member_id}")
        card.get_by_label("At most, in all").fill("150")
        change(poster, member_id, capacity=120)
        card.get_by_role("button", name="Save").tap()
        expect(card.get_by_role("alert")).to_contain_text("theirs: 120 · yours: 150")
        assert row(poster, member_id).capacity == 120
        expect(card.get_by_label("At most, in all")).to_have_value("150")
        card.get_by_role("button", name="Save").tap()
        expect(card.locator(".member-room")).to_contain_text("of 150")


def test_mistake_is_told_on_the_card_and_nothing_typed_is_lost(panel: Open, poster: PosterWorld, marketer: int) -> None:
    code = poster.live_code(owner_id=marketer)
    member_id = poster.member(code, label="spring", capacity=100)
    with panel(**DESK, told=("422",)) as page:
        page.goto(f"/codes/{code.id}")
        page.get_by_label("Edit spring").click()
        card = page.locator(f"#member-{member_id}")
        card.get_by_label("Places").fill("Atlantis")
        card.get_by_label("Weight").fill("7")
        card.get_by_role("button", name="Save").click()
        expect(card.locator(".field-error")).to_contain_text("no such place: Atlantis")
        expect(card.get_by_label("Weight")).to_have_value("7")


def test_one_file_that_fails_stops_no_other_and_is_sent_again(panel: Open) -> None:
    with panel(**DESK, told=("ERR_FAILED", "Failed to fetch")) as page:
        begin(page, "A bad network")
        sent = []

        def lose_the_first(route: Any) -> None:
            sent.append(route.request.url)
            if len(sent) == 1:
                route.abort()
            else:
                route.continue_()

        page.route("**/members", lose_the_first)
        page.set_input_files("form[data-upload] input[type=file]", [group(), NOTES, group()])
        expect(page.locator('[data-verdict="good"]')).to_have_count(1)
        expect(page.locator('[data-verdict="bad"]')).to_contain_text("This file is no picture.")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator('[data-verdict="good"]')).to_have_count(2)
        assert len(sent) == 4


def test_several_files_dropped_at_once_each_have_a_line_with_its_progress(panel: Open) -> None:
    with panel(**DESK) as page:
        begin(page, "Dropped together")
        held: list[Any] = []
        page.route("**/members", lambda route: route.continue_() if held else held.append(route))
        picture = list(group()["buffer"])
        page.evaluate(GIVE, ["drop", ".drop", ["one.png", "two.png", "three.png"], picture])
        expect(page.locator(".verdict-wait")).to_have_count(3)
        expect(page.get_by_role("progressbar", name="two.png")).to_be_attached()
        held[0].continue_()
        expect(page.locator('[data-verdict="good"]')).to_have_count(1)
        expect(page.locator('[data-verdict="bad"]')).to_have_count(2)  # the same code twice more
        expect(page.locator('[data-verdict="bad"]').first).to_contain_text("This code is here already.")


def test_code_is_swapped_by_drop_and_by_paste(panel: Open, poster: PosterWorld, marketer: int) -> None:
    for kind in ("drop", "paste"):
        code, member_id = expired(poster, marketer)
        with panel(**DESK) as page:
            page.goto(f"/members/{member_id}/swap")
            page.evaluate(GIVE, [kind, ".drop", ["code.png"], list(group()["buffer"])])
            expect(page.locator("[data-token]")).to_contain_text("WeChat group")
            page.locator("[data-go]").click()
            expect(page.locator(".done-title")).to_be_visible()
            assert shown_to_the_next_one(page, code.slug)["outcome"] == "assigned"


def test_several_live_codes_are_ticked_archived_and_brought_back(
    panel: Open, poster: PosterWorld, marketer: int
) -> None:
    for name in ("Bulk one", "Bulk two"):
        poster.live_code(owner_id=marketer, name=name)

    def states() -> set[str]:
        with Session(poster.engine) as session:
            return {code.state for code in session.query(LiveCode).filter(LiveCode.name.like("Bulk %"))}

    with panel(**PHONE) as page:
        page.goto("/codes?q=Bulk")
        expect(page.get_by_role("button", name="Archive", exact=True)).to_have_count(0)
        page.get_by_label("All on this page").check()
        assert fits(page)
        page.get_by_role("button", name="Archive", exact=True).tap()
        expect(page.locator(".toast-note")).to_contain_text("2 live codes are archived")
        assert states() == {"archived"}
        page.locator(".toast-undo").tap()
        expect(page.locator(".code-row")).to_have_count(2)
        assert states() == {"active"}


def test_live_codes_are_put_in_a_folder_without_scripts(panel: Open, poster: PosterWorld, marketer: int) -> None:
    poster.live_code(owner_id=marketer, name=f"Filed {make.group_url()[-6:]}")
    with panel(**DESK, java_script_enabled=False) as page:
        page.goto("/codes?q=Filed")
        page.locator(".code-tick input").check()
        page.get_by_text("Move to a folder").click()
        page.get_by_label("new", exact=False).fill("Winter")
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.locator(".toast-note")).to_contain_text("is in “Winter” now")
        expect(page.locator(".code-folder")).to_have_text("Winter")


def test_landing_page_in_its_phone_follows_what_is_typed(panel: Open, poster: PosterWorld, marketer: int) -> None:
    code = poster.live_code(owner_id=marketer, title="Old title", name="fair")
    poster.member(code)
    with panel(**DESK) as page:
        page.goto(f"/codes/{code.id}/page")
        inside = page.frame_locator("[data-page-preview] iframe")
        expect(inside.locator("h1")).to_have_text("Old title")
        page.get_by_label("Title of the page").fill("New title")
        page.get_by_label("A word to scanners").fill("Saturdays at ten")
        expect(inside.locator("h1")).to_have_text("New title")
        expect(inside.locator(".notice")).to_have_text("Saturdays at ten")
        page.get_by_label("Colour", exact=True).fill("#07c160")
        expect(inside.locator("header")).to_have_css("background-color", "rgb(7, 193, 96)")
        picture = {"name": "cover.png", "mimeType": "image/png", "buffer": pictures.encoded(pictures.screen("x" * 20))}
        page.get_by_label("Choose a cover picture").set_input_files([picture])
        expect(page.locator(".cover-shown")).to_be_visible()
        expect(inside.locator("header")).to_have_css("background-image", re.compile("/m/"))
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".toast-note")).to_contain_text("Saved.")
        expect(inside.locator("h1")).to_have_text("New title")
        expect(inside.locator("header")).to_have_css("background-image", re.compile("/m/"))
        answer = page.context.request.get(f"/s/{code.slug}").text()
        assert "New title" in answer and "--cover" in answer and "#07C160" in answer
