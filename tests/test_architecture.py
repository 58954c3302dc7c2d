"""Who may import whom. The rooms and their rules are told in docs/architecture.md; a failure here names the line."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from app.settings import ROOT

FEATURES = {"scan", "codes", "people", "pipeline", "stats", "alerts", "accounts", "wechat", "webhooks", "returns"}
MACHINERY = {"ledger", "db", "outside", "web"}
PURE = {"rules", "settings"}
WIRING = {"", "cli", "demo", "installation", "seed", "seed_rows", "wiring"}

# Files of a feature that speak HTTP, by the job their name stands for.
DELIVERY = {"pages", "api", "views", "guard", "shell"}

# Features that may look at another's rooms: (feature, what of it) → by whom. "*" is any feature.
LENT = {
    ("codes", "snapshot"): {"stats", "people", "alerts", "wechat", "scan"},
    ("codes", "store"): {"stats", "people", "alerts", "wechat", "scan", "returns"},
}
GUARD = ("accounts", "guard")  # asked by every pages and api file

# A foreign thing and the one room that knows it.
ONE_ROOM = {
    "redis": "ledger",
    "hiredis": "ledger",
    "PIL": "outside",
    "pi_heif": "outside",
    "qrcode": "outside",
    "zxingcpp": "outside",
    "reportlab": "outside",
    "geoip2": "outside",
    "maxminddb": "outside",
    "apprise": "outside",
    "certifi": "outside",
    "cryptography": "outside",
    "requests": "outside",
    "gunicorn": "",
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "service", "services", "misc"}


@dataclass(frozen=True)
class Import:
    file: Path  # from app/, such as scan/views.py
    line: int
    target: str  # dotted, such as app.codes.store or flask

    @property
    def room(self) -> str:
        """The folder, or the name of a file that stands directly in app/; "" for app/__init__.py."""
        first = self.file.parts[0] if len(self.file.parts) > 1 else self.file.stem
        return "" if first == "__init__" else first

    @property
    def job(self) -> str:
        """What the file's name says it does; admin_pages does what pages does."""
        return self.file.stem.rpartition("_")[2]

    def says(self, rule: str) -> str:
        return f"app/{self.file}:{self.line} imports {self.target}: {rule}"


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for file in sorted((ROOT / "app").rglob("*.py")) for found in imports_of(file))


