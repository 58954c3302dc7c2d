from flask.testing import FlaskClient

from app.settings import version


def test_healthz_says_alive_and_which_version(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"status": "alive", "version": version()}


def test_readyz_asks_the_database(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None and answer.json["stores"]["sql"] == "ok"
    assert answer.headers["Cache-Control"] == "no-store"
