"""Builds what works without Flask: the ledger, the snapshots, the scan door, the drainer. Decides nothing else.

Everything here is made before the server forks its workers and opens no connection until a worker asks for one.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from sqlalchemy.engine import Engine

from app.alerts.desk import Behind
from app.alerts.desk import Desk as AlertsDesk
from app.alerts.notes import Notes
from app.alerts.survey import Survey
from app.codes.by_owner import OwnersDoor
from app.codes.changes import seen_by
from app.codes.desk import Desk
from app.codes.hosts import Origins
from app.codes.snapshot import Snapshots
from app.codes.sweeping import Sweeping
from app.codes.uploads import Shelves
from app.db import make_engine
from app.db.held import WriteTurn
from app.ledger import Ledger, LedgerDown
from app.ledger.redis import RedisLedger
from app.ledger.servers import Servers
from app.ledger.spool import Spool
from app.ledger.sql import SqlLedger
from app.ledger.streams import Streams
from app.ledger.timed import WIDTH, timed
from app.ledger.truth import Truth
from app.outside import expiry_ocr
from app.outside.files import FileStore
from app.outside.geo import BUNDLED, Geo
from app.outside.hooks import Poster
from app.outside.images import Corners, Upload
from app.outside.notify import Notifier
from app.outside.tallies import Tallies
from app.people.absorb import absorb
from app.people.desk import Desk as PeopleDesk
from app.people.erase import Eraser
from app.people.identities import phone_digest
from app.people.orders import Joiner
from app.people.retention import Keeping
from app.people.tag_rules import TagRules
from app.people.tasks import Folder, Runner
from app.pipeline import history
from app.pipeline.background import Background
from app.pipeline.drain import Drainer
from app.pipeline.fold import Audience
from app.pipeline.stream_source import StreamSource
from app.rules import written_date
from app.scan.decide import Decider
from app.scan.page import Pages
from app.scan.views import ScanDoor
from app.scan.visitor import COOKIE, Visitors
from app.settings import Settings
from app.stats import rollup
from app.webhooks import outgoing as webhooks
from app.webhooks.desk import Desk as WebhooksDesk
from app.webhooks.sending import Sender, Switched, forget_old
from app.webhooks.watch import Standing

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0  # of SQL to a scan, which is answered without it then

WSGI = Callable[[Any, Any], Any]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """The rooms of one process, built once."""

    settings: Settings
    engine: Engine
    quick: Engine  # for what a scan waits for
    snapshots: Snapshots
    ledger: Ledger
    files: FileStore
    geo: Geo
    decider: Decider
    claims: Tallies
    drainer: Drainer
    background: Background
    eraser: Eraser
    sender: Sender
    exports: Runner
    keeping: Keeping

    def serving(self, app: WSGI) -> WSGI:
        """`app` in a process that serves: events are folded in the background of whichever worker gets the lock."""

        def serve(environ: Any, start_response: Any) -> Any:
            self.background.ensure_running()
            return app(environ, start_response)

        return serve

    @property
    def rebuild(self) -> Callable[[], int] | None:
        """Begins Redis again from SQL; None without Redis."""
        ledger, drain = self.ledger, self.drainer.run_until_empty
        return (lambda: ledger.rebuild(drain)) if isinstance(ledger, RedisLedger) else None

    def stores(self) -> dict[str, Callable[[], object]]:
        """What /readyz asks beside SQL: each raises when its store does not answer."""
        return {"redis": self.ledger.ping} if isinstance(self.ledger, RedisLedger) else {}

    def publish(self, versions: Mapping[int, int]) -> None:
        """Versions that were just committed. Redis that does not answer is told by the pipeline later."""
        for live_code_id, version in versions.items():
            try:
                self.ledger.publish(live_code_id, version)
            except LedgerDown as down:
                log.error("version %d of live code %d is not published yet: %s", version, live_code_id, down)

    def close(self) -> None:
        """Gives back threads and connections; for tests and commands."""
        self.background.stop()
        self.ledger.close()
        self.engine.dispose()
        self.quick.dispose()

    def desk(self) -> Desk:
        """What the panel and the API of live codes work with."""
        settings = self.settings
        return Desk(
            ledger=self.ledger,
            shelves=Shelves(
                self.files, FileStore(settings.data_dir / "cards"), date_of(expiry_ocr.reader(), settings.zone)
            ),
            place_of=self.geo.place,
            zone=settings.zone,
            key=settings.secret_key,
            public_url=settings.public_url,
            clock=utc_now,
        )

    def _behind(self) -> Behind:
        return Behind(self.drainer.lag_seconds(), self.drainer.spooled(), self.drainer.dead(), self.drainer.lost())

    def alerts_desk(self) -> AlertsDesk:
        """What alerts, the owners' swap links, `/status` and `/metrics` work with."""
        settings = self.settings
        return AlertsDesk(
            survey=Survey(self.snapshots, self.ledger),
            ledger=self.ledger,
            notifier=Notifier(settings.alert_networks),
            door=OwnersDoor(self.desk()),
            zone=settings.zone,
            key=settings.secret_key,
            public_url=settings.public_url,
            clock=utc_now,
            waiting=self.drainer.waiting,
            behind=self._behind,
            claims=self.claims.sums,
            seen_by=seen_by,
        )

    def webhooks_desk(self) -> WebhooksDesk:
        """What the panel and the API of webhooks work with."""
        settings = self.settings
        return WebhooksDesk(poster=Poster(settings.alert_networks), key=settings.secret_key, clock=utc_now)

    def people_desk(self) -> PeopleDesk:
        """What the panel, the API and the privacy page work with for visitors."""
        return PeopleDesk(
            eraser=self.eraser,
            timeline=history.timeline,
            visitor_of=self.visitors().known,
            cookie=COOKIE,
            zone=self.settings.zone,
            tell_tagged=webhooks.tell_tagged,
            exports=self.exports.folder,
            digest=phone_digest(self.settings.secret_key.encode()),
            joiner=Joiner(self.ledger.share, (self.exports.folder.join, webhooks.join)),
        )

    def visitors(self) -> Visitors:
        """Who scans, by their cookie."""
        settings = self.settings
        return Visitors(
            key=settings.secret_key,
            locate=self.geo.place,
            trusted_proxies=settings.trusted_proxies,
            clock=utc_now,
            secure=settings.is_https,
            language=settings.language,
        )

    def door(self, app: WSGI) -> ScanDoor:
        """The scan door in front of `app`."""
        settings = self.settings
        return ScanDoor(
            app,
            decider=self.decider,
            visitors=self.visitors(),
            pages=Pages(utc_now),
            pictures=self.files,
            key=settings.secret_key,
            origins=Origins(self.quick, settings.public_url),
            trusted_proxies=settings.trusted_proxies,
        )


