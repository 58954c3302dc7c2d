import pytest
from flask import Flask
from jinja2 import DictLoader

from app.web.partial import render

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_htmx_gets_the_piece_and_everybody_else_the_page(app: Flask) -> None:
    app.jinja_env.loader = DictLoader({"page.html": "page {{ n }}", "_part.html": "part {{ n }}"})
    app.add_url_rule("/list", "list", lambda: render("page.html", "_part.html", n=1))
    client = app.test_client()

    assert client.get("/list").text == "page 1"
    assert client.get("/list", headers={"HX-Request": "true"}).text == "part 1"
    assert client.get("/list", headers={"HX-Request": "true", "HX-Boosted": "true"}).text == "page 1"
    assert client.get("/list", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}).text == "page 1"
    assert "HX-Request" in client.get("/list").headers["Vary"]
