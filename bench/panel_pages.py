"""Every page of the panel, with its address on an installation that `demo seed` has filled.

A route of the panel that is neither here nor among what is no page fails `tests/accounts/test_measured_pages.py`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.alerts import deliveries
from app.alerts.models import AlertChannel
from app.codes.models import LiveCode, Member, MemberVersion
from app.db import writing
from app.db.audit import AuditEntry
from app.outside.notify import Target
from app.outside.seal import seal
from app.people.models import Tag, TagRule, Task, Visitor
from app.webhooks.models import WebhookEndpoint

AUDIT_ENTRIES = 100_000

# What is asked without being logged in: doors, what phones and machines ask, and what tells whether we live.
NO_PANEL = re.compile(r"/(api/|static|s/|m/|me\b|swap/|login|invitation|favicon|healthz|readyz|metrics|$)")
# Handed over as a file, in pieces or drawn for an <img>: whoever asks for one waits for a download.
FILES = re.compile(r"\.csv$|\.svg$|\.jpg$|\.<form>$|/file$|/visitors/export$")

PAGES = (
    "/today", "/codes", "/codes?q=0123", "/codes?q=福利&sort=name", "/codes?state=trouble", "/codes?page=250",
    "/codes?folder=-", "/codes?state=archived", "/codes/new", "/codes/places?q=成都", "/swaps", "/hosts",
    "/codes/{code}", "/codes/{code}?look=card", "/codes/{code}/rules", "/codes/{code}/places", "/codes/{code}/page",
    "/codes/{code}/print", "/codes/{code}/history", "/codes/{code}/headcounts", "/codes/{code}/choices",
    "/codes/{code}/swap-many", "/codes/{code}/sharing", "/codes/{code}/trial", "/codes/{code}/alerts",
    "/codes/{code}/rules/simulated?region=CN/CN-SC/510100",
    "/codes/{code}/stats", "/codes/{code}/stats?days=1", "/codes/{code}/stats?days=90",
    "/codes/{code}/stats?days=90&compare=1", "/codes/{code}/stats?days=365", "/codes/{code}/returns",
    "/members/{member}", "/members/{member}/card", "/members/{member}/card?edit=1", "/members/{member}/headcount",
    "/members/{member}/links", "/members/{member}/swap", "/members/{member}/swapped?before=1",
    "/members/{member}/timeline",
    "/stats", "/stats?days=90", "/stats?days=365", "/returns",
    "/visitors", "/visitors?page=500", "/visitors?live_code_id={code}", "/visitors/{visitor}", "/visitors/orders",
    "/visitors/retention", "/visitors/rules", "/visitors/rules/new", "/visitors/rules/{rule}", "/visitors/segments",
    "/visitors/segments/count", "/visitors/tags", "/visitors/import/external-ids", "/visitors/tasks",
    "/visitors/tasks/{task}",
    "/alerts", "/alerts/log", "/alerts/channels/new", "/alerts/channels/{channel}", "/status",
    "/webhooks", "/webhooks/new", "/webhooks/{endpoint}",
    "/account", "/account/password", "/account/devices", "/account/tokens", "/users", "/audit", "/audit?page=500",
    "/system",
)  # fmt: skip
LANGUAGES = ("zh", "en")
# Answered to a script alone; whoever asks otherwise is led to the page.
PARTIALS = re.compile(r"/card(\?|$)")


def pages_of(session: Session) -> list[str]:
    """All of them, with the most scanned live code in the place of any."""
    found = {
        "code": session.scalar(sa.select(sa.func.min(LiveCode.id))),
        "visitor": session.scalar(sa.select(sa.func.max(Visitor.id))),
        "rule": session.scalar(sa.select(sa.func.min(TagRule.id))),
        "task": session.scalar(sa.select(sa.func.min(Task.id))),
        "channel": session.scalar(sa.select(sa.func.min(AlertChannel.id))),
        "endpoint": session.scalar(sa.select(sa.func.min(WebhookEndpoint.id))),
    }
    found["member"] = session.scalar(sa.select(sa.func.min(Member.id)).where(Member.live_code_id == found["code"]))
    return filled(found)


def filled(ids: Any) -> list[str]:
    return [page.format_map(ids) for page in PAGES]


def left_out(app: Flask, pages: Iterable[str]) -> list[str]:
    """Routes of pages that none of these addresses leads to."""
    addresses = app.url_map.bind("localhost")
    asked = {addresses.match(page.partition("?")[0], method="GET", return_rule=True)[0].rule for page in pages}
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and not NO_PANEL.match(rule.rule)
        and not FILES.search(rule.rule)
        and rule.rule not in asked
    ]


def furnish(session: Session, key: str) -> bool:
    """What the seed does not make: a log of past changes, and one of each thing that has a page of its own. False where
    all of it is there already."""
    if session.scalar(sa.select(Task.id).limit(1)) is not None:
        return False
    with writing(session):
        owner = session.scalars(sa.select(User).order_by(User.id)).one()
        now = datetime.now(UTC)
        session.add(
            WebhookEndpoint(
                owner_id=owner.id, name="CRM", url="https://crm.example.com/hook", sealed=seal("s" * 32, key),
                events=["press"], covers_all=True, is_active=False,
            )
        )  # fmt: skip
        target = deliveries.sealed(Target("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"), key)
        session.add(AlertChannel(owner_id=owner.id, name="值班群", kind="wecom", sealed=target, is_active=False))
        tag = session.scalars(sa.select(Tag.id)).first()
        session.add(
            TagRule(owner_id=owner.id, name="来过两次", tag_id=tag, conditions=[], keeps=True, state="paused")
        )  # fmt: skip
        query = {"query": {}, "header": []}
        session.add(
            Task(
                user_id=owner.id, kind="csv", filter=query, language="zh", state="done", attempt=1, done_rows=0,
                finished_at=now,
            )
        )  # fmt: skip
        _swap(session, now)
        members = session.execute(sa.select(Member.id, Member.live_code_id).order_by(Member.id).limit(20_000)).all()
        entries = [
            {
                "at": now - timedelta(minutes=number), "user_id": owner.id, "actor": owner.email,
                "action": "member.changed", "object_type": "member", "object_id": members[number % len(members)][0],
                "before": {"capacity": 195}, "after": {"capacity": 190 - number % 50},
            }
            for number in range(AUDIT_ENTRIES)
        ]  # fmt: skip
        session.execute(sa.insert(AuditEntry), entries)
    return True


def _swap(session: Session, now: datetime) -> None:
    """The first member shows its second version."""
    member = session.scalars(sa.select(Member).order_by(Member.id).limit(1)).one()
    first = session.scalars(sa.select(MemberVersion).where(MemberVersion.member_id == member.id)).one()
    names = ("member_id", "generation", "kind", "target", "canonical", "image", "expiry_source")
    session.add(
        MemberVersion(
            number=2, expires_at=now + timedelta(days=6), **{name: getattr(first, name) for name in names}
        )
    )  # fmt: skip
    member.current_version = 2
