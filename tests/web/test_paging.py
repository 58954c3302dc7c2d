import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app.web.paging import PageRequest, envelope, read_page

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def asked(app: Flask) -> FlaskClient:
    def view() -> dict[str, int]:
        page = read_page(request.args)
        return {"page": page.page, "per_page": page.per_page, "offset": page.offset, "limit": page.limit}

    app.add_url_rule("/api/v1/list", "list", view)
    return app.test_client()


def test_a_list_starts_at_its_first_page(asked: FlaskClient) -> None:
    assert asked.get("/api/v1/list").json == {"page": 1, "per_page": 20, "offset": 0, "limit": 20}
    assert asked.get("/api/v1/list?page=&per_page=").json == {"page": 1, "per_page": 20, "offset": 0, "limit": 20}


def test_a_page_may_be_as_large_as_a_hundred(asked: FlaskClient) -> None:
    assert asked.get("/api/v1/list?page=3&per_page=100").json == {
        "page": 3,
        "per_page": 100,
        "offset": 200,
        "limit": 100,
    }


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=1.5", "page=٣", "page=" + "9" * 30])
def test_a_page_that_is_none_is_refused(query: str, asked: FlaskClient) -> None:
    answer = asked.get(f"/api/v1/list?{query}")
    assert answer.status_code == 422
    assert answer.json is not None and list(answer.json["error"]["fields"]) == ["page"]


def test_both_wrong_numbers_are_named(asked: FlaskClient) -> None:
    answer = asked.get("/api/v1/list?page=0&per_page=101")
    assert answer.json is not None and list(answer.json["error"]["fields"]) == ["page", "per_page"]


def test_an_envelope_says_how_many_there_are(app: Flask) -> None:
    assert envelope(("a", "b"), PageRequest(2, 2), 5) == {"items": ["a", "b"], "page": 2, "per_page": 2, "total": 5}
    assert [PageRequest(1, 2).pages(total) for total in (0, 1, 2, 3)] == [1, 1, 1, 2]
