"""A simulated month: forty groups, a code a week for each, two alert processes that are killed and come back.

Whole with HUOZI_PROVE=1 (`make prove`): 40 groups, 30 days, a round every half hour, on SQLite and on PostgreSQL (28
and 42 minutes on two shared cores). Otherwise the same with ten groups and nine days on SQLite.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.rules.alerting import is_quiet
from app.settings import Settings
from tests.alerts.conftest import LOCAL
from tests.alerts.month import QUIET, Month, causes_in, expiries, key_of
from tests.make import ZONE
from tests.outside.services import services

WHOLE = bool(os.environ.get("HUOZI_PROVE"))

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite", "postgresql"] if WHOLE else ["sqlite"], indirect=True),
    pytest.mark.timeout(3000),
]

SHAPE: dict[str, Any] = {} if WHOLE else {"live_codes": 2, "days": 9, "late_days": (2, 3, 4)}


@pytest.fixture
def month(make_app: Any, settings: Settings, database_url: str, tmp_path: Path) -> Iterator[Month]:
    app = make_app(alert_networks=LOCAL, language="en")
    engine = sa.create_engine(database_url)
    (tmp_path / "tls").mkdir()
    with services(tmp_path, tls=False) as hook, services(tmp_path / "tls") as robot, Session(engine) as session:
        yield Month(app, settings, session, hook, robot, **SHAPE)
    engine.dispose()


def test_a_month_goes_by_and_nobody_meets_a_dead_code(month: Month) -> None:
    month.play()
    told = month.told()
    heard = causes_in(told.values())
    expires = expiries(month.session)
    owed = {key_of(due, month.book, expires): due for due in month.due}
    print(
        f"{len(month.book)} groups, {month.days} days, {month.rounds} rounds of two processes, {month.kills} killed;"
        f" {month.swapped} swaps, {month.late} of them late; scans {dict(month.met)};"
        f" {len(owed)} thresholds, {len(told)} messages, {sum(map(len, told.values())) - len(told)} sent again;"
        f" robot {len(month.robot_heard)}; {len(month.dead)} met a dead code, {len(month.turned_away)} turned away"
    )
    # Nobody met a dead code, and nobody was turned away while somebody had room.
    assert (month.dead, month.turned_away) == ([], [])
    # Each threshold once, none missed, none made up.
    of_thresholds = [cause for cause, alert, _ in heard if alert["kind"] in ("expiring", "expired", "filling", "full")]
    assert Counter(of_thresholds) == Counter(owed.keys())
    assert [n for n in Counter((cause, alert["episode"]) for cause, alert, _ in heard).values() if n > 1] == []
    # On time: at the first round after it was passed.
    late = {cause: sent - owed[cause].at for cause, _, sent in heard if cause in owed and sent != owed[cause].at}
    assert late == {}
    assert all(due.at - due.since <= month.step for due in month.due)
    # A message that was sent again says so by its number, and only where somebody died with it in hand.
    assert sum(len(sent) - 1 for sent in told.values()) <= month.kills
    # The robot has quiet hours: what can wait is told in the morning, nothing else is left out.
    assert {message.host for _, message in month.robot_heard} == {"qyapi.weixin.qq.com"}
    by_night = [message for at, message in month.robot_heard if is_quiet(at, *QUIET, ZONE)]
    assert all(re.search("Nobody gets in|No room|A choice without", str(message.sent)) for message in by_night)
    assert len(month.robot_heard) > 10
    # What the month was to be.
    assert month.late == 3 and month.kills >= 4
    assert month.met["assigned"] > 100 and month.met["returning"] > 10
