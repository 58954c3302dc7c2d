"""The sentences themselves: the same in both languages, and times as people say them."""

import string
from datetime import UTC, datetime, timedelta

import pytest

from app.rules.kinds import KINDS
from app.scan.wording import EN, TEXTS, ZH, act, app_name, home_app, moment, say
from tests import make


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same_things() -> None:
    assert ZH.keys() == EN.keys()
    assert {key: fields(text) for key, text in ZH.items()} == {key: fields(text) for key, text in EN.items()}


def test_nothing_is_promised_for_ever_and_nothing_is_a_system_error() -> None:
    for text in ZH.values():
        assert not any(word in text for word in ("系统错误", "扫码次数", "永久", "绝不", "已加群"))


@pytest.mark.parametrize(
    ("ahead", "zh", "en"),
    [
        (timedelta(hours=6), "今天 18:00", "today at 18:00"),
        (timedelta(hours=21), "明天 09:00", "tomorrow at 09:00"),
        (timedelta(days=2, hours=6), "周三 18:00", "on Wednesday at 18:00"),
        (timedelta(days=6), "周日 12:00", "on Sunday at 12:00"),
        (timedelta(days=7), "11月9日 12:00", "on 9 November at 12:00"),
        (timedelta(days=70), "2027年1月11日 12:00", "on 11 January 2027 at 12:00"),
        (timedelta(days=-1), "11月1日 12:00", "on 1 November at 12:00"),
    ],
)
def test_a_moment_is_told_as_people_tell_it(ahead: timedelta, zh: str, en: str) -> None:
    at = make.NOW + ahead
    assert moment(at, make.NOW, make.ZONE, "zh") == zh
    assert moment(at, make.NOW, make.ZONE, "en") == en


def test_tomorrow_begins_at_the_panels_midnight() -> None:
    late = datetime(2026, 11, 2, 15, 59, tzinfo=UTC)
    assert moment(late, make.NOW, make.ZONE, "zh") == "今天 23:59"
    assert moment(late + timedelta(minutes=1), make.NOW, make.ZONE, "zh") == "明天 00:00"


def test_every_kind_has_a_verb_and_an_app() -> None:
    for kind in KINDS:
        for language, texts in TEXTS.items():
            assert app_name(kind, language).strip()
            assert f"tap_{act(kind)}" in texts or act(kind) == "official"
            assert f"act_{act(kind)}" in texts


def test_apps_are_called_what_people_call_them() -> None:
    assert app_name("wecom_group", "zh") == "微信"
    assert say("zh", "open_app", app=app_name("qq_group", "zh")) == "打开 QQ"
    assert home_app("wecom_service") == "wechat"
    assert home_app("other_url") is None
