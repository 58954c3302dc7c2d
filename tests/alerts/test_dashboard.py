"""docs/grafana.json, as Grafana's import takes it. That its metrics exist is shown in test_status_pages."""

import json
from pathlib import Path

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana.json"


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["title"] and board["uid"] and board["schemaVersion"] >= 36
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) >= 8
    for panel in board["panels"]:
        assert panel["title"] and panel["type"] in ("timeseries", "stat", "heatmap", "bargauge")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24 and place["h"] > 0
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    assert [one["name"] for one in board["templating"]["list"]] == ["source"]
