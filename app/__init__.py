"""Huozi 活字: one printed code, many members behind it. This file wires the rooms together and decides nothing else."""

import logging

import sqlalchemy as sa
from flask import Flask, has_request_context
from sqlalchemy.orm import Session

# Every table there is, so that migrations know of those, too, that no page below asks for.
import app.accounts.models
import app.alerts.models
import app.codes.models
import app.db.audit
import app.db.once
import app.ledger.tables
import app.people.models
import app.pipeline.models
import app.returns.models
import app.stats.models
import app.webhooks.models  # noqa: F401
from app import cli, installation, wiring
from app.accounts import admin_pages, guard, shell, system_pages
from app.accounts import pages as account_pages
from app.accounts.installation import INSTALLATION
from app.alerts import form_wording, link_pages, status_pages
from app.alerts import pages as alerts_pages
from app.alerts import wording as alerts_wording
from app.alerts.desk import DESK as ALERTS_DESK
from app.codes import api as codes_api
from app.codes import history_wording as codes_wording
from app.codes import pages as codes_pages
from app.codes import today_pages
from app.codes.changes import bumped
from app.codes.desk import DESK
from app.codes.figures import FIGURES
from app.db import db, patience
from app.db.engine import engine_options
from app.db.migrate import migrations
from app.ledger import LedgerDown
from app.people import api as people_api
from app.people import audit_wording as people_wording
from app.people import me_pages
from app.people import pages as people_pages
from app.people.desk import DESK as PEOPLE_DESK
from app.returns import api as returns_api
from app.returns import pages as returns_pages
from app.returns import wording as returns_wording
from app.settings import ROOT, Settings, load_from_process, version
from app.stats import api as stats_api
from app.stats import pages as stats_pages
from app.stats.figures import Figures
from app.web import csrf, errors, health, i18n, logs, openapi, security_headers
from app.web.json_times import HuoziJSON
from app.web.parsing import HuoziRequest, IdConverter
from app.webhooks import api as webhooks_api
from app.webhooks import outgoing as webhooks_outgoing
from app.webhooks import pages as webhooks_pages
from app.webhooks import wording as webhooks_wording
from app.webhooks.desk import DESK as WEBHOOKS_DESK

log = logging.getLogger(__name__)

REQUEST_BYTES = 16 * 1024 * 1024  # one picture of 15 MB with its form around it; routes that take several say so
SESSION_DAYS = 30


class Huozi(Flask):
    request_class = HuoziRequest
    json_provider_class = HuoziJSON


def create_app(settings: Settings | None = None) -> Flask:
    """The whole application. `settings`: this process's environment unless given. Opens no connection."""
    settings = settings or load_from_process()
    logs.configure()
    if settings.unknown_names:
        log.warning("settings nobody reads, misspelt? %s", ", ".join(settings.unknown_names))
    app = Huozi(__name__, instance_path=str(settings.data_dir), static_folder=str(ROOT / "static"))
    app.url_map.converters["int"] = IdConverter
    _configure(app, settings)
    _prepare_storage(app, settings)
    house = app.extensions["huozi"] = wiring.build(settings)
    _publish_changes(app, house)
    _prepare_web(app, settings, house)
    _register_features(app, settings, house)
    cli.register(app)
    app.wsgi_app = house.door(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _publish_changes(app: Flask, house: wiring.House) -> None:
    """Versions a request has raised reach the ledger before the editor's request ends."""

    def publish(session: Session) -> None:
        house.publish(bumped(session))

    with app.app_context():
        sa.event.listen(db.sessionmaker, "after_commit", publish)
        sa.event.listen(db.sessionmaker, "after_rollback", bumped)
        sa.event.listen(db.sessionmaker, "after_flush", webhooks_outgoing.tell_swaps)


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        HUOZI=settings,
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=REQUEST_BYTES,
        PERMANENT_SESSION_LIFETIME=SESSION_DAYS * 24 * 3600,
        SESSION_COOKIE_NAME="huozi_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_https,
        SQLALCHEMY_ENGINES={"default": {"url": settings.database_url, **engine_options(settings.database_url)}},
    )


def _prepare_storage(app: Flask, settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # password hashes, and who holds which seat
    db.init_app(app)
    with app.app_context():
        patience.bind(db.engine, settings.database_seconds, has_request_context)
    migrations.init_app(app)


def _prepare_web(app: Flask, settings: Settings, house: wiring.House) -> None:
    logs.init_app(app)
    security_headers.init_app(app, https=settings.is_https)
    i18n.init_app(app, settings.language, settings.timezone, guard.user_language)
    csrf.init_app(app)
    errors.init_app(
        app,
        {
            503: (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, LedgerDown),
            422: (sa.exc.DataError,),
            409: (sa.exc.IntegrityError,),
        },
    )

    def sql() -> None:
        with db.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

    app.register_blueprint(health.blueprint({"sql": sql, **house.stores()}, version()))


def _register_features(app: Flask, settings: Settings, house: wiring.House) -> None:
    """Each feature's pages and API, in one place; a feature that is not listed here is not there."""
    guard.init_app(app)
    shell.init_app(app)
    app.register_blueprint(account_pages.blueprint)
    spoken = (codes_wording, alerts_wording, webhooks_wording, returns_wording, people_wording)
    actions = {action: words for feature in spoken for action, words in feature.ACTIONS.items()}
    fields = {**codes_wording.FIELDS, **alerts_wording.FIELDS, **people_wording.FIELDS, **returns_wording.FIELDS}
    fields |= {f"alert_channel.{name}": words for name, words in form_wording.CHANNEL_LABELS.items()}
    fields |= {f"webhook.{name}": words for name, words in webhooks_wording.FIELDS.items()}
    told = form_wording.words
    special = {"alert_channel": told, "alert_rule": told, "webhook": webhooks_wording.value_words}
    special |= {"tag_rule": people_wording.value_words, "spend": returns_wording.value_words}
    admin_pages.init_app(app, actions, fields, codes_wording.value_words, special)
    app.register_blueprint(admin_pages.blueprint)
    app.extensions[INSTALLATION] = installation.looking(house)
    app.register_blueprint(system_pages.blueprint)
    app.extensions[DESK] = house.desk()
    app.register_blueprint(today_pages.blueprint)
    app.register_blueprint(codes_pages.blueprint)
    api = openapi.init_app(app, version())
    api.register_blueprint(codes_api.blueprint)
    api.register_blueprint(stats_api.blueprint)
    app.extensions[FIGURES] = Figures()
    app.register_blueprint(stats_pages.blueprint)
    app.extensions[ALERTS_DESK] = house.alerts_desk()
    for pages in (alerts_pages, link_pages, status_pages):
        app.register_blueprint(pages.blueprint)
    app.extensions[PEOPLE_DESK] = house.people_desk()
    api.register_blueprint(people_api.blueprint)
    app.register_blueprint(people_pages.blueprint)
    app.register_blueprint(me_pages.blueprint)
    api.register_blueprint(returns_api.blueprint)
    app.register_blueprint(returns_pages.blueprint)
    app.extensions[WEBHOOKS_DESK] = house.webhooks_desk()
    api.register_blueprint(webhooks_api.blueprint)
    app.register_blueprint(webhooks_pages.blueprint)
