import pytest
from playwright.sync_api import Browser

from tests.servers import Running


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("width", [360, 1280])
def test_an_unknown_address_reads_well_on_every_screen(browser: Browser, live_server: Running, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 640}, locale="zh-CN")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "CSP" in message.text else None)

    page.goto(f"{live_server.url}/nowhere")

    assert "这里没有内容" in page.inner_text("h1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"  # the style was let in
    assert complaints == []
    context.close()
