"""Nobody else's page may act in our reader's name.

A form carries a token, and its Origin (where the browser sends one) must be our own host. A program with a bearer token
needs neither: a browser never sends that header by itself.
"""

from flask import Flask, current_app, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFProtect

from app.web.errors import Problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


def same_origin() -> bool:
    """Origin equals Host. False too where there is no Origin (old browsers, programs) or it is "null"."""
    _, separator, host = request.headers.get("Origin", "").partition("://")
    return bool(separator) and host.lower() == request.headers.get("Host", "").lower()


class Protection(CSRFProtect):
    def protect(self, apply_exemptions: bool = False) -> None:
        if request.method in SAFE_METHODS or _is_program():
            return
        if apply_exemptions and (not request.endpoint or self._is_exempt()):
            return
        if request.headers.get("Origin") and not same_origin():
            raise Problem(403, "cross_origin", gettext("This was sent from another site's page."))
        super().protect(apply_exemptions=apply_exemptions)


csrf = Protection()


def init_app(app: Flask) -> None:
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)  # a form is good as long as its session: nobody loses typed text
    app.config.setdefault("WTF_CSRF_SSL_STRICT", False)  # we compare Origin; some in-app browsers send no Referer
    csrf.init_app(app)


def _is_program() -> bool:
    """A bearer token, or an API call without our session cookie: the API's own guard answers that one with 401."""
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return True
    cookie = current_app.config["SESSION_COOKIE_NAME"]
    return request.path.startswith("/api/") and cookie not in request.cookies
