"""A code that was read from a picture and not bound yet: signed into the page that asks somebody about it.

Its files are stored already, so nothing is uploaded twice; if nobody answers, the sweep takes them. A token is good for
one live code and for less time than the sweep spares young files.
"""

import json
from dataclasses import asdict
from datetime import datetime, timedelta

from app.codes.versions import Bound
from app.rules.kinds import canonical
from app.web.signing import sign, verify

PURPOSE = "bound"
KEPT_FOR = timedelta(minutes=50)


def pending_token(bound: Bound, live_code_id: int, key: str, now: datetime) -> str:
    facts = {name: value for name, value in asdict(bound).items() if value is not None}
    del facts["canonical"]  # follows from the target, and links are long
    if bound.read_expires_at is not None:
        facts["read_expires_at"] = bound.read_expires_at.isoformat()
    payload = json.dumps([live_code_id, facts], ensure_ascii=False, separators=(",", ":"))
    return sign(PURPOSE, payload.encode(), key, expires_at=int((now + KEPT_FOR).timestamp()))


def pending_of(token: str, live_code_id: int, key: str, now: datetime) -> Bound | None:
    """None where it was not signed by us, not for this live code, or too long ago."""
    payload = verify(PURPOSE, token, key, now=now.timestamp())
    if payload is None:
        return None
    for_id, facts = json.loads(payload)
    if for_id != live_code_id:
        return None
    if "read_expires_at" in facts:
        facts["read_expires_at"] = datetime.fromisoformat(facts["read_expires_at"])
    return Bound(**facts, canonical=canonical(facts["target"]))
