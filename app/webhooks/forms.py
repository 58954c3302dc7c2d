"""What is handed in about an endpoint, by programs and by the panel's form; and what programs are answered."""

from typing import Any

import marshmallow as ma
from flask_babel import lazy_gettext as _

from app.outside.hooks import LONGEST_URL
from app.rules.webhooks import EVENTS
from app.web.fields import Flag, Form, Moment, Several, Text, Whole, Word, refused
from app.web.parsing import LARGEST_ID
from app.webhooks.models import STATES


class EndpointPatch(Form):
    name = Text(60)
    url = Text(LONGEST_URL, blank=False, metadata={"description": "https; http inside networks that are allowed."})
    events = Several(Word(*EVENTS), len(EVENTS))
    covers_all = Flag(metadata={"description": "Everybody's live codes; for administrators."})
    is_active = Flag(metadata={"description": "Switched on again, it is tried at once."})

    @ma.validates("events")
    def _check_events(self, events: list[str], **_more: Any) -> None:
        if not events:
            raise refused(_("Choose one at least."))


class EndpointForm(EndpointPatch):
    name = Text(60, load_default="")
    url = Text(LONGEST_URL, blank=False, required=True)
    events = Several(Word(*EVENTS), len(EVENTS), required=True)
    covers_all = Flag(load_default=False)
    is_active = Flag(load_default=True)


class LogQuery(ma.Schema):
    before = Whole(
        1, 2**62, text=True, load_default=None, metadata={"description": "`next_before` of the answer before."}
    )
    state = Word(*STATES, load_default="")
    per_page = Whole(1, 100, text=True, load_default=50)


class EndpointAnswer(ma.Schema):
    id = ma.fields.Integer(metadata={"maximum": LARGEST_ID})
    name = ma.fields.String()
    url = ma.fields.String()
    events = ma.fields.List(ma.fields.String())
    covers_all = ma.fields.Boolean()
    is_active = ma.fields.Boolean()
    version = ma.fields.Integer()
    failing_since = Moment(allow_none=True)
    disabled_at = Moment(
        allow_none=True, metadata={"description": "When it was switched off because nobody took a message for days."}
    )
    created_at = Moment()


class EndpointWithSecret(EndpointAnswer):
    secret = ma.fields.String(metadata={"description": "Shown this once."})


class EndpointList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(EndpointAnswer))


class MessageAnswer(ma.Schema):
    id = ma.fields.Integer()
    event_id = ma.fields.String(metadata={"description": "`id` in the message; the same when it is sent again."})
    type = ma.fields.String()
    state = ma.fields.String(metadata={"enum": list(STATES)})
    tries = ma.fields.Integer()
    status = ma.fields.Integer(allow_none=True, metadata={"description": "What the receiver answered last."})
    problem = ma.fields.String(metadata={"description": "Why it was not taken; empty where it was."})
    took_ms = ma.fields.Integer(allow_none=True)
    created_at = Moment()
    next_try_at = Moment()
    ended_at = Moment(allow_none=True)
    body = ma.fields.String(metadata={"description": "The JSON text that is sent and signed."})


class MessageList(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(MessageAnswer))
    next_before = ma.fields.Integer(allow_none=True)
