"""`/system`: how this installation is set up and how it fares. For administrators; changes nothing, because settings
are the environment's."""

from collections.abc import Callable
from typing import cast

from flask import Blueprint, current_app, render_template

from app.accounts import guard
from app.accounts.installation import INSTALLATION, Installation
from app.web import settings

blueprint = Blueprint("system", __name__)


@blueprint.before_request
@guard.role_required("admin")
def _for_admins() -> None:
    return None


@blueprint.get("/system")
def index() -> str:
    look = cast(Callable[[], Installation], current_app.extensions[INSTALLATION])
    return render_template("accounts/system.html", seen=look(), settings=settings(), in_words=in_words)


def in_words(size_bytes: int) -> str:
    """Such as "12 MB"."""
    size, units = float(size_bytes), iter(("KB", "MB", "GB", "TB"))
    unit = "B"
    while size >= 1000 and (larger := next(units, None)):
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}" if size < 10 and unit != "B" else f"{size:.0f} {unit}"
