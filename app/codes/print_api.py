"""The permanent code as a file, for programs and for the panel's download links."""

from typing import Any
from urllib.parse import quote

from flask import Response
from flask_babel import gettext

from app.codes import forms, store
from app.codes.desk import Desk
from app.codes.models import LiveCode
from app.codes.shared_api import asker, blueprint, desk, invalid, seen
from app.db import db
from app.outside import qr_write

MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


@blueprint.route("/live-codes/<int:live_code_id>/qr", methods=["GET"])
@blueprint.arguments(forms.QrQuery, location="query")
@blueprint.response(200, content_type="image/png")
def permanent_code(query: dict[str, Any], live_code_id: int) -> Response:
    """The code to print, as PNG, SVG or PDF; it decodes to `short_url` and was read before it is handed out."""
    row = seen(store.find_live_code(db.session, asker(), live_code_id))
    return code_file(desk(), row, query)


def code_file(desk: Desk, row: LiveCode, query: dict[str, Any]) -> Response:
    """A download named after the slug; `TEST-` before it while nobody else could open the address."""
    url, form, size = desk.printed_url(row, query["p"]), query["format"], query.get("size")
    least, most = qr_write.size_bounds(url, form)
    if size is not None and not least <= size <= most:
        raise invalid("size", gettext("A whole number from %(lowest)s to %(highest)s.", lowest=least, highest=most))
    data = qr_write.permanent_code(
        url, format=form, size=size, title=query["title"], caption=query["caption"], test=desk.is_test(row)
    )
    name = f"{'TEST-' if desk.is_test(row) else ''}{row.slug}{'-' + query['p'] if query['p'] else ''}.{form}"
    response = Response(data, mimetype=MEDIA_TYPES[form])
    response.headers["Content-Disposition"] = f"inline; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name)}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _plain(name: str) -> str:
    """What an old client, which reads no filename*, calls the file."""
    return name.encode("ascii", "replace").decode("ascii").replace("?", "_")
