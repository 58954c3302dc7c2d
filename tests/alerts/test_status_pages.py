"""`/status` and `/metrics`: what they say, to whom, and that the dashboard asks for nothing they do not say."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.ledger.spool import Spool
from app.ledger.timed import EDGES
from tests import make
from tests.alerts.conftest import LOCAL, World, real_now
from tests.happen import event
from tests.panel import Somebody, logged_in
from tests.scan.phone import WECHAT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana.json"


def scrape(client: FlaskClient, **headers: str) -> str:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.status
    return answer.text


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{name} is not among\n{text}"
    return float(found[1])


def scanned(world: World, times: int) -> Any:
    code = world.live_code()
    member = world.member(code, capacity=100)
    headers = {"User-Agent": WECHAT, "Accept": "application/json"}
    for _ in range(times):
        assert world.app.test_client().get(f"/s/{code.slug}", headers=headers).status_code == 200
    world.app.extensions["huozi"].drainer.run_until_empty()
    return member


def test_metrics_count_what_happened(world: World) -> None:
    scanned(world, 3)
    world.member(world.live_code(), expires_at=real_now() - timedelta(hours=1))
    world.channel()
    world.hook.answers += [(500, b"", {})] * 2
    world.round(real_now())
    text = scrape(world.app.test_client())
    assert value(text, 'huozi_scans_total{outcome="assigned"}') == 3
    assert value(text, "huozi_claim_seconds_count") == 3
    assert value(text, 'huozi_claim_seconds_bucket{le="+Inf"}') == 3
    buckets = [value(text, f'huozi_claim_seconds_bucket{{le="{edge}"}}') for edge in EDGES]
    assert buckets == sorted(buckets)
    assert 0 < value(text, "huozi_claim_seconds_sum") < 60
    assert value(text, "huozi_claims_failed_total") == 0
    assert value(text, 'huozi_members{state="active"}') == 1
    assert value(text, 'huozi_members{state="expired"}') == 1
    assert value(text, 'huozi_alerts_open{kind="expired"}') == 1
    assert value(text, "huozi_alert_messages_waiting") >= 1
    assert value(text, "huozi_events_waiting") == 0
    assert value(text, "huozi_events_spooled") == 0
    assert value(text, 'huozi_up{store="ledger"}') == 1
    assert value(text, "huozi_alert_round_age_seconds") < 120


def test_what_waits_on_the_disk_is_counted_and_told(world: World) -> None:
    code = world.live_code()
    world.member(code, capacity=100)
    spool = Spool(world.app.extensions["huozi"].settings.data_dir / "spool")
    for _ in range(3):
        spool.append(event(live_code_id=code.id).encode())
    spool.close()
    text = scrape(world.app.test_client())
    assert value(text, "huozi_events_spooled") == value(text, "huozi_events_waiting") == 3
    page = status(world)
    assert "3 of them on this machine" in page and "the oldest waits for" in page


def test_a_process_that_is_gone_is_told_with_since_when(world: World) -> None:
    world.round(real_now() - timedelta(minutes=5))
    assert "nobody has since" in status(world) and "seconds ago" not in status(world)


def status(world: World) -> str:
    client = logged_in(world.app, Somebody(world.owner.id, "", world.app.test_client()))
    client.set_cookie("huozi_lang", "en")
    return client.get("/status").text


def test_metrics_are_prometheus_text(world: World) -> None:
    scanned(world, 1)
    for line in scrape(world.app.test_client()).splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) huozi_\w+ .+|huozi_\w+(\{\w+="[^"]*"\})? [\d.e+-]+', line), line


def test_metrics_are_for_this_machine_alone(world: World) -> None:
    client = world.app.test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404


def test_metrics_answer_whoever_has_the_token(make_app: Any) -> None:
    client = make_app(alert_networks=LOCAL, metrics_token="a long token").test_client()
    assert client.get("/metrics").status_code == 404
    answer = client.get(
        "/metrics", headers={"Authorization": "Bearer a long token"}, environ_base={"REMOTE_ADDR": "10.0.0.7"}
    )
    assert answer.status_code == 200


def test_status_tells_people_the_same(world: World) -> None:
    scanned(world, 2)
    assert "nobody does: start" in status(world)
    world.round(real_now())
    text = status(world)
    assert "A new seat" in text
    assert "seconds ago" in text and "assigned" in text and "a claim takes" in text
    assert "0 waiting, 0 given up today" in text


def test_every_metric_of_the_dashboard_exists(world: World) -> None:
    scanned(world, 1)
    world.member(world.live_code(), expires_at=make.NOW)
    world.round(real_now())
    known = set(re.findall(r"^# TYPE (\w+) ", scrape(world.app.test_client()), re.MULTILINE))
    known |= {"huozi_claim_seconds_bucket", "huozi_claim_seconds_sum", "huozi_claim_seconds_count"}
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = {name for target in _targets(board) for name in re.findall(r"huozi_\w+", target["expr"])}
    assert asked and asked <= known
    assert {"huozi_scans_total", "huozi_claim_seconds_bucket", "huozi_events_lag_seconds", "huozi_members"} <= asked


def _targets(board: dict[str, Any]) -> list[dict[str, str]]:
    return [target for panel in board["panels"] for target in panel["targets"]]