def date_of(reader: expiry_ocr.Reader | None, zone: tzinfo) -> Callable[[Upload, Corners], datetime | None] | None:
    """Until when a code says that it is good, read off its picture; None without somebody who reads."""
    if reader is None:
        return None

    def read(upload: Upload, corners: Corners) -> datetime | None:
        now = utc_now()
        day = written_date.day_in(reader.lines(upload, corners), now.astimezone(zone).date())
        return None if day is None else written_date.good_until(day, now, zone)

    return read


def build(settings: Settings) -> House:
    secret = settings.secret_key.encode()
    engine, quick = _engines(settings.database_url)
    snapshots = Snapshots(quick, settings.zone)
    spool = settings.data_dir / "spool"
    turn = WriteTurn(settings.data_dir / "ledger.lock") if engine.dialect.name == "sqlite" else None
    ledger: Ledger
    streams: StreamSource | None = None
    ticks: list[Callable[[], object]] = []
    if settings.redis_url:
        servers, truth = Servers(settings.redis_url), Truth(quick, secret, turn)
        ledger = in_redis = RedisLedger(servers, truth, Spool(spool))
        streams, ticks = StreamSource(Streams(servers), truth, in_redis.catch_up), [in_redis.reconcile]
    else:
        ledger = SqlLedger(quick, Spool(spool), secret, turn)
    exports = Runner(
        engine,
        Folder(settings.data_dir / "exports"),
        settings.zone,
        utc_now,
        phone_digest(secret),
        webhooks.tell_tagged,
    )
    eraser = Eraser(secret, ledger.erase, (history.forget, rollup.forget, webhooks.forget), (exports.folder.forget,))
    tag_rules = TagRules(engine, settings.zone, utc_now, turn, webhooks.tell_tagged)
    audience = Audience(
        eraser.screen, (absorb, tag_rules.listen, partial(rollup.add, zone=settings.zone), webhooks.tell)
    )
    chores = (rollup.forget_old_days, forget_old)
    sender = _sender(settings, engine, Survey(snapshots, ledger).standing, turn)
    keeping = Keeping(
        engine, eraser, exports.folder, utc_now, history.forget_events, history.forget_dead, turn or nullcontext()
    )
    sweeping = Sweeping(engine, FileStore(settings.data_dir / "cards"))
    beside = (sender.run, tag_rules.run, exports.run, keeping.run, sweeping.run)
    drainer = Drainer(engine, spool, audience, chores, turn, streams, ticks, beside)
    claims = Tallies(settings.data_dir / "claims", WIDTH)
    return House(
        settings=settings,
        engine=engine,
        quick=quick,
        snapshots=snapshots,
        ledger=ledger,
        files=FileStore(settings.data_dir / "images"),
        geo=Geo(settings.geoip_db or BUNDLED, settings.geoip_fill_db),
        decider=Decider(snapshots, timed(ledger, claims), utc_now),
        claims=claims,
        drainer=drainer,
        background=Background(drainer, settings.data_dir / "pipeline.lock"),
        eraser=eraser,
        sender=sender,
        exports=exports,
        keeping=keeping,
    )


def _engines(url: str) -> tuple[Engine, Engine]:
    """One for work that may take its time, one for scans. With SQLite the same: all wait for its one writer."""
    quick = make_engine(url, answer_seconds=ANSWER_SECONDS, pool_size=0)
    return (quick if quick.dialect.name == "sqlite" else make_engine(url, pool_size=0)), quick


def _sender(settings: Settings, engine: Engine, standing: Standing, turn: WriteTurn | None) -> Sender:
    """Who sends webhooks, beside the drainer."""
    key, networks = settings.secret_key, settings.alert_networks
    notes = Notes(engine, Notifier(networks), key, settings.public_url)

    def tell_owner(off: Switched) -> None:
        notes.webhook_off(off.owner_id, off.endpoint_id, off.name, off.at)

    return Sender(engine, Poster(networks), key, utc_now, standing, tell_owner, turn)
