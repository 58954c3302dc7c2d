"""What a user agent tells about a phone: its system, the app a page is opened in, and whether somebody only looks.

The words are data (`agents.toml`). This room knows nothing of cookies or places, and keeps no user agent.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

# Real ones have 100 to 400 characters; what is longer is cut, so that the cache below stays small.
LONGEST = 512


@dataclass(frozen=True, slots=True)
class Agent:
    """`app` shows the page (`browser`: nowhere special); `language` is what WeChat says, None elsewhere."""

    device: str
    app: str
    is_preview: bool
    language: str | None


def read_agent(user_agent: str) -> Agent:
    """Never fails; an empty user agent is somebody real on an unknown device."""
    return _read(user_agent[:LONGEST])


@lru_cache(maxsize=4096)
def _read(user_agent: str) -> Agent:
    return Agent(
        device=_first(_DEVICES, user_agent) or "other",
        app=_first(_APPS, user_agent) or "browser",
        is_preview=_PREVIEWS.search(user_agent) is not None,
        language=_language(user_agent),
    )


def _first(table: Iterable[tuple[str, re.Pattern[str]]], user_agent: str) -> str | None:
    return next((name for name, words in table if words.search(user_agent)), None)


def _language(user_agent: str) -> str | None:
    """WeChat writes the language its user chose, `Language/zh_CN`; its browser's own header may say another one."""
    found = _LANGUAGE.search(user_agent)
    return None if found is None else "zh" if found[1].lower() == "zh" else "en"


def _words(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words only: see the head of the table."""
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.ASCII | re.IGNORECASE)


def _rows(rows: Iterable[dict[str, Any]]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["name"], _words(row["words"])) for row in rows)


_TABLE = tomllib.loads(files(__package__).joinpath("agents.toml").read_text("utf-8"))
_PREVIEWS = _words(_TABLE["previews"])
_APPS = _rows(_TABLE["app"])
_DEVICES = _rows(_TABLE["device"])
_LANGUAGE = re.compile(r"\bLanguage/([A-Za-z]{2})", re.ASCII)
