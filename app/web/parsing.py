"""Requests as we read them: a broken body is a 400 instead of an empty form, an id too large for SQL is a 404."""

from typing import Any

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.routing import IntegerConverter

LARGEST_ID = 2**31 - 1  # PostgreSQL's integer


class StrictFormDataParser(FormDataParser):
    """Werkzeug's own turns a body it cannot parse into an empty form, which then reads "name is missing"."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        self.silent = False
        try:
            return super().parse(*args, **kwargs)
        except RequestEntityTooLarge:
            raise
        except ValueError as error:
            raise BadRequest("The body could not be parsed.") from error


class HuoziRequest(Request):
    form_data_parser_class = StrictFormDataParser


class IdConverter(IntegerConverter):
    """`<int:…>`: whole numbers that fit the column; everything else is no such page."""

    def __init__(self, map: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max", LARGEST_ID)
        super().__init__(map, *args, **kwargs)
