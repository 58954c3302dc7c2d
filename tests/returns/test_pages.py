import csv
import io
import re

import pytest
from flask.testing import FlaskClient

from tests.panel import Somebody, logged_in, share
from tests.returns.conftest import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/codes/1/returns"


def browser(world: World, who: Somebody | None = None) -> FlaskClient:
    client = logged_in(world.app, who or world.bob)
    assert client.get("/returns?lang=en").status_code == 200
    return client


def test_a_spend_is_entered_by_form_and_counted(world: World) -> None:
    client = browser(world)
    form = {"placement": "gate", "first_day": "2026-09-01", "last_day": "", "amount": "1,300.50", "currency": "cny"}
    assert client.post("/codes/1/spend", data=form).status_code == 303
    [row] = world.bob.answer("/live-codes/1/spend")["items"]
    assert (row["amount_cents"], row["currency"], row["last_day"]) == (130050, "CNY", "2026-09-01")
    shown = client.get(PAGE).text
    assert "1,300.50 CNY" in shown and "大门" in shown
    assert client.post(f"/spend/{row['id']}/delete").status_code == 303
    assert world.bob.answer("/live-codes/1/spend")["items"] == []


def test_what_was_typed_stays_when_something_is_wrong(world: World) -> None:
    client = browser(world)
    wrong = client.post("/codes/1/spend", data={"first_day": "2026-09-09", "amount": "many", "note": "印刷"})
    assert wrong.status_code == 422
    assert 'value="many"' in wrong.text and "印刷" in wrong.text and "A sum such as" in wrong.text
    good = {"first_day": "2026-09-09", "amount": "1", "currency": "CNY"}
    assert client.post("/codes/1/spend", data=good).status_code == 303
    again = client.post("/codes/1/spend", data=good)
    assert again.status_code == 422 and "already" in again.text


def test_a_file_s_bad_rows_are_shown_and_the_rest_is_taken(world: World) -> None:
    client = browser(world)
    text = "placement,from,to,amount,currency,note\ngate,2026-09-01,,300,CNY,\ngate,never,,300,CNY,\n"
    answer = client.post("/codes/1/spend/import", data={"file": (io.BytesIO(text.encode()), "spend.csv")})
    assert answer.status_code == 422
    assert "Row 3" in answer.text and "1 new" in answer.text
    good = client.post("/codes/1/spend/import", data={"file": (io.BytesIO(text.splitlines()[0].encode() + b"\n"), "x")})
    assert good.status_code == 303
    assert len(world.bob.answer("/live-codes/1/spend")["items"]) == 1


def test_the_page_shows_dashes_for_what_is_unknown(world: World) -> None:
    shown = browser(world).get(PAGE).text
    cohort_rows = re.findall(r"<tr>\s*<th scope=\"row\">\d{4}-\d\d</th>.*?</tr>", shown, re.DOTALL)
    assert len(cohort_rows) == 12
    assert "–" in cohort_rows[0] and "0.00</b>" not in cohort_rows[0]


def test_weeks_placements_and_currencies_are_chosen_in_the_address(world: World) -> None:
    world.spent("2026-09-01", 100, currency="USD")
    client = browser(world)
    for query in ("by=week", "placement=gate", "currency=USD", "currency=XXX", "days=7", "days=x", "by=x"):
        assert client.get(f"{PAGE}?{query}").status_code == 200, query
    assert 'value="gate" selected' in client.get(f"{PAGE}?placement=gate").text


def test_the_file_holds_the_same_cohorts(world: World) -> None:
    client = browser(world)
    for path in ("/returns.csv", f"{PAGE}.csv?by=week&placement=gate"):
        answer = client.get(path)
        assert answer.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert len(rows) == 12
        assert (rows[0]["newcomers"], rows[0]["cac"], rows[0]["spent"]) == ("0", "", "0.00")
        assert {"revenue_180d", "clv_1d", "roi_30d", "is_over_7d"} <= set(rows[0])


def test_others_pages_are_404_and_shared_ones_offer_no_form(world: World) -> None:
    client = browser(world, world.carl)
    id_ = world.spent("2026-09-01", 100)
    for path in (PAGE, f"{PAGE}.csv"):
        assert client.get(path).status_code == 404
    assert client.post("/codes/1/spend", data={}).status_code == 404
    assert client.post("/codes/1/spend/import", data={}).status_code == 404
    share(world.engine, 1, world.carl, "view")
    assert "/codes/1/spend" not in client.get(PAGE).text
    assert client.post("/codes/1/spend", data={"first_day": "2026-09-02", "amount": "1"}).status_code == 403
    assert client.post(f"/spend/{id_}/delete").status_code == 404
    share_edit = browser(world, world.alice)
    assert "/codes/1/spend" in share_edit.get(PAGE).text


def test_the_statistics_lead_here_and_it_is_in_chinese_too(world: World) -> None:
    client = browser(world)
    assert PAGE in client.get("/codes/1/stats").text
    assert "/returns" in client.get("/stats").text
    assert "花费与回报" in client.get(f"{PAGE}?lang=zh").text
