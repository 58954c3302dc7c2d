"""Made-up installations for measuring: as large as asked for, and consistent enough that every page shows them."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.codes.models import LiveCode, Member
from app.db import db, writing
from app.people.models import VisitorLiveCode
from app.seed import counts_of, split
from app.stats.models import DAY_ROLLUPS, rollup_total, rollup_total_day
from tests import make


def run(app: Flask, *arguments: str) -> str:
    with app.app_context(), writing(db.session) as session:
        make.user_row(session, role="admin")
    result = app.test_cli_runner().invoke(args=["demo", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def sums(app: Flask, *tables: sa.Table) -> list[int]:
    with app.app_context():
        return [db.session.scalar(sa.select(sa.func.sum(table.c.scans))) or 0 for table in tables]


def test_seed_makes_as_much_as_was_asked_for(app: Flask) -> None:
    run(app, "seed", "--live-codes", "12", "--members", "30", "--scans", "5000", "--days", "9", "--visitors", "40")
    assert sums(app, rollup_total_day, rollup_total, *DAY_ROLLUPS.values()) == [5000] * 9
    with app.app_context():
        per_code = sa.select(sa.func.count(Member.id)).group_by(Member.live_code_id).order_by(Member.live_code_id)
        assert list(db.session.scalars(per_code)) == [30, *[4] * 11]
        assert db.session.scalar(sa.select(sa.func.count(VisitorLiveCode.visitor_id))) == 40
        slug = db.session.scalars(sa.select(LiveCode.slug).order_by(LiveCode.id)).first()
    assert app.test_client().get(f"/s/{slug}").status_code == 200


def test_scans_are_made_up_once_for_live_codes_without_any(app: Flask) -> None:
    run(app, "load")
    assert "6000 scans of 3 live codes" in run(app, "scans")
    assert "0 scans of 0 live codes" in run(app, "scans")
    assert sums(app, rollup_total_day) == [6000]


@pytest.mark.parametrize("total", [0, 1, 7, 999])
def test_a_number_is_split_without_losing_any(total: int) -> None:
    parts = list(split(total, [3, 1, 0.5, 0]))
    assert sum(parts) == total
    assert min(parts) >= 0


def test_every_scan_that_counts_comes_from_somebody() -> None:
    assert counts_of(1)["visitors"] == 1
    assert counts_of(0)["visitors"] == 0
