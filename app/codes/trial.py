"""Trial scans: an address that tries a live code out for half an hour, signed so that nobody can make one up."""

from datetime import datetime, timedelta

from app.web.signing import sign

TRIAL_LASTS = timedelta(minutes=30)
# The scan door verifies under this purpose.
PURPOSE = "trial"


def trial_token(slug: str, key: str, now: datetime) -> str:
    """For `/s/<slug>?t=`; worth nothing for another slug."""
    return sign(PURPOSE, slug.encode(), key, expires_at=int((now + TRIAL_LASTS).timestamp()))
