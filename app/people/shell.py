"""What all pages of visitors share: their blueprint, who asks, the words templates use."""

from typing import Any

from flask import Blueprint

from app.accounts.guard import current_user, protect_pages
from app.people import wording
from app.rules import regions
from app.web.i18n import language

blueprint = Blueprint("people", __name__)
protect_pages(blueprint)


def _words() -> dict[str, Any]:
    return {
        "device_name": wording.device_name,
        "app_name": wording.app_name,
        "region_name": lambda key: regions.name(key, language(), full=True),
        "category_name": lambda category: wording.CATEGORIES[category],
        "condition_words": wording.condition,
        "reason_words": wording.reason,
        "money": wording.money,
        "identity_names": wording.IDENTITIES,
        "can_write": current_user.can_write,
        "is_admin": current_user.is_admin,
    }


blueprint.context_processor(_words)