def imports_of(file: Path) -> Iterator[Import]:
    short = file.relative_to(ROOT / "app")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(short, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"app/{short}:{node.lineno}: imports are absolute here"
            module = node.module or ""
            for alias in node.names:
                # `from app.codes import store` names a file, `from app.codes.store import find` something in it.
                inner = ROOT / module.replace(".", "/") / alias.name
                is_file = module.startswith("app") and (inner.with_suffix(".py").exists() or inner.is_dir())
                yield Import(short, node.lineno, f"{module}.{alias.name}" if is_file else module)


def room_and_file(target: str) -> tuple[str, str]:
    """app.codes.store → (codes, store); app.settings → (settings, "")."""
    parts = [*target.split("."), "", ""]
    return parts[1], parts[2]


def ours() -> Iterator[tuple[Import, str, str]]:
    for found in imports():
        if found.target.split(".")[0] == "app":
            yield found, *room_and_file(found.target)


def foreign() -> Iterator[tuple[Import, str]]:
    for found in imports():
        top = found.target.split(".")[0]
        if top != "app" and top not in sys.stdlib_module_names:
            yield found, top


def check(broken: list[str]) -> None:
    assert not broken, "\n" + "\n".join(sorted(set(broken)))


def test_there_is_something_to_look_at() -> None:
    assert len(imports()) > 100
    assert {found.room for found in imports()} >= {"rules", "settings", "db", "web", "ledger", "codes", "scan"}


def test_every_room_has_its_place_in_the_house() -> None:
    known = FEATURES | MACHINERY | PURE | WIRING
    check(
        [found.says("which room is this? See docs/architecture.md") for found in imports() if found.room not in known]
    )


def test_rules_and_settings_use_the_standard_library_only() -> None:
    broken = [found.says("the rules are pure") for found, _ in foreign() if found.room in PURE]
    broken += [
        found.says("rules know only rules, settings know nobody")
        for found, room, _ in ours()
        if (found.room == "rules" and room != "rules") or found.room == "settings"
    ]
    check(broken)


@pytest.mark.parametrize(
    "name", ["time", "random", "secrets", "socket", "os", "subprocess", "threading", "urllib.request", "http"]
)
def test_rules_have_no_clock_no_dice_and_no_doors_of_their_own(name: str) -> None:
    inside = (found for found in imports() if found.room == "rules")
    allowed = {("slugs", "secrets"), ("slugs", "random")}  # a slug is drawn, and its dice may be handed in
    check(
        [
            found.says("time and randomness are arguments of the rules")
            for found in inside
            if f"{found.target}.".startswith(f"{name}.") and (found.job, name) not in allowed
        ]
    )


def test_machinery_rooms_do_not_know_each_other() -> None:
    check(
        [
            found.says("machinery knows rules and settings, not its neighbours (the SQL ledger alone uses db)")
            for found, room, _ in ours()
            if found.room in MACHINERY
            and room in MACHINERY
            and room != found.room
            and (found.room, room) != ("ledger", "db")
        ]
    )


def test_only_the_wiring_looks_down_from_above() -> None:
    check(
        [
            found.says("features and wiring stand above this room; pass a callable instead")
            for found, room, _ in ours()
            if found.room in MACHINERY | PURE and (room in FEATURES or room in WIRING)
        ]
        + [
            found.says("nothing imports the wiring")
            for found, room, _ in ours()
            if found.room in FEATURES and room in WIRING
        ]
    )


def test_features_do_not_know_each_other() -> None:
    def may(found: Import, room: str, file: str) -> bool:
        if (room, file) == GUARD:
            return found.job in DELIVERY
        return found.room in LENT.get((room, file), set())

    check(
        [
            found.says("between features only: pages and api → accounts.guard; some → codes.snapshot, codes.store")
            for found, room, file in ours()
            if found.room in FEATURES and room in FEATURES and room != found.room and not may(found, room, file)
        ]
    )


def test_one_dependency_lives_in_one_room() -> None:
    check(
        [
            found.says(f"{top} lives in app/{ONE_ROOM[top]}")
            for found, top in foreign()
            if top in ONE_ROOM and found.room != ONE_ROOM[top]
        ]
    )


def test_flask_stays_in_wiring_web_and_delivery() -> None:
    def may(found: Import) -> bool:
        return found.room in WIRING | {"web"} or found.job in DELIVERY | {"commands"}

    check(
        [
            found.says("flask is for wiring, web and delivery files")
            for found, top in foreign()
            if top in ("flask", "werkzeug") and not may(found)
        ]
    )


def test_flask_s_extensions_stay_near_flask() -> None:
    def may(found: Import) -> bool:
        speaks = DELIVERY | {"forms", "commands", "schemas", "wording"}
        return found.room in WIRING | {"web", "db"} or found.job in speaks

    check(
        [
            found.says("Flask's extensions are for wiring, web, db, delivery, forms and commands")
            for found, top in foreign()
            if top.startswith("flask_") and not may(found)
        ]
    )


def test_sql_is_not_written_at_the_edges() -> None:
    edges = {"rules", "settings", "web", "outside", "scan"}
    check(
        [
            found.says("SQL belongs to a store, the ledger or the pipeline")
            for found, top in foreign()
            if top in ("sqlalchemy", "psycopg", "sqlite3")
            and found.target != "sqlalchemy.orm"  # a Session is handed through, and named in what it is handed to
            and (found.room in edges or found.job in {"pages", "api", "views", "forms", "schemas"})
        ]
    )


def test_no_file_is_named_for_nothing() -> None:
    named = [file.relative_to(ROOT) for file in (ROOT / "app").rglob("*.py") if file.stem in FORBIDDEN_NAMES]
    assert not named, f"these names say nothing about what is inside: {named}"


def test_every_room_says_what_it_decides() -> None:
    silent = []
    for file in (ROOT / "app").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            silent.append(str(file.relative_to(ROOT)))
    assert not silent, f"without a module docstring: {silent}"
