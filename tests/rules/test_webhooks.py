import hashlib
import hmac
from datetime import timedelta

import pytest

from app.rules.webhooks import (
    GIVEN_UP_AFTER,
    LONGEST_PAUSE,
    LONGEST_REST,
    MOST_TRIES,
    is_lost,
    pause_after,
    rests_until,
    signature,
)
from tests import make


def test_signature_covers_the_time_and_the_body() -> None:
    mark = hmac.new(b"secret", b'1767225600.{"id":"1"}', hashlib.sha256).hexdigest()
    assert signature("secret", 1767225600, b'{"id":"1"}') == f"t=1767225600,v1={mark}"


def test_pauses_double_up_to_six_hours_and_end_within_two_days() -> None:
    pauses = [pause_after(tries, 0.5) for tries in range(1, MOST_TRIES)]
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert max(pause for pause in pauses if pause) == LONGEST_PAUSE
    assert sum((pause for pause in pauses if pause), timedelta()) < timedelta(days=2)


def test_the_twelfth_failure_is_the_last() -> None:
    assert pause_after(MOST_TRIES - 1, 0.5) is not None
    assert pause_after(MOST_TRIES, 0.5) is None


@pytest.mark.parametrize(("roll", "seconds"), [(0.0, 24), (0.5, 30), (1.0, 36)])
def test_what_failed_together_is_not_tried_together(roll: float, seconds: float) -> None:
    assert pause_after(1, roll) == timedelta(seconds=seconds)


def test_an_endpoint_rests_as_long_as_its_message_but_five_minutes_at_most() -> None:
    assert rests_until(make.NOW, timedelta(seconds=30)) == make.NOW + timedelta(seconds=30)
    assert rests_until(make.NOW, timedelta(hours=6)) == make.NOW + LONGEST_REST
    assert rests_until(make.NOW, None) == make.NOW + LONGEST_REST


def test_an_endpoint_is_lost_after_three_days_without_one_success() -> None:
    assert not is_lost(make.NOW - GIVEN_UP_AFTER + timedelta(seconds=1), make.NOW)
    assert is_lost(make.NOW - GIVEN_UP_AFTER, make.NOW)
