"""Tells a user something that is no alert of a live code, once, by every way they are told of alerts.

Works without Flask: other rooms' threads call it through the wiring. What could not be sent is in the log; it is not
tried again, because the panel says the same.
"""

import logging
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.alerts.deliveries import target_of
from app.alerts.models import AlertChannel, Delivery
from app.db import writing
from app.outside.notify import Message, Notifier, NotSent
from app.web.i18n import LOCALES, translations

log = logging.getLogger(__name__)


class Notes:
    """`key` opens the channels; `public_url`: where the panel is."""

    def __init__(self, engine: Engine, notifier: Notifier, key: str, public_url: str) -> None:
        self._engine = engine
        self._notifier = notifier
        self._key = key
        self._public_url = public_url

    def webhook_off(self, owner_id: int, endpoint_id: int, name: str, at: datetime) -> None:
        """A webhook was switched off because nobody took its messages for days. Raises nothing a channel raises."""
        with Session(self._engine) as session:
            mine = sa.select(AlertChannel).where(AlertChannel.owner_id == owner_id, AlertChannel.is_active)
            channels = list(session.scalars(mine.order_by(AlertChannel.id)))
            session.expunge_all()
            for channel in channels:
                words = translations(LOCALES[channel.language])
                title = words.gettext("Huozi: the webhook “%(name)s” was switched off") % {"name": name}
                body = words.gettext(
                    "For three days it took none of its messages. When it works again, switch it on: %(url)s"
                ) % {"url": f"{self._public_url}/webhooks/{endpoint_id}"}
                key = f"webhook:{endpoint_id}:{int(at.timestamp())}:{channel.id}"
                self._tell(session, channel, Message(key, title, body), at)

    def _tell(self, session: Session, channel: AlertChannel, message: Message, at: datetime) -> None:
        why, target = "unreadable", target_of(channel, self._key)
        if target is not None:
            try:
                self._notifier.send(target, message)
                why = ""
            except NotSent as refused:
                why = str(refused)
            except Exception as error:
                log.error("sending broke: %s", type(error).__name__)
                why = type(error).__name__
        with writing(session):
            session.add(
                Delivery(
                    channel_id=channel.id, key=message.id, kind="now", alert_ids=[],
                    state="gave_up" if why else "sent", attempts=1, next_try_at=at, error=why[:200], created_at=at,
                    ended_at=at,
                )
            )  # fmt: skip
