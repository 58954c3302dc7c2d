from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask, json

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_times_carry_their_zone(app: Flask) -> None:
    with app.app_context():
        assert json.dumps(datetime(2026, 9, 1, 8, tzinfo=UTC)) == '"2026-09-01T08:00:00Z"'
        assert json.dumps(datetime(2026, 9, 1, 8, tzinfo=timezone(timedelta(hours=8)))) == '"2026-09-01T08:00:00+08:00"'
        assert json.dumps(date(2026, 9, 1)) == '"2026-09-01"'
        assert json.dumps(Decimal("1.50")) == '"1.50"'
        assert json.dumps("广州") == '"广州"'


def test_a_time_without_a_zone_is_a_bug(app: Flask) -> None:
    with app.app_context(), pytest.raises(TypeError, match="naive"):
        json.dumps(datetime(2026, 9, 1, 8))
