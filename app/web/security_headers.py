"""What a browser is told it may do with our pages.

Strict by default; a page that needs another policy (the landing page carries its style and script inline) sets its own
Content-Security-Policy, which is left alone.
"""

from flask import Flask, Response

PANEL_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
ONE_YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask, https: bool) -> None:
    """`https`: the service is reached by HTTPS, so that browsers may be told never to try anything else."""

    @app.after_request
    def dress(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", PANEL_POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        if https:  # browsers ignore both on plain HTTP, one of them with a complaint in the console
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR_SECONDS}")
        return response
