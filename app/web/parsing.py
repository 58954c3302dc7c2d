"""Requests as we read them: a broken body is a 400 instead of an empty form, an id too large for SQL is nobody's."""

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
    """`<int:…>`: a whole number, 0 for one that does not fit the column.

    Refusing it here would be a 405 wherever another method has a route of the same path; row 0 is nobody's.
    """

    def to_python(self, value: str) -> int:
        # Python reads no number of more than 4300 digits.
        number = int(value) if len(value) <= len(str(LARGEST_ID)) else 0
        return number if number <= LARGEST_ID else 0
