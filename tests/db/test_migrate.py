import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from flask import Flask

from app import create_app
from app.db import db, make_engine, metadata
from app.db.migrate import migrations
from app.settings import ROOT
from tests.conftest import SECRET_KEY, Servers, close, make_settings


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        databases = servers.postgresql()
        name = databases.create()
        yield databases.url(name)
        databases.drop(name)


@pytest.fixture
def empty_app(empty_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(make_settings(tmp_path / "data", empty_url))
    yield app
    close(app)


def tables_of(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_no_table_is_unknown_to_migrations() -> None:
    files = [file for file in (ROOT / "app").rglob("*.py") if "__tablename__" in file.read_text(encoding="utf-8")]
    names = {str(file.relative_to(ROOT).with_suffix("")).replace("/", ".") for file in files}
    done = subprocess.run(
        [sys.executable, "-c", "import app, sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not names - set(done.stdout.split()), "import it in app/__init__.py, beside the others"


def on_expression(difference: Any, dialect: str) -> bool:
    """An index that runs backwards reads as another one on SQLite; PostgreSQL tells."""
    index = difference[1] if difference[0] in ("add_index", "remove_index") else None
    if index is None or dialect != "sqlite":
        return False
    declared = next(each for each in metadata.tables[index.table.name].indexes if each.name == index.name)
    return any(not isinstance(each, sa.Column) for each in declared.expressions)


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_revisions_make_exactly_the_tables_that_the_models_say(empty_app: Flask) -> None:
    with empty_app.app_context():
        migrations.upgrade()
        found = compare_metadata(migrations.migration_context, metadata)
        differences = [each for each in found if not on_expression(each, db.engine.dialect.name)]
    assert not differences, "make a revision: flask --app wsgi db revision 'what changed'\n" + "\n".join(
        map(str, differences)
    )


def test_the_revisions_can_be_undone(empty_app: Flask, empty_url: str) -> None:
    with empty_app.app_context():
        migrations.upgrade()
    assert tables_of(empty_url) == set(metadata.tables)
    with empty_app.app_context():
        migrations.downgrade("base")
    assert tables_of(empty_url) == set()


def test_two_machines_that_migrate_at_once_both_succeed(empty_url: str, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "HUOZI_DATABASE_URL": empty_url,
        "HUOZI_DATA_DIR": str(tmp_path),
        "HUOZI_SECRET_KEY": SECRET_KEY,
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    both = [subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE) for _ in range(3)]
    for process in both:
        _, words = process.communicate(timeout=60)
        assert process.returncode == 0, words.decode()
    assert tables_of(empty_url) == set(metadata.tables)


def test_a_database_keeps_its_foreign_keys_on_after_a_migration(empty_app: Flask, empty_url: str) -> None:
    with empty_app.app_context():
        migrations.upgrade()
        with db.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        with pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO choices (live_code_id, title) VALUES (4711, 'x')")
