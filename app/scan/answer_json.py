"""The same answer for programs: the contract's JSON."""

from datetime import datetime
from typing import Any

from app.rules.model import Member, Outcome, Snapshot
from app.scan.answer import Answer
from app.scan.channel import told
from app.scan.landing import SHOWN, refusal_text
from app.scan.wording import say

UNKNOWN: dict[str, Any] = {"outcome": "unknown", "live_code": None, "member": None, "choice": None, "choices": []}


def json_of(answer: Answer, language: str, now: datetime, channel: str = "") -> dict[str, Any]:
    """The contract's shape; the same decision for programs. `channel`: what the member's link is told, if it can be."""
    decision, snapshot = answer.decision, answer.snapshot
    member = told(decision.member, channel) if decision.member is not None else None
    return {
        "outcome": decision.outcome.value,
        "live_code": {"slug": snapshot.slug, "title": snapshot.title} if snapshot is not None else None,
        "member": _member_json(member, snapshot, decision.outcome),
        "choice": {"id": decision.choice.id, "title": decision.choice.title} if decision.choice else None,
        "choices": [
            {"id": c.choice.id, "title": c.choice.title, "description": c.choice.description, "room": c.room}
            for c in answer.choices
        ],
        "message": _message(answer, language, now),
    }


def _member_json(member: Member | None, snapshot: Snapshot | None, outcome: Outcome) -> dict[str, Any] | None:
    if member is None or snapshot is None:
        return None
    shows = outcome is not Outcome.HELD
    return {
        "id": member.id,
        "name": member.name or snapshot.title,
        "kind": member.kind,
        "image_url": f"/m/{member.image}" if shows and member.image else None,
        "target_url": member.target_url if shows else None,
        "version": member.version,
    }


def _message(answer: Answer, language: str, now: datetime) -> str | None:
    outcome, member, snapshot = answer.decision.outcome, answer.decision.member, answer.snapshot
    if outcome in (Outcome.HELD, Outcome.ELSEWHERE) and member is not None:
        name = member.name or (snapshot.title if snapshot is not None else "")
        return say(language, outcome.value, name=name)
    if outcome in SHOWN:
        return None
    return refusal_text(answer, language, now)
