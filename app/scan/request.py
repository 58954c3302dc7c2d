"""How the door reads a request: what is asked, in which form, and whether one of our own pages sent it.

Straight from the environ, because a request object costs more than a scan. Whatever does not read is refused in the
contract's words (`Refusing`) or, in an address, treated as absent; nothing here knows what a scan is.
"""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.rules.coordinates import is_position
from app.rules.regions import normalise
from app.rules.targeting import Position
from app.scan.reply import Refusing
from app.scan.visitor import Environ, placement_of, query_value
from app.web.client_ip import Network, client_address

LONGEST_BODY = 4096
LONGEST_DEGREES = 32
LARGEST_ID = 2**53  # what JSON carries exactly everywhere
FORM_TYPES = ("", "text/plain", "application/x-www-form-urlencoded")


def wants_json(environ: Environ) -> bool:
    """A program asks, or sends JSON. A browser on its way to a page never names it."""
    return "application/json" in environ.get("HTTP_ACCEPT", "") or (
        environ["REQUEST_METHOD"] == "POST" and _media_type(environ) == "application/json"
    )


def form_of(environ: Environ) -> Mapping[str, Any]:
    """The fields of a small body, a form's or a JSON object's. Beacons carry nothing that is read."""
    media_type = _media_type(environ)
    body = _body(environ)
    if media_type == "application/json":
        return _json_fields(body)
    if media_type not in FORM_TYPES:
        raise Refusing(415, "unsupported_media_type")
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise Refusing(400, "bad_request") from None


def number_of(environ: Environ, form: Mapping[str, Any], name: str) -> int:
    """An id: digits in a form, a number in JSON; anything else is the sender's mistake."""
    value = form.get(name)
    if isinstance(value, str) and _media_type(environ) != "application/json":
        value = _digits(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID:
        return value
    raise Refusing(422, "invalid", fields={name: "a number"})


def region_of(form: Mapping[str, Any]) -> str | None:
    """The place chosen, None for "where my phone is"."""
    value = form.get("region")
    if value in ("", None) and "region" in form:
        return None
    region = normalise(value)
    if region is None:
        raise Refusing(422, "invalid", fields={"region": "a region such as CN/CN-GD/440100"})
    return region


def position_of(form: Mapping[str, Any]) -> Position:
    """Degrees in WGS-84, as a browser gives them."""
    try:
        lat, lon = (_degrees(form.get(name)) for name in ("lat", "lon"))
    except ValueError:
        raise Refusing(422, "invalid", fields={"lat": "degrees", "lon": "degrees"}) from None
    if not is_position(lat, lon):
        raise Refusing(422, "invalid", fields={"lat": "a position on the earth"})
    return lat, lon


def _degrees(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > LONGEST_DEGREES:
        raise ValueError("no number")
    return float(value)


def choice_asked(environ: Environ) -> int | None:
    """`?c=`: which of several choices a page is about."""
    return _digits(query_value(environ.get("QUERY_STRING", ""), "c") or "")


def placement(environ: Environ) -> str | None:
    """A form's own address names no placement, but the page it stands on does, and our pages tell us where they are."""
    own = placement_of(environ.get("QUERY_STRING", ""))
    return own or placement_of(str(environ.get("HTTP_REFERER", ""))[:2000].partition("?")[2])


def is_ours(environ: Environ, origins: Container[str], trusted_proxies: Sequence[Network]) -> bool:
    """Did a page of this very origin send it? Origin equals Host (or is one of our addresses, whatever
    a proxy made of Host).

    A browser that leaves Origin out may say the same in Sec-Fetch-Site, which no page can set.
    """
    origin = environ.get("HTTP_ORIGIN", "null")
    if origin == "null":
        return bool(environ.get("HTTP_SEC_FETCH_SITE") == "same-origin")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    same_host = bool(parts.netloc) and parts.netloc.lower() == environ.get("HTTP_HOST", "").lower()
    return (same_host and _scheme(environ, trusted_proxies) in (None, parts.scheme)) or origin in origins


def _scheme(environ: Environ, trusted_proxies: Sequence[Network]) -> str | None:
    """The scheme the browser used, where it is known: plain HTTP here may have been HTTPS at a proxy nobody named."""
    forwarded = environ.get("HTTP_X_FORWARDED_PROTO")
    if forwarded and trusted_proxies:
        peer = client_address(environ.get("REMOTE_ADDR", ""), None, ())
        if peer is None or any(peer in network for network in trusted_proxies):
            return str(forwarded).rpartition(",")[2].strip().lower()
    return "https" if environ.get("wsgi.url_scheme") == "https" else None


def _media_type(environ: Environ) -> str:
    return str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def _json_fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusing(400, "bad_request") from None
    if not isinstance(fields, dict):
        raise Refusing(422, "invalid")
    return fields


def _body(environ: Environ) -> bytes:
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length and not (length.isascii() and length.isdigit()):
        raise Refusing(400, "bad_request")
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    size = LONGEST_BODY + 1 if not length or len(length) > 9 else int(length)
    body: bytes = environ["wsgi.input"].read(min(size, LONGEST_BODY + 1))
    if size > LONGEST_BODY and (length or len(body) > LONGEST_BODY):
        refusing = Refusing(413, "too_large")
        refusing.headers = [("Connection", "close")]  # what was not read would be taken for the next request
        raise refusing
    return body


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
