"""What other programs are told of by webhook, how a message is signed, and when to try again.

Standard library only; moments and dice are arguments. Sending is up to `outside.hooks` and the feature `webhooks`.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

EVENTS = (
    "seat.taken",
    "choice.made",
    "press",
    "member.full",
    "member.expired",
    "member.swapped",
    "visitor.tagged",
)
TEST = "test"

# A message is tried twelve times within a day: after 30 s, 1 min, 2 min … and from then on every six hours at most.
MOST_TRIES = 12
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
# Of an endpoint that answers nothing, one message is tried at a time, this often at least.
LONGEST_REST = timedelta(minutes=5)
# After so long without a single success nobody is listening there any more.
GIVEN_UP_AFTER = timedelta(days=3)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The header's value: `t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<t>.<body>" under the secret>`."""
    mark = hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={mark}"


def pause_after(tries: int, roll: float) -> timedelta | None:
    """How long to wait after so many failed tries; None: give up. `roll` (0 to 1) spreads what failed together over a
    fifth of the pause either way."""
    if tries >= MOST_TRIES:
        return None
    pause: timedelta = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
    return pause * (0.8 + 0.4 * roll)


def rests_until(now: datetime, pause: timedelta | None) -> datetime:
    """When an endpoint that just failed is tried again, whichever message it will be."""
    return now + (LONGEST_REST if pause is None else min(pause, LONGEST_REST))


def is_lost(failing_since: datetime, now: datetime) -> bool:
    """Has this endpoint failed for so long, without one success, that it is to be switched off?"""
    return now - failing_since >= GIVEN_UP_AFTER
