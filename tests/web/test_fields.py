"""Values as they are handed in: strict from JSON, read from the texts of a form, refused in the reader's language."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import marshmallow as ma
import pytest
from flask import Flask
from flask_babel import force_locale
from werkzeug.datastructures import MultiDict

from app.web.fields import Flag, Form, Id, Moment, Number, PageQuery, Several, Text, Whole, Word, from_form, read_json

SHANGHAI = ZoneInfo("Asia/Shanghai")
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Sample(Form):
    name = Text(10, blank=False, required=True)
    notes = Text(20, lines=True)
    mode = Word("a", "b")
    count = Whole(1, 9, allow_none=True)
    share = Number(0, 1)
    on = Flag()
    at = Moment(allow_none=True)
    row = Id()
    several = Several(Whole(1, 7), 3)


def value(name: str, given: Any) -> Any:
    return Sample(partial=True).load({name: given})[name]


def wrong(name: str, given: Any) -> bool:
    return name in Sample(partial=True).validate({name: given})


@pytest.mark.parametrize("given", ["<b>x</b>", "\u202e反向", "عربي", "名 称", "👩‍👩‍👧"])
def test_text_of_any_language_markup_and_marks_is_taken(given: str) -> None:
    assert value("name", given) == given


@pytest.mark.parametrize(
    "given", ["\x00", "a\x1bb", "\ud800", "a\x7f", "\x85x", "", "   ", "x" * 11, "x" * 100_000, 5, None, ["x"], {}]
)
def test_text_that_cannot_be_kept_or_is_none_is_refused(given: Any) -> None:
    assert wrong("name", given)


def test_text_is_trimmed_and_stays_on_its_line() -> None:
    assert value("name", "  a\r\nb\tc ") == "a b c"
    assert value("notes", "a\r\nb\rc") == "a\nb\nc"


@pytest.mark.parametrize("given", ["5", 5.0, True, 0, 10, -1, 10**400, float("nan"), None.__class__, []])
def test_whole_number_is_nothing_else(given: Any) -> None:
    assert value("count", 5) == 5
    assert value("count", None) is None
    assert wrong("count", given)


@pytest.mark.parametrize("given", ["0.5", True, float("nan"), float("inf"), 1.01, -0.1, None, 10**400])
def test_number_is_finite_and_in_range(given: Any) -> None:
    assert value("share", 1) == 1.0
    assert wrong("share", given)


@pytest.mark.parametrize("given", ["true", 1, 0, None, "on"])
def test_flag_is_true_or_false(given: Any) -> None:
    assert value("on", False) is False
    assert wrong("on", given)


@pytest.mark.parametrize(
    ("given", "hour"),
    [
        ("2026-11-30T18:00:00+08:00", 10),
        ("2026-11-30T18:00:00Z", 18),
        ("2026-11-30 18:00:00.5z", 18),
        ("2026-11-30t18:00+00:00", 18),
    ],
)
def test_moment_comes_out_in_utc_to_the_second(given: str, hour: int) -> None:
    assert value("at", given) == datetime(2026, 11, 30, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        "yesterday", "2026-11-30T18:00:00", "2026-11-30", "2026-02-30T00:00:00Z", "2026-11-30T25:00:00Z",
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "20261130T180000Z", "2026-11-30T18:00:60Z",
        "\uff11970-01-01T00:00:00Z", 5, True, [],
    ],
)  # fmt: skip
def test_moment_without_zone_or_sense_is_refused(given: Any) -> None:
    assert wrong("at", given)


def test_id_too_large_for_the_column_is_refused() -> None:
    assert value("row", 2**31 - 1) == 2**31 - 1
    assert wrong("row", 2**31) and wrong("row", 0)


def test_list_says_which_of_its_values_is_wrong() -> None:
    assert value("several", [1, 7]) == [1, 7]
    assert list(Sample(partial=True).validate({"several": [1, 8]})["several"]) == [1]
    assert wrong("several", [1, 2, 3, 4]) and wrong("several", 5) and wrong("several", "1")


def test_unknown_word_and_unknown_name_are_refused() -> None:
    assert value("mode", "a") == "a"
    assert wrong("mode", "c") and wrong("mode", None) and wrong("mode", 1)
    assert "moed" in Sample(partial=True).validate({"moed": "a"})


def form(*pairs: tuple[str, str]) -> MultiDict[str, str]:
    return MultiDict(pairs)


def test_form_texts_become_values() -> None:
    given = form(("name", "x"), ("count", " 5 "), ("share", "0.5"), ("on", "on"), ("several", "1"), ("several", "2"))
    assert from_form(Sample(), given) == {"name": "x", "count": 5, "share": 0.5, "on": True, "several": [1, 2]}


def test_list_in_a_form_may_be_json() -> None:
    assert from_form(Sample(), form(("several", "[1, 2]"))) == {"several": [1, 2]}
    assert from_form(Sample(), form(("several", "[1, 2"))) == {"several": "[1, 2"}


def test_empty_form_input_is_absent_or_takes_a_value_away() -> None:
    given = form(("name", ""), ("count", ""), ("several", ""))
    assert from_form(Sample(), given) == {"name": "", "several": []}
    assert from_form(Sample(), given, empty_is_null=True) == {"name": "", "count": None, "several": []}


def test_form_text_that_is_no_such_value_is_refused_by_its_field() -> None:
    given = from_form(
        Sample(), form(("name", "x"), ("count", "many"), ("on", "maybe"), ("at", "soon"), ("odd", "1")), zone=SHANGHAI
    )
    assert set(Sample().validate(given)) == {"count", "on", "at", "odd"}


def test_time_of_a_form_without_a_zone_is_the_panels() -> None:
    given = from_form(Sample(), form(("name", "x"), ("at", "2026-11-30T18:00")), zone=SHANGHAI)
    assert Sample().load(given)["at"] == datetime(2026, 11, 30, 10, tzinfo=UTC)
    assert wrong("at", from_form(Sample(), form(("at", "2026-11-30T18:00")))["at"])


@pytest.mark.parametrize("body", ["{not json", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", b"\xff\xfe", ""])
def test_what_is_no_json_is_a_value_error(body: str | bytes) -> None:
    with pytest.raises(ValueError):
        read_json(body)


def test_page_query_reads_digits() -> None:
    assert PageQuery().load({"page": "2", "other": "x"}) == {"page": 2, "per_page": 20}
    assert set(PageQuery().validate({"page": "0", "per_page": "101"})) == {"page", "per_page"}


@sqlite_only
def test_refusals_speak_the_readers_language(app: Flask) -> None:
    with app.test_request_context():
        for locale, words in (("en", "This is needed."), ("zh_Hans_CN", "这里必须填写。")):
            with force_locale(locale), pytest.raises(ma.ValidationError) as caught:
                Sample().load({})
            with force_locale(locale):
                assert str(caught.value.messages["name"][0]) == words


def fields_of(schema: ma.Schema) -> Iterator[tuple[str, Any]]:
    for name, field in schema.fields.items():
        yield f"{type(schema).__name__}.{name}", field
        if isinstance(field, ma.fields.List):
            yield f"{type(schema).__name__}.{name}[]", field.inner


def forms(base: type[Form] = Form) -> Iterator[type[Form]]:
    for form in base.__subclasses__():
        if form.__module__.startswith("app."):
            yield form
        yield from forms(form)


@sqlite_only
def test_no_input_of_the_application_speaks_marshmallow_s_own_english(app: Flask) -> None:
    """`app` is asked for so that every feature's forms are there."""
    found = [pair for form in forms() for pair in fields_of(form())]
    assert len(found) > 50
    with app.test_request_context(), force_locale("zh_Hans_CN"):
        for name, field in found:
            for key in ("required", "null"):
                (message,) = field.error_messages[key]
                assert not str(message).isascii(), (name, key)
