"""What has just happened is told where it covers no button, on a phone in the queue of codes to swap."""

from playwright.sync_api import expect

from tests.browser.marketing import PHONE, Open, expired, group
from tests.browser.world import PosterWorld


def test_the_toast_leaves_the_next_card_s_button_free(panel: Open, poster: PosterWorld, marketer: int) -> None:
    for _ in range(2):
        expired(poster, marketer)
    with panel(**PHONE) as page:
        page.goto("/swaps")
        page.set_input_files(".swap-form input[type=file]", [group()])
        expect(page.locator("[data-token]")).to_be_visible()
        page.locator("[data-go]").click()
        toast, button = page.locator(".toast-note").first, page.locator("[data-go]")
        expect(toast).to_be_visible()
        page.wait_for_load_state()
        told, go = toast.bounding_box(), button.bounding_box()
        assert told is not None and go is not None
        assert told["y"] + told["height"] <= go["y"] or go["y"] + go["height"] <= told["y"]
        assert told["y"] < 200, "at the head of the page"
