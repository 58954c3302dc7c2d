"""HTTP manners that every page and every API answer shares: errors, paging, CSRF, headers, language, health, logs.

Decides how an answer is dressed; what it says is the features' business. Knows no table and no rule.
"""

from typing import cast

from flask import current_app

from app.settings import Settings


def settings() -> Settings:
    """The running application's settings; for delivery files only, whatever lies below is handed what it needs."""
    return cast(Settings, current_app.config["HUOZI"])
