"""Docs are checked: what is not in them fails here, and so does what is only in them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from app import settings
from app.settings import ROOT, load

DOCS = ROOT / "docs"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def settings_rows() -> dict[str, str]:
    """Variable → default, from the table in docs/settings.md."""
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", text_of("docs/settings.md"), re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    assert set(settings_rows()) == set(settings.NAMES)


@pytest.mark.parametrize("name", settings.SECRETS)
def test_every_secret_s_file_form_is_documented(name: str) -> None:
    assert f"`{name}_FILE`" in text_of("docs/settings.md")


def test_documented_defaults_are_the_real_ones(tmp_path: Path) -> None:
    real = load({"HUOZI_DATA_DIR": str(tmp_path)})
    rows = settings_rows()
    for name in ("ENV", "TIMEZONE", "LANGUAGE", "BIND", "WORKERS", "THREADS", "ADMIN_EMAIL"):
        assert rows[f"HUOZI_{name}"] == f"`{getattr(real, name.lower())}`"
    assert rows["PORT"] == f"`{real.port}`"


def test_commands_and_routes_are_documented() -> None:
    command = [sys.executable, "scripts/docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@on_sqlite
def test_openapi_and_routes_agree(app: Flask) -> None:
    spec = app.test_client().get("/api/v1/openapi.json").json
    assert spec is not None
    described = {
        (method.upper(), re.sub(r"{[^}]+}", "{}", path))
        for path, methods in spec["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    served = {
        (method, re.sub(r"<[^>]+>", "{}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule not in ("/api/v1/docs", "/api/v1/openapi.json")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served


@on_sqlite
def test_every_operation_of_the_api_says_what_it_does(app: Flask) -> None:
    spec = app.test_client().get("/api/v1/openapi.json").json
    assert spec is not None
    silent = [
        f"{method.upper()} {path}"
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete") and not operation.get("summary")
    ]
    assert not silent, "the view's docstring is what the API's reader sees"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for file in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")) and not (file.parent / target).exists():
                broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert not broken


def test_make_help_lists_every_target() -> None:
    makefile = text_of("Makefile")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    described = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert phony == described


def test_both_readmes_show_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        return re.findall(r"^    (\S.*?)(?:\s+#.*)?$", text_of(name), re.MULTILINE)

    assert commands("README.md") == commands("README.zh-CN.md") != []
