"""What the audit log calls what is done to visitors, tags, rules and segments, and what stands in its entries."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext

from app.people import wording
from app.rules.tagging import FACTS, Condition

ACTIONS: Mapping[str, Any] = {
    "visitor.erased": lazy_gettext("Visitor erased"),
    "visitor.joined": lazy_gettext("Two visitors made one"),
    "visitors.named": lazy_gettext("External ids read from a file"),
    "visitors.tagged": lazy_gettext("Visitors tagged"),
    "visitors.untagged": lazy_gettext("Tag taken off visitors"),
    "visitors.exported": lazy_gettext("Visitors exported"),
    "visitor_task.deleted": lazy_gettext("Export deleted"),
    "tag_rule.saved": lazy_gettext("Tag rule saved"),
    "tag_rule.deleted": lazy_gettext("Tag rule deleted"),
    "segment.saved": lazy_gettext("Segment saved"),
    "segment.deleted": lazy_gettext("Segment deleted"),
    "retention.set": lazy_gettext("Retention changed"),
    "lifecycle.set": lazy_gettext("Stages' limits changed"),
}
# By the first word of the action, where a field means something else elsewhere.
FIELDS: Mapping[str, Any] = {
    "visitor.everywhere": lazy_gettext("In all live codes"),
    "visitor.live_code_ids": lazy_gettext("Numbers of the live codes"),
    "visitor.with": lazy_gettext("With visitor number"),
    "visitors.lines": lazy_gettext("Lines of the file"),
    "visitors.new": lazy_gettext("New ones"),
    "visitors.joins": lazy_gettext("Visitors made one"),
    "visitors.kind": lazy_gettext("Kind"),
    "visitors.filter": lazy_gettext("Filter"),
    "visitors.tag_id": lazy_gettext("Number of the tag"),
    "visitor_task.kind": lazy_gettext("Kind"),
    "tag_rule.name": lazy_gettext("What is the rule called?"),
    "tag_rule.tag_id": lazy_gettext("Number of the tag"),
    "tag_rule.conditions": lazy_gettext("All of this must hold"),
    "tag_rule.keeps": lazy_gettext("Leave the tag on when they no longer fit"),
    "segment.name": lazy_gettext("Name"),
    "segment.filter": lazy_gettext("Filter"),
}


def value_words(name: str, value: Any) -> str | None:
    """A rule's conditions in words; None for what says best itself what it is."""
    if name != "conditions" or not isinstance(value, list):
        return None
    known = [Condition(**one) for one in value if isinstance(one, dict) and one.get("fact") in FACTS]
    return str(gettext(", ")).join(wording.condition(one) for one in known)
