"""JSON as the contract has it: times in RFC 3339 with their zone, Chinese as itself."""

from datetime import date, datetime
from typing import Any

from flask.json.provider import DefaultJSONProvider


class HuoziJSON(DefaultJSONProvider):
    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise TypeError(f"a naive time reached an answer: {value!r}")
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, date):
            return value.isoformat()
        return DefaultJSONProvider.default(value)
